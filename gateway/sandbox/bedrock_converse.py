"""Owns Converse and ConverseStream: their rules, the answer in one piece and its events."""

from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gateway.sandbox.bedrock import (
    STREAM_FAILURE,
    Json,
    body_of,
    padding_of,
    refuse_control,
    refuse_fault,
    refuse_request,
    resolve,
)
from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.eventstream import CONTENT_TYPE, event_message
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_RequestBody
_FIELD_LIST = """
additionalModelRequestFields additionalModelResponseFieldPaths guardrailConfig inferenceConfig messages outputConfig
performanceConfig projectIdentifier promptVariables requestMetadata serviceTier system toolConfig
"""
FIELDS = frozenset(_FIELD_LIST.split())

# A simulated model's, which takes no time of its own.
LATENCY_MS = 400
# What a thinking model thinks when no control says how much.
THINKING_TOKENS_DEFAULT = 8
# These think without being asked to.
ALWAYS_THINKS = ("openai.gpt-oss",)


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: list[Json]


class InferenceConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: list[str] = []


class ToolSpec(msgspec.Struct, frozen=True):
    name: str


class Tool(msgspec.Struct, frozen=True, rename="camel"):
    tool_spec: ToolSpec | None = None


class ToolChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    auto: Json | None = None
    any: Json | None = None
    tool: ToolSpec | None = None


class ToolConfig(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    tools: Annotated[list[Tool], Meta(min_length=1)]
    tool_choice: ToolChoice = ToolChoice()


class Thinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "adaptive", "disabled"] = "disabled"


class ModelFields(msgspec.Struct, frozen=True):
    """What goes past Converse to the model itself."""

    thinking: Thinking = Thinking()


class ServiceTier(msgspec.Struct, frozen=True):
    type: Literal["priority", "default", "flex", "reserved"]


class ConverseRequest(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The fields that change the answer; the other known ones are accepted and mean nothing here."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    system: list[Json] = []
    inference_config: InferenceConfig = InferenceConfig()
    tool_config: ToolConfig | None = None
    additional_model_request_fields: ModelFields = ModelFields()
    service_tier: ServiceTier | None = None

    @property
    def counted_tokens(self) -> int:
        contents = sum(3 + count_tokens(message.content) for message in self.messages)
        return 4 + contents + count_tokens(self.system)

    @property
    def called_tool(self) -> str:
        """The tool the model must call; empty if it may answer in words, which it then does."""
        if self.tool_config is None:
            return ""
        choice = self.tool_config.tool_choice
        if choice.tool:
            return choice.tool.name
        named = (tool.tool_spec.name for tool in self.tool_config.tools if tool.tool_spec)
        return next(named, "") if choice.any is not None else ""

    def thinks(self, model: Model) -> bool:
        asked = self.additional_model_request_fields.thinking.type != "disabled"
        return model.name.startswith(ALWAYS_THINKS) or (asked and "anthropic.claude" in model.name)


class _Event(NamedTuple):
    kind: str
    document: Json
    output: int = 0
    reasoning: int = 0


class _Writing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    request: ConverseRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def stop_reason(self) -> str:
        if self.budget.capped:
            return "max_tokens"
        return "tool_use" if self.request.called_tool else "end_turn"

    @property
    def charge(self) -> Charge:
        return Charge(self.model, self.prompt, self.call.endpoint)

    @property
    def tool_use(self) -> Json:
        return {"toolUseId": "tooluse_" + self.seed.hex()[:22], "name": self.request.called_tool}

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def thoughts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + b"t", self.budget.reasoning, self.call.controls.chunk_tokens)

    def closing(self) -> Json:
        """What ends either form. One tier serves every call, whichever was asked for."""
        document: Json = {"metrics": {"latencyMs": LATENCY_MS}, "usage": usage_of(self.prompt, self.budget)}
        if self.request.service_tier:
            document["serviceTier"] = {"type": "default"}
        return document


def usage_of(prompt: Tokens, budget: Budget) -> Json:
    """Input tokens exclude the cache's, which the total has; two names for each, as the service sends them."""
    written = prompt.cache_write + prompt.cache_write_1h
    output = budget.visible + budget.reasoning
    usage: Json = {
        "inputTokens": prompt.input,
        "outputTokens": output,
        "totalTokens": prompt.prompt + output,
        "cacheReadInputTokens": prompt.cache_read,
        "cacheReadInputTokenCount": prompt.cache_read,
        "cacheWriteInputTokens": written,
        "cacheWriteInputTokenCount": written,
        "serverToolUsage": {},
    }
    by_age = (("5m", prompt.cache_write), ("1h", prompt.cache_write_1h))
    if written:
        usage["cacheDetails"] = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in by_age if tokens]
    return usage


