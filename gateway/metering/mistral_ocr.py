"""Owns the reading of Mistral's OCR, which is billed by the page, and dearer where annotations were asked for."""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, is_stated, text_or_none
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _UsageInfo(msgspec.Struct, frozen=True, gc=False):
    pages_processed: Count | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    model: object = None
    usage_info: msgspec.Raw = msgspec.Raw()
    document_annotation: msgspec.Raw = msgspec.Raw()
    error: object = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    document_annotation_format: msgspec.Raw = msgspec.Raw()
    bbox_annotation_format: msgspec.Raw = msgspec.Raw()


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_UsageInfo)
_requests = msgspec.json.Decoder(_Request)


def read(payload: bytes, about: About) -> Reading:
    """One answer. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_answers, payload)
    pages, flags = _pages(answer.usage_info)
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if pages is None else (Line(_buckets(pages, answer, about.request)),),
        provenance="unknown" if pages is None else "reported",
        model=text_or_none(answer.model),
        flags=flags,
    )


def _pages(stated: msgspec.Raw) -> tuple[int | None, tuple[str, ...]]:
    try:
        return (jsontext.decode_member(_usages, stated).pages_processed if is_stated(stated) else None), ()
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)


def _buckets(pages: int, answer: _Answer, request: bytes) -> Usage:
    """Annotations have a price of their own for the page, with its reading in it (docs.mistral.ai/models)."""
    if is_stated(answer.document_annotation) or _asks_for_annotations(request):
        return Usage(input_annotated_pages=pages)
    return Usage(input_pages=pages)


def _asks_for_annotations(request: bytes) -> bool:
    try:
        asked = _requests.decode(request)
    except (ValueError, RecursionError):
        return False
    return is_stated(asked.document_annotation_format) or is_stated(asked.bbox_annotation_format)
