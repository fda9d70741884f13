"""Owns Cohere's chat: v2, whose stream is server-sent events, and v1, whose stream is a line of JSON each."""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Piece, output_budget, prompt_tokens
from gateway.sandbox.cohere import id_of
from gateway.sandbox.compatible import Json, read_request, resolve
from gateway.sandbox.openai import DONE, event_of
from gateway.sandbox.openai_chat import Tool
from gateway.sandbox.refusals import error_event, refuse_value
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# cohere: the parameters of ClientV2.chat and of Client.chat.
_V2_FIELD_LIST = """
    model messages stream tools strict_tools documents citation_options response_format safety_mode max_tokens
    stop_sequences temperature seed frequency_penalty presence_penalty k p logprobs tool_choice thinking priority
"""
_V2_FIELDS = frozenset(_V2_FIELD_LIST.split())
_V1_FIELD_LIST = """
    message model stream preamble chat_history conversation_id prompt_truncation connectors search_queries_only
    documents citation_quality temperature max_tokens max_input_tokens k p seed stop_sequences frequency_penalty
    presence_penalty raw_prompting tools tool_results force_single_step response_format safety_mode
"""
_V1_FIELDS = frozenset(_V1_FIELD_LIST.split())

# v1's own default; v2 must be told.
_V1_MODEL_DEFAULT = "command-r-08-2024"

# Tokens of its own template, which `tokens` counts and nobody is billed for: 483 to 541 in recordings.
_TEMPLATE_TOKENS = 496
_TEMPLATE_OUTPUT_TOKENS = 2


class _Message(msgspec.Struct, frozen=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[Json] | None = None


class _V2Request(msgspec.Struct, frozen=True):
    model: str
    messages: Annotated[list[_Message], Meta(min_length=1)]
    stream: bool = False
    tools: list[Tool] | None = None
    tool_choice: Literal["REQUIRED", "NONE"] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None

    @property
    def called_tool(self) -> str:
        return self.tools[0].function.name if self.tools and self.tool_choice == "REQUIRED" else ""


class _V1Request(msgspec.Struct, frozen=True):
    message: str
    model: str = _V1_MODEL_DEFAULT
    stream: bool = False
    preamble: str | None = None
    chat_history: list[Json] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None


class _Writing(msgspec.Struct, frozen=True):
    call: Call
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget
    called_tool: str = ""

    @property
    def finish_reason(self) -> str:
        if self.budget.capped:
            return "MAX_TOKENS"
        return "TOOL_CALL" if self.called_tool else "COMPLETE"

    def usage(self) -> Json:
        """What is billed, and what the model saw: its template and the tags around the answer are on the house."""
        written = self.budget.visible + self.budget.reasoning
        return {
            "billed_units": {"input_tokens": self.prompt.prompt, "output_tokens": written},
            "tokens": {
                "input_tokens": self.prompt.prompt + _TEMPLATE_TOKENS,
                "output_tokens": written + _TEMPLATE_OUTPUT_TOKENS,
            },
        }

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def thoughts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + b"thought", self.budget.reasoning, self.call.controls.chunk_tokens)

    def text(self) -> str:
        return "".join(text for text, _ in self.texts())

    def thought(self) -> str:
        return "".join(text for text, _ in self.thoughts())

    def charge(self) -> Charge:
        return Charge(self.model, self.prompt, self.call.endpoint)


def _accept(call: Call, model: Model, asked: object, counted: int, limit: int | None, called_tool: str) -> _Writing:
    prompt = prompt_tokens(call.controls, counted)
    return _Writing(call, model, seed_of(model.name, asked), prompt, output_budget(call.controls, limit), called_tool)


