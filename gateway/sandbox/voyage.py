"""Owns Voyage's operations: embeddings of texts, of chunks in context and of pictures, and its rerank."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Piece, prompt_tokens
from gateway.sandbox.compatible import OUTPUT_CONTROLS, Json, read_request, refuse_ignored, resolve
from gateway.sandbox.compatible_embeddings import encode_vector
from gateway.sandbox.refusals import refuse_model
from gateway.sandbox.text import count_tokens, rank, seed_of, write_vector

# docs.voyageai.com/reference
_EMBEDDING_FIELD_LIST = "input model input_type truncation output_dimension output_dtype encoding_format"
_EMBEDDING_FIELDS = frozenset(_EMBEDDING_FIELD_LIST.split())
_CONTEXTUAL_FIELD_LIST = "inputs model input_type output_dimension output_dtype encoding_format"
_CONTEXTUAL_FIELDS = frozenset(_CONTEXTUAL_FIELD_LIST.split())
_MULTIMODAL_FIELDS = frozenset(("inputs", "model", "input_type", "truncation", "output_encoding"))
_RERANK_FIELDS = frozenset(("query", "documents", "model", "top_k", "return_documents", "truncation"))

_CONTEXTUAL_MODEL = "voyage-context-3"
_WIDTH_DEFAULT = 256

# A picture is a token for every 560 pixels; the sandbox takes each to have as many as one token by a thousand.
_PICTURE_PIXELS = 560_000
_PICTURE_TOKENS = 1_000

_Type = Literal["query", "document"] | None
_Encoding = Literal["base64"] | None
_Width = Annotated[int, Meta(ge=1, le=2048)] | None
_Texts = Annotated[list[str], Meta(min_length=1, max_length=1000)]


class _EmbeddingsRequest(msgspec.Struct, frozen=True):
    model: str
    input: str | _Texts
    input_type: _Type = None
    truncation: bool | None = None
    output_dimension: _Width = None
    output_dtype: Literal["float"] | None = None
    encoding_format: _Encoding = None


class _ContextualRequest(msgspec.Struct, frozen=True):
    model: str
    inputs: Annotated[list[_Texts], Meta(min_length=1, max_length=1000)]
    input_type: _Type = None
    output_dimension: _Width = None
    output_dtype: Literal["float"] | None = None
    encoding_format: _Encoding = None


class _Part(msgspec.Struct, frozen=True):
    type: Literal["text", "image_url", "image_base64"]
    text: str = ""


class _Mixed(msgspec.Struct, frozen=True):
    content: Annotated[list[_Part], Meta(min_length=1)]


class _MultimodalRequest(msgspec.Struct, frozen=True):
    model: str
    inputs: Annotated[list[_Mixed], Meta(min_length=1, max_length=1000)]
    input_type: _Type = None
    truncation: bool | None = None
    output_encoding: _Encoding = None


class _RerankRequest(msgspec.Struct, frozen=True):
    model: str
    query: str
    documents: Annotated[list[str], Meta(min_length=1, max_length=1000)]
    top_k: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False
    truncation: bool | None = None


def _embedding(model: Model, given: object, width: int | None, encoding: _Encoding, index: int) -> Json:
    vector = write_vector(seed_of(model.name, given), width or _WIDTH_DEFAULT)
    return {"object": "embedding", "embedding": encode_vector(vector, encoding == "base64"), "index": index}


def _answer(call: Call, model: Model, data: object, counted: int, **usage: int) -> Answer:
    """A list with its usage, which names the total alone and whatever else the operation counts."""
    prompt = prompt_tokens(call.controls, counted)
    document = {
        "object": "list",
        "data": data,
        "model": model.version,
        "usage": {**usage, "total_tokens": prompt.prompt},
    }
    ignored = refuse_ignored(call, *OUTPUT_CONTROLS)
    charge = Charge(model, prompt, call.endpoint)
    return ignored or Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def embeddings(call: Call) -> Answer:
    request = read_request(call, _EmbeddingsRequest, _EMBEDDING_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    if model.name == _CONTEXTUAL_MODEL:
        return refuse_model(call, request.model, "those without context")
    texts = [request.input] if isinstance(request.input, str) else request.input
    data = [
        _embedding(model, text, request.output_dimension, request.encoding_format, index)
        for index, text in enumerate(texts)
    ]
    return _answer(call, model, data, count_tokens(texts))


def contextualized(call: Call) -> Answer:
    """A list for each document, of an embedding for each of its chunks."""
    request = read_request(call, _ContextualRequest, _CONTEXTUAL_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    if model.name != _CONTEXTUAL_MODEL:
        return refuse_model(call, request.model, str([_CONTEXTUAL_MODEL]))
    data = [
        {
            "object": "list",
            "data": [
                _embedding(model, [chunks, chunk], request.output_dimension, request.encoding_format, index)
                for index, chunk in enumerate(chunks)
            ],
            "index": number,
        }
        for number, chunks in enumerate(request.inputs)
    ]
    return _answer(call, model, data, count_tokens(request.inputs))


def multimodal(call: Call) -> Answer:
    request = read_request(call, _MultimodalRequest, _MULTIMODAL_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "multimodal")
    if isinstance(model, Answer):
        return model
    data = [
        _embedding(model, given.content, None, request.output_encoding, index)
        for index, given in enumerate(request.inputs)
    ]
    parts = [part for given in request.inputs for part in given.content]
    text_tokens = count_tokens([part.text for part in parts])
    pictures = sum(part.type != "text" for part in parts)
    counted = text_tokens + pictures * _PICTURE_TOKENS
    return _answer(call, model, data, counted, text_tokens=text_tokens, image_pixels=pictures * _PICTURE_PIXELS)


def rerank(call: Call) -> Answer:
    """The query counts once for every document."""
    request = read_request(call, _RerankRequest, _RERANK_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "rerank")
    if isinstance(model, Answer):
        return model
    shown = [
        {"relevance_score": score, "index": index, **_shown(request, index)}
        for index, score in rank(request.query, request.documents)
    ]
    counted = count_tokens(request.query) * len(request.documents) + count_tokens(request.documents)
    return _answer(call, model, shown[: request.top_k], counted)


def _shown(request: _RerankRequest, index: int) -> Json:
    return {"document": request.documents[index]} if request.return_documents else {}
