"""Owns chat/completions of the OpenAI-compatible providers: one writer, turned by their rows of quirks.

Mistral's fill-in-the-middle and agents answer in the same shape and come through here too.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Piece, output_budget, prompt_tokens
from gateway.sandbox.compatible import StreamOptions, read_request, refuse_stream_options, resolve
from gateway.sandbox.openai import DONE, event_of
from gateway.sandbox.openai_chat import Message, Tool
from gateway.sandbox.quirks import QUIRKS, Counted, Json, Quirks, reasons_in
from gateway.sandbox.refusals import error_event, refuse_value
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

_Count = Annotated[int, Meta(ge=1)]
Tools = Annotated[list[Tool], Meta(min_length=1)]

# What Perplexity's deep research did for one answer: as many searches, as many tokens of citations.
_RESEARCH_SEARCHES = 3
_RESEARCH_CITATION_TOKENS = 40


class Asked(msgspec.Struct, frozen=True):
    """What any operation that answers like chat may ask for."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    tools: Tools | None = None
    # Mistral says `any` for what the others call `required`.
    tool_choice: Literal["none", "auto", "required", "any"] | Tool | None = None

    @property
    def called_tool(self) -> str:
        """The function the model must call; empty if it may answer in words, which it then does."""
        if isinstance(self.tool_choice, Tool):
            return self.tool_choice.function.name
        return self.tools[0].function.name if self.tools and self.tool_choice in ("required", "any") else ""


class _ChatRequest(Asked, frozen=True, kw_only=True):
    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str


class Step(NamedTuple):
    """One chunk's part of a choice, and the tokens written for it."""

    delta: Json
    output: int = 0
    reasoning: int = 0
    finish: str | None = None


class Writing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    asked: Asked
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def quirks(self) -> Quirks:
        return QUIRKS[self.call.dialect]

    @property
    def choices(self) -> int:
        return self.asked.n or 1

    @property
    def finish_reason(self) -> str:
        if self.budget.capped:
            return "length"
        return "tool_calls" if self.asked.called_tool else self.quirks.stop

    def counted(self, output: int, reasoning: int) -> Counted:
        number = 0 if self.call.controls.frozen else self.call.serial
        return Counted(self.model, self.prompt, output, reasoning, number)

    def envelope(self, kind: str) -> Json:
        return {
            "id": self.quirks.id_prefix + self.call.id_hex(self.seed),
            "object": kind,
            "created": self.call.created_s,
            "model": self.model.version,
            **self.quirks.chunk,
        }

    def texts(self, index: int) -> Iterator[tuple[str, int]]:
        """(text, tokens): a choice's words, or a call's arguments, which are JSON around such words."""
        seed = self.seed + bytes((index,))
        words = write_chunks(seed, self.budget.visible, self.call.controls.chunk_tokens)
        return chain((('{"text":"', 0),), words, (('"}', 0),)) if self.asked.called_tool else words

    def thoughts(self, index: int) -> Iterator[tuple[str, int]]:
        seed = self.seed + b"thought" + bytes((index,))
        return write_chunks(seed, self.budget.reasoning, self.call.controls.chunk_tokens)

    def tool_call(self, index: int, arguments: str) -> Json:
        # Mistral's own ids have nine letters or digits.
        identifier = (self.seed + bytes((index,))).hex()[-9:]
        function = {"name": self.asked.called_tool, "arguments": arguments}
        return {"index": 0, "id": identifier, "type": "function", "function": function}


def chat(call: Call) -> Answer:
    request = read_request(call, _ChatRequest, QUIRKS[call.dialect].fields)
    if isinstance(request, Answer):
        return request
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    counted = 3 + sum(4 + count_tokens(message.content) for message in request.messages)
    return respond(call, request, model, seed_of(model.name, request.messages, request.called_tool), counted)


def respond(call: Call, asked: Asked, model: Model, seed: bytes, counted: int) -> Answer:
    """The answer in chat's shape to a prompt of so many tokens, or why there is none."""
    refusal = refuse_stream_options(call, bool(asked.stream), asked.stream_options) or _refuse(call, asked)
    if refusal:
        return refusal
    limit = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
    prompt = prompt_tokens(call.controls, counted)
    if "web_searches" in model.rates:
        prompt.web_searches, prompt.citation = _RESEARCH_SEARCHES, _RESEARCH_CITATION_TOKENS
    writing = Writing(call, asked, model, seed, prompt, output_budget(call.controls, limit))
    return _answer(writing)


def _refuse(call: Call, asked: Asked) -> Answer | None:
    most = QUIRKS[call.dialect].choices_max
    if asked.n is not None and asked.n > most:
        return refuse_value(call, "n", f"number must be at most {most}")
    if asked.tools is None and asked.tool_choice not in (None, "none", "auto"):
        return refuse_value(call, "tool_choice", "must not be set without tools")
    return None


def _answer(writing: Writing) -> Answer:
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if not writing.asked.stream:
        return Answer(200, (_whole(writing),), charge=charge)
    return Answer(
        200,
        _stream(writing),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=charge,
        error_event=error_event(writing.call),
    )


