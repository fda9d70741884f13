"""Owns Anthropic's messages and count_tokens: their rules, the message and its event pattern.

A stream's JSON is padded with spaces, as Anthropic pads it.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.anthropic import Json, body_of, refuse, refuse_control, refuse_fault, refuse_model
from gateway.sandbox.bill import Model, Tokens, find_model
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://docs.anthropic.com/en/api/messages
_FIELD_LIST = """
billing_policy cache_control compaction container context_management diagnostics fallbacks inference_geo max_tokens
mcp_servers messages metadata model output_config output_format service_tier speed stop_sequences stream system
temperature thinking tool_choice tools top_k top_p user_profile_id
"""
FIELDS = frozenset(_FIELD_LIST.split())
# https://docs.anthropic.com/en/api/messages-count-tokens
_COUNT_FIELD_LIST = """
cache_control context_management mcp_servers messages model output_config output_format speed system thinking
tool_choice tools
"""
COUNT_FIELDS = frozenset(_COUNT_FIELD_LIST.split())

# What a thinking model thinks when no control says how much.
THINKING_TOKENS_DEFAULT = 8
# The smallest budget the real service takes.
THINKING_BUDGET_MIN = 1024


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system"]
    content: str | Annotated[list[Json], Meta(min_length=1)]


class Thinking(msgspec.Struct, frozen=True):
    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: int | None = None


class Tool(msgspec.Struct, frozen=True):
    name: str


class ToolChoice(msgspec.Struct, frozen=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""


class CountRequest(msgspec.Struct, frozen=True):
    """The fields of count_tokens that matter here."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    system: str | list[Json] | None = None
    tools: list[Tool] | None = None

    @property
    def counted_tokens(self) -> int:
        contents = sum(3 + count_tokens(message.content) for message in self.messages)
        return 4 + contents + count_tokens(self.system) + sum(20 + count_tokens(tool.name) for tool in self.tools or ())


class MessagesRequest(CountRequest, frozen=True, kw_only=True):
    """The fields that change the answer; the other known ones are accepted and mean nothing here."""

    max_tokens: Annotated[int, Meta(ge=1)]
    stream: bool = False
    thinking: Thinking | None = None
    tool_choice: ToolChoice | None = None

    @property
    def thinks(self) -> bool:
        return self.thinking is not None and self.thinking.type != "disabled"

    @property
    def called_tool(self) -> str:
        """The tool the model must call; empty if it may answer in words, which it then does."""
        if self.tool_choice is None or not self.tools:
            return ""
        named = {"any": self.tools[0].name, "tool": self.tool_choice.name}
        return named.get(self.tool_choice.type, "")


class _Writing(msgspec.Struct, frozen=True):
    """One accepted message: all that its answer is made of."""

    call: Call
    request: MessagesRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def stop_reason(self) -> str:
        if self.budget.capped:
            return "max_tokens"
        return "tool_use" if self.request.called_tool else "end_turn"

    def prompt_usage(self) -> Json:
        """Input tokens exclude those read from and written to the cache."""
        return {
            "input_tokens": self.prompt.input,
            "cache_creation_input_tokens": self.prompt.cache_write + self.prompt.cache_write_1h,
            "cache_read_input_tokens": self.prompt.cache_read,
        }

    def output_usage(self) -> Json:
        """Thinking is part of the output tokens."""
        usage: Json = {"output_tokens": self.budget.visible + self.budget.reasoning}
        if self.request.thinks:
            usage["output_tokens_details"] = {"thinking_tokens": self.budget.reasoning}
        return usage

    def cache_creation(self) -> Json:
        return {
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.prompt.cache_write,
                "ephemeral_1h_input_tokens": self.prompt.cache_write_1h,
            }
        }

    def message(self, content: list[Json], stop_reason: str | None, usage: Json) -> Json:
        return {
            "model": self.model.version,
            "id": "msg_01" + self.call.id_hex(self.seed)[2:],
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {
                **self.prompt_usage(),
                **self.cache_creation(),
                **usage,
                "service_tier": "standard",
                "inference_geo": "global",
            },
        }

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def thoughts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + b"t", self.budget.reasoning, self.call.controls.chunk_tokens)

    @property
    def signature(self) -> str:
        return self.seed.hex()


