"""Owns chat/completions, OpenAI's and Azure's: its rules, its answer and its chunk pattern."""

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox import azure
from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.openai import (
    DONE,
    ERROR_EVENT,
    SERVICE_TIER,
    Json,
    StreamOptions,
    body_of,
    event_of,
    padding_of,
    refuse,
    refuse_fault,
    refuse_stream_options,
    resolve,
    usage_of,
)
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://platform.openai.com/docs/api-reference/chat/create
_FIELD_LIST = """
    messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens
    max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key
    prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed
    service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity
    web_search_options
"""
FIELDS = frozenset(_FIELD_LIST.split())

_Count = Annotated[int, Meta(ge=1)]


class Message(msgspec.Struct, frozen=True):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Json] | None = None
    name: str = ""
    tool_calls: object = None


class Function(msgspec.Struct, frozen=True):
    name: str


class Tool(msgspec.Struct, frozen=True):
    type: Literal["function"]
    function: Function


class ChatRequest(msgspec.Struct, frozen=True):
    """The fields that change the answer; the other known ones are accepted and mean nothing here."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    tools: Annotated[list[Tool], Meta(min_length=1)] | None = None
    tool_choice: Literal["none", "auto", "required"] | Tool | None = None

    @property
    def called_tool(self) -> str:
        """The function the model must call; empty if it may answer in words, which it then does."""
        if isinstance(self.tool_choice, Tool):
            return self.tool_choice.function.name
        return self.tools[0].function.name if self.tools and self.tool_choice == "required" else ""


class _Writing(msgspec.Struct, frozen=True):
    """One accepted chat call: all that its answer is made of."""

    call: Call
    request: ChatRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def choices(self) -> int:
        return self.request.n or 1

    @property
    def finish_reason(self) -> str:
        if self.budget.capped:
            return "length"
        return "tool_calls" if self.request.called_tool else "stop"

    def usage(self) -> Json:
        return usage_of(self.prompt, self.budget.visible * self.choices, self.budget.reasoning * self.choices)

    def envelope(self, kind: str) -> Json:
        return {
            "id": "chatcmpl-" + self.call.id_hex(self.seed),
            "object": kind,
            "created": self.call.created_s,
            "model": self.model.version,
            "service_tier": SERVICE_TIER,
            "system_fingerprint": "fp_5a4db0c5a4",
        }


def chat(call: Call) -> Answer:
    request = read_body(ChatRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    refusal = refuse_stream_options(call, bool(request.stream), request.stream_options) or _refuse(request, model)
    return refusal or _answer(_accept(call, request, model))


def _refuse(request: ChatRequest, model: Model) -> Answer | None:
    """What this model does not take."""
    if request.max_tokens is not None and model.name.startswith("gpt-5"):
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. "
        return refuse(400, message + "Use 'max_completion_tokens' instead.", "unsupported_parameter", "max_tokens")
    if request.tools is None and request.tool_choice not in (None, "none"):
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
        return refuse(400, message, None, "tool_choice")
    return None


def _accept(call: Call, request: ChatRequest, model: Model) -> _Writing:
    counted = 3 + sum(4 + count_tokens(message.content) for message in request.messages)
    limit = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.messages, request.called_tool),
        prompt=prompt_tokens(call.controls, counted),
        budget=output_budget(call.controls, limit),
    )


def _answer(writing: _Writing) -> Answer:
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if writing.request.stream:
        return Answer(
            200,
            _stream(writing),
            content_type="text/event-stream; charset=utf-8",
            stream=True,
            charge=charge,
            error_event=ERROR_EVENT,
        )
    return Answer(200, (_whole(writing),), charge=charge)


def _choice_seed(writing: _Writing, index: int) -> bytes:
    return writing.seed + bytes((index,))


def _tool_call(writing: _Writing, index: int, arguments: str) -> Json:
    identifier = "call_" + _choice_seed(writing, index).hex()[-24:]
    function = {"name": writing.request.called_tool, "arguments": arguments}
    return {"id": identifier, "type": "function", "function": function}


def _texts(writing: _Writing, index: int) -> Iterator[tuple[str, int]]:
    """(text, tokens): a choice's words, or a call's arguments, which are JSON around such words."""
    texts = write_chunks(_choice_seed(writing, index), writing.budget.visible, writing.call.controls.chunk_tokens)
    if not writing.request.called_tool:
        yield from texts
        return
    yield '{"text":"', 0
    yield from texts
    yield '"}', 0


def _whole(writing: _Writing) -> Piece:
    document = {
        **writing.envelope("chat.completion"),
        "choices": [_whole_choice(writing, index) for index in range(writing.choices)],
        "usage": writing.usage(),
    }
    if writing.call.dialect == "azure":
        document = azure.dress(document, first=True)
    output, reasoning = writing.budget.visible * writing.choices, writing.budget.reasoning * writing.choices
    return Piece(body_of(document), output, reasoning)


def _whole_choice(writing: _Writing, index: int) -> Json:
    text = "".join(text for text, _ in _texts(writing, index))
    message: Json = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if writing.request.called_tool:
        message |= {"content": None, "tool_calls": [_tool_call(writing, index, text)]}
    return {"index": index, "message": message, "logprobs": None, "finish_reason": writing.finish_reason}


def _deltas(writing: _Writing, index: int) -> Iterator[tuple[Json, str, int]]:
    """(delta, text whose length padding hides, tokens) of one choice, its finish excepted."""
    if not writing.request.called_tool:
        yield {"role": "assistant", "content": "", "refusal": None}, "", 0
        for text, tokens in _texts(writing, index):
            yield {"content": text}, text, tokens
        return
    yield {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_tool_call(writing, index, "")}]}, "", 0
    for text, tokens in _texts(writing, index):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, text, tokens


def _stream(writing: _Writing) -> Iterator[Piece]:
    """The chunks, then `[DONE]`. `usage` is on them only when it was asked for: null, and once in an extra chunk."""
    write = _chunk_writer(writing)
    if writing.call.dialect == "azure":
        yield Piece(event_of(azure.PROMPT_FILTER_CHUNK))
    for index in range(writing.choices):
        reasoning = writing.budget.reasoning
        for delta, text, tokens in _deltas(writing, index):
            yield Piece(write([_choice(index, delta, None)], None, text), tokens, reasoning)
            reasoning = 0
        yield Piece(write([_choice(index, {}, writing.finish_reason)], None, ""))
        if writing.call.controls.async_filter:
            said = sum(len(text) for text, _ in _texts(writing, index))
            yield Piece(event_of(azure.filter_chunk(index, said)))
    if writing.request.stream_options and writing.request.stream_options.include_usage:
        yield Piece(write([], writing.usage(), ""))
    yield Piece(DONE)


def _choice(index: int, delta: Json, finish_reason: str | None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chunk_writer(writing: _Writing) -> Callable[[list[Json], Json | None, str], bytes]:
    """Writes one chunk from its choices, its usage and the text its padding hides."""
    options = writing.request.stream_options or StreamOptions()
    envelope = writing.envelope("chat.completion.chunk")
    azured, judged = writing.call.dialect == "azure", not writing.call.controls.async_filter

    def write(choices: list[Json], usage: Json | None, text: str) -> bytes:
        chunk: Json = {**envelope, "choices": choices}
        if options.include_usage:
            chunk["usage"] = usage
        if options.include_obfuscation:
            chunk["obfuscation"] = padding_of(writing.seed, text)
        return event_of(azure.dress(chunk, judged=judged) if azured else chunk)

    return write
