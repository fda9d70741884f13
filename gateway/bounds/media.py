"""Owns what calls may use that do not talk: embeddings, reranking, speech, pictures, pages; and sockets' responses."""

import msgspec

from gateway.bounds.asked import (
    DRAWN,
    MEDIA,
    SPOKEN,
    Asked,
    Body,
    answers_of,
    items_of,
)
from gateway.bounds.parts import Parts, images_of, parts_of
from gateway.wire import jsontext
from pricing.bound import Unbounded
from pricing.usage import Usage

# Pages of a document that Mistral's OCR reads (docs.mistral.ai/capabilities/document_ai/basic_ocr, "FAQ").
_OCR_PAGES_MAX = 1000
# Documents in one search of Cohere's rerankers (cohere.com/pricing); of a long one each piece counts.
_DOCUMENTS_PER_SEARCH = 100


class _Embedded(msgspec.Struct, frozen=True, gc=False):
    """What embeddings are made of, in every API's words."""

    input: object = None
    inputs: object = None
    images: object = None
    content: object = None
    requests: object = None
    instances: object = None


ONLY_TEXTS = "an embedding of anything but text has no bound: embed texts"


def embeddings(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_embeddeds, sent.text)
    parts = parts_of([body.input, body.inputs, body.content, body.requests, body.instances]) + images_of(body.images)
    if parts.images or parts.opaque:
        return Unbounded(ONLY_TEXTS)
    return Asked(puts_out=False)


def predict(sent: Body) -> Asked | Unbounded:
    if "embedding" not in sent.model:
        return Unbounded("of Vertex AI's predict only embeddings of text have a bound")
    return Unbounded(ONLY_TEXTS) if "multimodal" in sent.model else embeddings(sent)


class _Rerank(msgspec.Struct, frozen=True, gc=False):
    query: object = None
    documents: object = None


def rerank(sent: Body) -> Asked | Unbounded:
    """Billed by the token: the query is read once for every document."""
    body = jsontext.decode(_reranks, sent.text)
    query = len(body.query.encode("utf-8", "replace")) if isinstance(body.query, str) else len(sent.text)
    return Asked(
        puts_out=False, more_in=query * len(items_of(body.documents)), other=_searches(sent, body), by_rate=True
    )


def cohere_rerank(sent: Body) -> Asked | Unbounded:
    return Asked(puts_out=False, other=_searches(sent, jsontext.decode(_reranks, sent.text)), by_rate=True)


def _searches(sent: Body, body: _Rerank) -> Usage:
    """Searches at most: a long document counts as many, of which each has a byte at least."""
    pieces = len(items_of(body.documents)) + len(sent.text)
    return Usage(rerank_searches=-(-pieces // _DOCUMENTS_PER_SEARCH))


def speech(sent: Body) -> Asked | Unbounded:
    """Billed by the character, or by the token of text and sound."""
    return Asked(output_buckets=(SPOKEN,), other=Usage(input_characters=len(sent.text)), by_rate=True)


def transcription(sent: Body) -> Asked | Unbounded:
    """A form with a file whose length only some formats tell: what the model can hear, where it is billed by tokens."""
    return Asked(whole_context=True, parts=Parts(opaque=True, image_characters=len(sent.text)))


class _Drawn(msgspec.Struct, frozen=True, gc=False):
    n: object = None


def images(sent: Body) -> Asked | Unbounded:
    """Billed by the image where an override says so: list prices are by tokens of pictures, which nothing caps."""
    if not sent.text.startswith(b"{"):
        return Unbounded("edits and variations of images have no bound: set a ceiling")
    answers = answers_of(jsontext.decode(_drawns, sent.text).n)
    if isinstance(answers, Unbounded):
        return answers
    return Asked(puts_out=True, output_buckets=(DRAWN,), other=Usage(output_images=answers), by_rate=True)


class _Ocr(msgspec.Struct, frozen=True, gc=False):
    pages: object = None
    bbox_annotation_format: object = None
    document_annotation_format: object = None


def ocr(sent: Body) -> Asked | Unbounded:
    body = jsontext.decode(_ocrs, sent.text)
    listed = items_of(body.pages)
    # A text in the list may be a range.
    pages = len(listed) if listed and all(isinstance(page, int) for page in listed) else _OCR_PAGES_MAX
    annotated = pages if body.bbox_annotation_format or body.document_annotation_format else 0
    return Asked(puts_out=False, other=Usage(input_pages=pages, input_annotated_pages=annotated), by_rate=True)


def session(sent: Body) -> Asked | Unbounded:
    """One response of a socket's: all that the model can hear and say."""
    return Asked(whole_context=True, parts=Parts(opaque=True), output_buckets=MEDIA, reasons=True)


_embeddeds = msgspec.json.Decoder(_Embedded)
_reranks = msgspec.json.Decoder(_Rerank)
_drawns = msgspec.json.Decoder(_Drawn)
_ocrs = msgspec.json.Decoder(_Ocr)