def messages(call: Call) -> Answer:
    request = read_body(MessagesRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    model = find_model(request.model, "anthropic", "chat")
    if model is None:
        return refuse_model(call, request.model)
    return _refuse_thinking(call, request) or _answer(_accept(call, request, model))


def _refuse_thinking(call: Call, request: MessagesRequest) -> Answer | None:
    """A thinking budget is at least 1024 and leaves room for an answer; a control for thinking needs thinking."""
    if request.thinking is None or not request.thinks:
        if call.controls.reasoning_tokens:
            return refuse_control(call, "x-sandbox-reasoning-tokens: the request does not enable thinking")
        return None
    budget = request.thinking.budget_tokens
    if request.thinking.type == "enabled" and budget is None:
        return refuse(call, 400, "invalid_request_error", "thinking.enabled.budget_tokens: Field required")
    if budget is not None and budget < THINKING_BUDGET_MIN:
        message = f"thinking.enabled.budget_tokens: Input should be greater than or equal to {THINKING_BUDGET_MIN}"
        return refuse(call, 400, "invalid_request_error", message)
    if budget is not None and budget >= request.max_tokens:
        message = "`max_tokens` must be greater than `thinking.budget_tokens`."
        return refuse(call, 400, "invalid_request_error", message)
    return None


def _accept(call: Call, request: MessagesRequest, model: Model) -> _Writing:
    thoughts = (call.controls.reasoning_tokens or THINKING_TOKENS_DEFAULT) if request.thinks else 0
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.system, request.messages, request.called_tool),
        prompt=prompt_tokens(call.controls, request.counted_tokens),
        budget=output_budget(call.controls, request.max_tokens, thoughts),
    )


def _answer(writing: _Writing) -> Answer:
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if not writing.request.stream:
        message = writing.message(_content(writing), writing.stop_reason, writing.output_usage())
        return Answer(200, (Piece(body_of(message), writing.budget.visible, writing.budget.reasoning),), charge=charge)
    return Answer(
        200,
        _stream(writing),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=charge,
        error_event=_event("error", error={"type": "api_error", "message": "Internal server error"}),
    )


def _content(writing: _Writing) -> list[Json]:
    text = "".join(text for text, _ in writing.texts())
    if writing.request.called_tool:
        block: Json = {**_tool_use(writing), "input": {"text": text}}
    else:
        block = {"type": "text", "text": text}
    if not writing.request.thinks:
        return [block]
    thinking = "".join(text for text, _ in writing.thoughts())
    return [{"type": "thinking", "thinking": thinking, "signature": writing.signature}, block]


def _tool_use(writing: _Writing) -> Json:
    identifier = "toolu_01" + writing.seed.hex()[:22]
    return {"type": "tool_use", "id": identifier, "name": writing.request.called_tool, "input": {}}


def _event(kind: str, **members: object) -> bytes:
    """An event padded before its last brace, by a length that is its own."""
    data = msgspec.json.encode({"type": kind, **members})
    padding = b" " * (len(data) % 7)
    return b"event: %b\ndata: %b%b}\n\n" % (kind.encode(), data[:-1], padding)


_PING = b'event: ping\ndata: {"type": "ping"}\n\n'


def _stream(writing: _Writing) -> Iterator[Piece]:
    """Thinking first if there is any, then the text or the tool's input; usage at both ends, the last decides."""
    started = writing.message([], None, {"output_tokens": 1})
    yield Piece(_event("message_start", message=started))
    index = 0
    if writing.request.thinks:
        yield from _stream_thinking(writing)
        index = 1
    yield from _stream_block(writing, index)
    delta = {"stop_reason": writing.stop_reason, "stop_sequence": None}
    usage = {**writing.prompt_usage(), **writing.output_usage()}
    yield Piece(_event("message_delta", delta=delta, usage=usage))
    yield Piece(_event("message_stop"))


def _delta(index: int, kind: str, **members: object) -> bytes:
    return _event("content_block_delta", index=index, delta={"type": kind, **members})


def _stream_thinking(writing: _Writing) -> Iterator[Piece]:
    block = {"type": "thinking", "thinking": "", "signature": ""}
    yield Piece(_event("content_block_start", index=0, content_block=block))
    for text, tokens in writing.thoughts():
        yield Piece(_delta(0, "thinking_delta", thinking=text), 0, tokens)
    yield Piece(_delta(0, "signature_delta", signature=writing.signature))
    yield Piece(_event("content_block_stop", index=0))


def _stream_block(writing: _Writing, index: int) -> Iterator[Piece]:
    called = bool(writing.request.called_tool)
    block: Json = _tool_use(writing) if called else {"type": "text", "text": ""}
    yield Piece(_event("content_block_start", index=index, content_block=block))
    yield Piece(_PING)
    if called:
        yield Piece(_delta(index, "input_json_delta", partial_json='{"text": "'))
    for text, tokens in writing.texts():
        delta = {"partial_json": text} if called else {"text": text}
        yield Piece(_delta(index, "input_json_delta" if called else "text_delta", **delta), tokens)
    if called:
        yield Piece(_delta(index, "input_json_delta", partial_json='"}'))
    yield Piece(_event("content_block_stop", index=index))


def tokens_count(call: Call) -> Answer:
    """What a message with this input would be billed for its input; free."""
    request = read_body(CountRequest, call.request.body, COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    if find_model(request.model, "anthropic", "chat") is None:
        return refuse_model(call, request.model)
    counted = prompt_tokens(call.controls, request.counted_tokens)
    return Answer(200, (Piece(body_of({"input_tokens": counted.prompt})),))
