"""Owns embedContent and batchEmbedContents."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens
from gateway.sandbox.gemini import read, refuse_fault, resolve
from gateway.sandbox.google_json import CONTENT_TYPE, Json, pretty
from gateway.sandbox.text import count_tokens, seed_of, write_vector

# https://ai.google.dev/api/embeddings
FIELDS = frozenset(("model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig"))
BATCH_FIELDS = frozenset(("requests",))
DIMENSIONS_MAX = 3072

# At Gemini, the older model says nothing of what it counted: a meter must estimate.
MODELS_WITHOUT_USAGE = frozenset(("gemini-embedding-001",))


# Both spell it in their own way.
_DETAILS = {"gemini": "promptTokenDetails", "vertex": "promptTokensDetails"}


class Content(msgspec.Struct, frozen=True):
    parts: list[Json]


class EmbedRequest(msgspec.Struct, frozen=True, rename="camel"):
    content: Content
    output_dimensionality: Annotated[int, Meta(ge=1, le=DIMENSIONS_MAX)] = DIMENSIONS_MAX


class BatchRequest(msgspec.Struct, frozen=True):
    requests: Annotated[list[EmbedRequest], Meta(min_length=1, max_length=100)]


def embed(call: Call) -> Answer:
    model = resolve(call, "embeddings", "embedContent")
    if isinstance(model, Answer):
        return model
    request = read(EmbedRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    return _answer(call, model, [request], {"embedding": _embedding(model, request)})


def batch_embed(call: Call) -> Answer:
    model = resolve(call, "embeddings", "batchEmbedContents")
    if isinstance(model, Answer):
        return model
    batch = read(BatchRequest, call.request.body, BATCH_FIELDS)
    if isinstance(batch, Fault):
        return refuse_fault(batch)
    embeddings = [_embedding(model, request) for request in batch.requests]
    return _answer(call, model, batch.requests, {"embeddings": embeddings})


def _embedding(model: Model, request: EmbedRequest) -> Json:
    return {"values": write_vector(seed_of(model.name, request.content), request.output_dimensionality)}


def _answer(call: Call, model: Model, requests: list[EmbedRequest], document: Json) -> Answer:
    prompt = prompt_tokens(call.controls, sum(count_tokens(request.content.parts) for request in requests))
    if call.dialect == "vertex" or model.name not in MODELS_WITHOUT_USAGE:
        details = [{"modality": "TEXT", "tokenCount": prompt.prompt}]
        total = {"totalTokenCount": prompt.prompt} if call.dialect == "vertex" else {}
        document["usageMetadata"] = {"promptTokenCount": prompt.prompt, _DETAILS[call.dialect]: details, **total}
    return Answer(200, (Piece(pretty(document)),), CONTENT_TYPE, charge=Charge(model, prompt, call.endpoint))
