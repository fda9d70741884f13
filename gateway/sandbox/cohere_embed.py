"""Owns Cohere's embed and rerank, v2 and v1: one is billed by tokens, the other by the search."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Piece, prompt_tokens
from gateway.sandbox.cohere import id_of, meta_of
from gateway.sandbox.compatible import (
    OUTPUT_CONTROLS,
    PROMPT_CONTROLS,
    Json,
    read_request,
    refuse_ignored,
    resolve,
)
from gateway.sandbox.compatible_embeddings import encode_vector
from gateway.sandbox.refusals import refuse_value
from gateway.sandbox.text import count_tokens, rank, seed_of, write_vector

# cohere: the parameters of `embed` and `rerank` of both clients.
_V2_EMBED_FIELD_LIST = """
    model input_type texts images inputs max_tokens output_dimension embedding_types truncate priority
"""
_V1_EMBED_FIELD_LIST = "texts images model input_type embedding_types truncate"
_V2_RERANK_FIELD_LIST = "model query documents top_n max_tokens_per_doc relevant_spans priority"
_V1_RERANK_FIELD_LIST = "query documents model top_n rank_fields return_documents max_chunks_per_doc"
_EMBED_FIELDS = {
    "embed": frozenset(_V2_EMBED_FIELD_LIST.split()),
    "v1.embed": frozenset(_V1_EMBED_FIELD_LIST.split()),
}
_RERANK_FIELDS = {
    "rerank": frozenset(_V2_RERANK_FIELD_LIST.split()),
    "v1.rerank": frozenset(_V1_RERANK_FIELD_LIST.split()),
}

# docs.cohere.com/reference/embed ; docs.cohere.com/docs/how-does-cohere-pricing-work
TEXTS_MAX = 96
DOCUMENTS_PER_SEARCH = 100

_WIDTHS = (256, 512, 1024, 1536)
_WIDTH_DEFAULT = 256


class _EmbedRequest(msgspec.Struct, frozen=True):
    model: str
    texts: Annotated[list[str], Meta(min_length=1, max_length=TEXTS_MAX)]
    input_type: Literal["search_document", "search_query", "classification", "clustering", "image"] | None = None
    embedding_types: list[Literal["float", "int8", "uint8", "binary", "ubinary", "base64"]] | None = None
    output_dimension: int | None = None


def embed(call: Call) -> Answer:
    """v2 answers by type; v1 does if types were asked for, and else gives bare vectors."""
    request = read_request(call, _EmbedRequest, _EMBED_FIELDS[call.endpoint])
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "embeddings")
    if isinstance(model, Answer):
        return model
    width = request.output_dimension or _WIDTH_DEFAULT
    if width not in _WIDTHS:
        return refuse_value(call, "output_dimension", f"valid values are {_WIDTHS}")
    if request.input_type is None:
        return refuse_value(call, "input_type", "must be set for this model")
    return refuse_ignored(call, *OUTPUT_CONTROLS) or _embed(call, request, model, width)


def _embed(call: Call, request: _EmbedRequest, model: Model, width: int) -> Answer:
    vectors = [write_vector(seed_of(model.name, text), width) for text in request.texts]
    prompt = prompt_tokens(call.controls, count_tokens(request.texts))
    by_type = call.endpoint == "embed" or bool(request.embedding_types)
    types = request.embedding_types or ["float"]
    document: Json = {
        "id": id_of(call),
        "texts": request.texts,
        "embeddings": {name: [_cast(vector, name) for vector in vectors] for name in types} if by_type else vectors,
        "meta": meta_of(call, {"input_tokens": prompt.prompt}),
        "response_type": "embeddings_by_type" if by_type else "embeddings_floats",
    }
    charge = Charge(model, prompt, call.endpoint)
    return Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def _cast(vector: list[float], kind: str) -> object:
    """The vector in one of the types; eighths times eight are whole. Eight signs make a byte of a binary one."""
    if kind in ("float", "base64"):
        return encode_vector(vector, kind == "base64")
    offset = {"uint8": 128, "int8": 0}.get(kind)
    if offset is not None:
        return [int(number * 8) + offset for number in vector]
    packed = [int("".join("1" if n > 0 else "0" for n in vector[at : at + 8]), 2) for at in range(0, len(vector), 8)]
    return packed if kind == "ubinary" else [byte - 128 for byte in packed]


class _RerankRequest(msgspec.Struct, frozen=True):
    query: str
    documents: Annotated[list[str | Json], Meta(min_length=1, max_length=10_000)]
    model: str = "rerank-v3.5"
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool = False


def rerank(call: Call) -> Answer:
    """A search unit is a query with up to a hundred documents."""
    request = read_request(call, _RerankRequest, _RERANK_FIELDS[call.endpoint])
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "rerank")
    if isinstance(model, Answer):
        return model
    units = -(-len(request.documents) // DOCUMENTS_PER_SEARCH)
    results = [_result(request, index, score) for index, score in rank(request.query, request.documents)]
    document = {
        "id": id_of(call),
        "results": results[: request.top_n],
        "meta": meta_of(call, {"search_units": units}),
    }
    charge = Charge(model, Tokens(search_units=units), call.endpoint)
    ignored = refuse_ignored(call, *PROMPT_CONTROLS, *OUTPUT_CONTROLS)
    return ignored or Answer(200, (Piece(msgspec.json.encode(document)),), charge=charge)


def _result(request: _RerankRequest, index: int, score: float) -> Json:
    result: Json = {"index": index, "relevance_score": score}
    if not request.return_documents:
        return result
    given = request.documents[index]
    return {**result, "document": {"text": given} if isinstance(given, str) else given}
