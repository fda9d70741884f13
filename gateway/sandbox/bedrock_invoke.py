"""Owns InvokeModel, its stream and CountTokens: what goes around a model's own body."""

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bedrock import (
    STREAM_FAILURE,
    Json,
    body_of,
    padding_of,
    refuse_fault,
    refuse_request,
    resolve,
)
from gateway.sandbox.bedrock_converse import LATENCY_MS, ConverseRequest
from gateway.sandbox.bedrock_native import Native, read_native
from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens, read_body
from gateway.sandbox.eventstream import CONTENT_TYPE, event_message
from gateway.sandbox.text import seed_of

COUNT_FIELDS = frozenset(("input",))


def _read(call: Call) -> tuple[Model, Native] | Answer:
    model = resolve(call, "chat")
    if isinstance(model, Answer):
        embedder = resolve(call, "embeddings")
        if isinstance(embedder, Answer):
            return model
        model = embedder
    native = read_native(call, call.request.body, model)
    return native if isinstance(native, Answer) else (model, native)


def invoke(call: Call) -> Answer:
    read = _read(call)
    if isinstance(read, Answer):
        return read
    model, native = read
    piece = Piece(body_of(native.whole), native.budget.visible, native.budget.reasoning)
    charge = Charge(model, native.prompt, call.endpoint)
    return Answer(200, (piece,), charge=charge, headers=(*_counts(native), *_tier(call)))


def _counts(native: Native) -> Iterator[tuple[str, str]]:
    """The headers that name what was consumed. An embedding has no output."""
    prompt, budget = native.prompt, native.budget
    yield "x-amzn-bedrock-invocation-latency", str(LATENCY_MS)
    yield "x-amzn-bedrock-input-token-count", str(prompt.input)
    if native.events is not None:
        yield "x-amzn-bedrock-output-token-count", str(budget.visible + budget.reasoning)
    if native.counts_cache:
        yield "x-amzn-bedrock-cache-read-input-token-count", str(prompt.cache_read)
        yield "x-amzn-bedrock-cache-write-input-token-count", str(prompt.cache_write + prompt.cache_write_1h)


def _tier(call: Call) -> tuple[tuple[str, str], ...]:
    """One tier serves every call, whichever was asked for."""
    return (
        (("x-amzn-bedrock-service-tier", "default"),) if "x-amzn-bedrock-service-tier" in call.request.headers else ()
    )


def stream(call: Call) -> Answer:
    read = _read(call)
    if isinstance(read, Answer):
        return read
    model, native = read
    if native.events is None:
        return refuse_request("The model is unsupported for streaming.")
    return Answer(
        200,
        _frames(call, native),
        CONTENT_TYPE,
        stream=True,
        charge=Charge(model, native.prompt, call.endpoint),
        headers=(("x-amzn-bedrock-content-type", "application/json"), *_tier(call)),
        error_event=STREAM_FAILURE,
    )


def _frames(call: Call, native: Native) -> Iterator[Piece]:
    """One event behind, since the last carries what the invocation consumed."""
    assert native.events is not None
    seed = seed_of(call.path_model)
    events = iter(native.events)
    held = next(events)
    for event in events:
        yield Piece(_frame(seed, held.document), held.output, held.reasoning)
        held = event
    document = {**held.document, "amazon-bedrock-invocationMetrics": _metrics(native)}
    yield Piece(_frame(seed, document), held.output, held.reasoning)


def _metrics(native: Native) -> Json:
    metrics: Json = {
        "inputTokenCount": native.prompt.input,
        "outputTokenCount": native.budget.visible + native.budget.reasoning,
        "invocationLatency": LATENCY_MS,
        "firstByteLatency": LATENCY_MS,
    }
    if native.counts_cache:
        metrics["cacheReadInputTokenCount"] = native.prompt.cache_read
        metrics["cacheWriteInputTokenCount"] = native.prompt.cache_write + native.prompt.cache_write_1h
    return metrics


def _frame(seed: bytes, document: Json) -> bytes:
    encoded = base64.b64encode(body_of(document))
    return event_message("chunk", body_of({"bytes": encoded.decode(), "p": padding_of(seed, encoded)}))


class InvokeInput(msgspec.Struct, frozen=True):
    body: Annotated[str, Meta(min_length=1)]


class CountInput(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    converse: ConverseRequest | None = None
    invoke_model: InvokeInput | None = None


class CountRequest(msgspec.Struct, frozen=True):
    input: CountInput


def tokens_count(call: Call) -> Answer:
    """What either call would be billed for its input; free."""
    model = resolve(call, "chat")
    if isinstance(model, Answer):
        return model
    request = read_body(CountRequest, call.request.body, COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    asked = request.input
    if (asked.converse is None) == (asked.invoke_model is None):
        return refuse_request("Exactly one of the members of the union input must be set.")
    if asked.converse:
        return _counted(prompt_tokens(call.controls, asked.converse.counted_tokens).prompt)
    assert asked.invoke_model is not None
    try:
        body = base64.b64decode(asked.invoke_model.body, validate=True)
    except binascii.Error:
        return refuse_request("input.invokeModel.body is not base64.")
    native = read_native(call, body, model)
    return native if isinstance(native, Answer) else _counted(native.prompt.prompt)


def _counted(tokens: int) -> Answer:
    return Answer(200, (Piece(body_of({"inputTokens": tokens})),))