def _whole(writing: Writing) -> Piece:
    quirks = writing.quirks
    output, reasoning = writing.budget.visible * writing.choices, writing.budget.reasoning * writing.choices
    counted = writing.counted(output, reasoning)
    document = {
        **writing.envelope("chat.completion"),
        "choices": [_whole_choice(writing, index) for index in range(writing.choices)],
        "usage": quirks.usage(counted),
        **quirks.whole,
        # An answer in one piece has the beginning's members alone, if there are any.
        **(quirks.first(counted) or quirks.last(counted)),
    }
    return Piece(msgspec.json.encode(document), output, reasoning)


def _whole_choice(writing: Writing, index: int) -> Json:
    text = "".join(text for text, _ in writing.texts(index))
    message: Json = {"role": "assistant", "content": text}
    if writing.asked.called_tool:
        message |= {"content": None, "tool_calls": [writing.tool_call(index, text)]}
    thought = "".join(text for text, _ in writing.thoughts(index))
    if thought and writing.quirks.reasoning:
        message = _with_thought(writing.quirks, message, thought)
    return {"index": index, "message": message, **writing.quirks.choice, "finish_reason": writing.finish_reason}


def _with_thought(quirks: Quirks, message: Json, thought: str) -> Json:
    shown = reasons_in(quirks, thought)
    parts = shown.get("content")
    if not isinstance(parts, list):
        return {**message, **shown}
    said = [{"type": "text", "text": message["content"]}] if message["content"] else []
    return {**message, "content": [*parts, *said]}


def _steps(writing: Writing, index: int) -> Iterator[Step]:
    """One choice as its chunks have it: a beginning, hidden tokens, words or a call, an end."""
    quirks = writing.quirks
    role: Json = {"role": "assistant"} if quirks.opening is None else {}
    if quirks.opening is not None:
        yield Step(quirks.opening)
    for text, tokens in writing.thoughts(index) if quirks.reasoning else ():
        yield Step({**role, **reasons_in(quirks, text)}, reasoning=tokens)
    unseen = 0 if quirks.reasoning else writing.budget.reasoning
    for delta, tokens in _call_deltas(writing, index) if writing.asked.called_tool else _word_deltas(writing, index):
        yield Step({**role, **delta}, tokens, unseen)
        unseen = 0
    yield Step(quirks.closing, 0, unseen, writing.finish_reason)


def _word_deltas(writing: Writing, index: int) -> Iterator[tuple[Json, int]]:
    for text, tokens in writing.texts(index):
        yield {"content": text}, tokens


def _call_deltas(writing: Writing, index: int) -> Iterator[tuple[Json, int]]:
    if writing.quirks.calls_whole:
        arguments = "".join(text for text, _ in writing.texts(index))
        yield {"tool_calls": [writing.tool_call(index, arguments)]}, writing.budget.visible
        return
    yield {"tool_calls": [writing.tool_call(index, "")]}, 0
    for text, tokens in writing.texts(index):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}, tokens


class Telling(NamedTuple):
    """Where a stream's usage stands."""

    on: Literal["extra", "finish", "every", "nowhere"]
    extra: bool = False
    nulls: bool = False

    def of_chunk(self, quirks: Quirks, counted: Counted, ends: bool) -> Json:
        if self.on == "every" or (self.on == "finish" and ends):
            return {"usage": quirks.usage(counted)}
        return {"usage": None} if self.nulls else {}


def telling_of(call: Call, options: StreamOptions | None) -> Telling:
    quirks = QUIRKS[call.dialect]
    asks = options is not None and (quirks.bare_asks if options.include_usage is None else options.include_usage)
    if not asks and not quirks.unasked:
        return Telling("nowhere")
    extra = quirks.usage_on == "extra"
    if call.dialect == "vllm" and options is not None and options.continuous_usage_stats:
        return Telling("every", extra)
    return Telling(quirks.usage_on, extra, quirks.nulls)


def _stream(writing: Writing) -> Iterator[Piece]:
    """The chunks, then `[DONE]`, with the usage where this provider puts it."""
    quirks, telling = writing.quirks, telling_of(writing.call, writing.asked.stream_options)
    envelope = writing.envelope("chat.completion.chunk")
    steps = ((index, step) for index in range(writing.choices) for step in _steps(writing, index))
    counted = writing.counted(0, 0)
    for count, (index, step) in enumerate(steps):
        counted = counted._replace(visible=counted.visible + step.output, reasoning=counted.reasoning + step.reasoning)
        ends = bool(step.finish) and index == writing.choices - 1
        chunk = {**envelope, "choices": [_choice(quirks, index, step)], **telling.of_chunk(quirks, counted, ends)}
        if ends:
            chunk |= {"object": quirks.done_object, **quirks.last(counted)}
        elif count == 0:
            chunk |= quirks.first(counted)
        yield Piece((b"" if count else quirks.comment) + event_of(chunk), step.output, step.reasoning)
    if telling.extra:
        yield Piece(event_of({**envelope, "choices": [], "usage": quirks.usage(counted)}))
    yield Piece(DONE)


def _choice(quirks: Quirks, index: int, step: Step) -> Json:
    return {"index": index, "delta": step.delta, **quirks.choice, "finish_reason": step.finish}