def chat_v2(call: Call) -> Answer:
    request = read_request(call, _V2Request, _V2_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    if request.tool_choice is not None and not request.tools:
        return refuse_value(call, "tool_choice", "tool_choice may only be set together with tools")
    counted = count_tokens([message.content for message in request.messages])
    writing = _accept(call, model, request.messages, counted, request.max_tokens, request.called_tool)
    if not request.stream:
        return Answer(200, (_whole_v2(writing),), charge=writing.charge())
    return Answer(
        200, _stream_v2(writing), "text/event-stream", stream=True, charge=writing.charge(),
        error_event=error_event(call),
    )  # fmt: skip


def _tool_call(writing: _Writing, arguments: str) -> Json:
    function = {"name": writing.called_tool, "arguments": arguments}
    return {"id": f"{writing.called_tool}_{writing.seed.hex()[:12]}", "type": "function", "function": function}


def _whole_v2(writing: _Writing) -> Piece:
    message: Json = {"role": "assistant"}
    if writing.called_tool:
        arguments = msgspec.json.encode({"text": writing.text()}).decode()
        message |= {"tool_plan": writing.thought(), "tool_calls": [_tool_call(writing, arguments)]}
    else:
        thinking = [{"type": "thinking", "thinking": writing.thought()}] if writing.budget.reasoning else []
        message["content"] = [*thinking, {"type": "text", "text": writing.text()}]
    document = {
        "id": id_of(writing.call),
        "message": message,
        "finish_reason": writing.finish_reason,
        "usage": writing.usage(),
    }
    return Piece(msgspec.json.encode(document), writing.budget.visible, writing.budget.reasoning)


def _event(kind: str, output: int = 0, reasoning: int = 0, **members: object) -> Piece:
    return Piece(event_of({"type": kind, **members}, kind), output, reasoning)


def _said(**content: str) -> Json:
    return {"message": {"content": content}}


def _stream_v2(writing: _Writing) -> Iterator[Piece]:
    opening: Json = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield _event("message-start", id=id_of(writing.call), delta={"message": opening})
    yield from _tool_events(writing) if writing.called_tool else _content_events(writing)
    yield _event("message-end", delta={"finish_reason": writing.finish_reason, "usage": writing.usage()})
    yield Piece(DONE)


def _content_events(writing: _Writing) -> Iterator[Piece]:
    index = 0
    if writing.budget.reasoning:
        yield _event("content-start", index=0, delta=_said(type="thinking", thinking=""))
        for text, tokens in writing.thoughts():
            yield _event("content-delta", 0, tokens, index=0, delta=_said(thinking=text))
        yield _event("content-end", index=0)
        index = 1
    yield _event("content-start", index=index, delta=_said(type="text", text=""))
    for text, tokens in writing.texts():
        yield _event("content-delta", tokens, 0, index=index, delta=_said(text=text))
    yield _event("content-end", index=index)


def _tool_events(writing: _Writing) -> Iterator[Piece]:
    """The plan is what the model thought; its words are the call's arguments."""
    for text, tokens in writing.thoughts():
        yield _event("tool-plan-delta", 0, tokens, delta={"message": {"tool_plan": text}})
    call = {"message": {"tool_calls": _tool_call(writing, "")}}
    yield _event("tool-call-start", index=0, delta=call)
    for text, tokens in (('{"text":"', 0), *writing.texts(), ('"}', 0)):
        arguments = {"message": {"tool_calls": {"function": {"arguments": text}}}}
        yield _event("tool-call-delta", tokens, 0, index=0, delta=arguments)
    yield _event("tool-call-end", index=0)


def chat_v1(call: Call) -> Answer:
    request = read_request(call, _V1Request, _V1_FIELDS)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    history = request.chat_history or []
    said = [request.preamble, *(turn.get("message") for turn in history), request.message]
    writing = _accept(call, model, said, count_tokens(said), request.max_tokens, "")
    if not request.stream:
        document = _document_v1(writing, request)
        piece = Piece(msgspec.json.encode(document), writing.budget.visible, writing.budget.reasoning)
        return Answer(200, (piece,), charge=writing.charge())
    return Answer(
        200, _stream_v1(writing, request), "application/stream+json", stream=True, charge=writing.charge(),
        error_event=b'{"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR"}\n',
    )  # fmt: skip


def _document_v1(writing: _Writing, request: _V1Request) -> Json:
    text = writing.text()
    turns = [{"role": "USER", "message": request.message}, {"role": "CHATBOT", "message": text}]
    return {
        "response_id": id_of(writing.call),
        "text": text,
        "generation_id": id_of(writing.call),
        "chat_history": [*(request.chat_history or []), *turns],
        "finish_reason": writing.finish_reason,
        "meta": {"api_version": {"version": "1"}, **writing.usage()},
    }


def _line(output: int = 0, reasoning: int = 0, **members: object) -> Piece:
    return Piece(msgspec.json.encode(members) + b"\n", output, reasoning)


def _stream_v1(writing: _Writing, request: _V1Request) -> Iterator[Piece]:
    """Hidden tokens are billed with the first line: v1 has nothing to show them in."""
    generation_id = id_of(writing.call)
    yield _line(0, writing.budget.reasoning, is_finished=False, event_type="stream-start", generation_id=generation_id)
    for text, tokens in writing.texts():
        yield _line(tokens, is_finished=False, event_type="text-generation", text=text)
    yield _line(
        is_finished=True,
        event_type="stream-end",
        response=_document_v1(writing, request),
        finish_reason=writing.finish_reason,
    )