def _read(call: Call) -> _Writing | Answer:
    """The accepted call, or its refusal."""
    model = resolve(call, "chat")
    if isinstance(model, Answer):
        return model
    request = read_body(ConverseRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if request.messages[0].role != "user":
        message = "A conversation must start with a user message. Try again with a conversation that starts with one."
        return refuse_request(message)
    thinks = request.thinks(model)
    if call.controls.reasoning_tokens and not thinks:
        return refuse_control(call, "x-sandbox-reasoning-tokens: the request does not enable thinking")
    thoughts = (call.controls.reasoning_tokens or THINKING_TOKENS_DEFAULT) if thinks else 0
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.system, request.messages, request.called_tool),
        prompt=prompt_tokens(call.controls, request.counted_tokens),
        budget=output_budget(call.controls, request.inference_config.max_tokens, thoughts),
    )


def converse(call: Call) -> Answer:
    writing = _read(call)
    if isinstance(writing, Answer):
        return writing
    message = {"role": "assistant", "content": _content(writing)}
    document = {"output": {"message": message}, "stopReason": writing.stop_reason, **writing.closing()}
    piece = Piece(_sorted(document), writing.budget.visible, writing.budget.reasoning)
    return Answer(200, (piece,), charge=writing.charge)


def _content(writing: _Writing) -> list[Json]:
    text = "".join(text for text, _ in writing.texts())
    block: Json = {"text": text}
    if writing.request.called_tool:
        block = {"toolUse": {**writing.tool_use, "input": {"text": text}}}
    thinking: Json = {"text": "".join(text for text, _ in writing.thoughts())}
    if "anthropic" in writing.model.name:
        thinking["signature"] = writing.seed.hex()
    return [*([{"reasoningContent": {"reasoningText": thinking}}] if writing.budget.reasoning else []), block]


def stream(call: Call) -> Answer:
    writing = _read(call)
    if isinstance(writing, Answer):
        return writing
    return Answer(
        200,
        (_frame(writing, *event) for event in _events(writing)),
        CONTENT_TYPE,
        stream=True,
        charge=writing.charge,
        error_event=STREAM_FAILURE,
    )


def _sorted(document: Json) -> bytes:
    """As the service writes it: members by name."""
    return msgspec.json.encode(document, order="sorted")


def _frame(writing: _Writing, kind: str, document: Json, output: int, reasoning: int) -> Piece:
    padding = padding_of(writing.seed, body_of(document))
    return Piece(event_message(kind, _sorted({**document, "p": padding})), output, reasoning)


def _events(writing: _Writing) -> Iterator[_Event]:
    """Only a tool's block is announced; usage comes after the stop."""
    yield _Event("messageStart", {"role": "assistant"})
    index = 0
    if writing.budget.reasoning:
        yield from _thinking_events(writing)
        index = 1
    called = bool(writing.request.called_tool)
    if called:
        yield _Event("contentBlockStart", {"contentBlockIndex": index, "start": {"toolUse": writing.tool_use}})
        yield _delta(index, {"toolUse": {"input": '{"text": "'}})
    for text, tokens in writing.texts():
        yield _delta(index, {"toolUse": {"input": text}} if called else {"text": text})._replace(output=tokens)
    if called:
        yield _delta(index, {"toolUse": {"input": '"}'}})
    yield _Event("contentBlockStop", {"contentBlockIndex": index})
    yield _Event("messageStop", {"stopReason": writing.stop_reason})
    yield _Event("metadata", writing.closing())


def _delta(index: int, delta: Json) -> _Event:
    return _Event("contentBlockDelta", {"contentBlockIndex": index, "delta": delta})


def _thinking_events(writing: _Writing) -> Iterator[_Event]:
    for text, tokens in writing.thoughts():
        yield _delta(0, {"reasoningContent": {"text": text}})._replace(reasoning=tokens)
    if "anthropic" in writing.model.name:
        yield _delta(0, {"reasoningContent": {"signature": writing.seed.hex()}})
    yield _Event("contentBlockStop", {"contentBlockIndex": 0})
