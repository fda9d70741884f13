"""Owns the Responses API, OpenAI's and Azure's: its response object, its events and its input-token count."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.openai import (
    SERVICE_TIER,
    Json,
    body_of,
    event_of,
    padding_of,
    refuse,
    refuse_control,
    refuse_fault,
    resolve,
)
from gateway.sandbox.openai_conversations import Conversation, find_conversation, kept_items
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://platform.openai.com/docs/api-reference/responses/create
_FIELD_LIST = """
background background_options context_management conversation include input instructions max_output_tokens
max_tool_calls metadata model moderation parallel_tool_calls previous_response_id prompt prompt_cache_key
prompt_cache_options prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options
temperature text tool_choice tools top_logprobs top_p truncation user
"""
FIELDS = frozenset(_FIELD_LIST.split())
_COUNT_FIELD_LIST = """
conversation input instructions model parallel_tool_calls personality previous_response_id reasoning text
tool_choice tools truncation
"""
COUNT_FIELDS = frozenset(_COUNT_FIELD_LIST.split())


class Tool(msgspec.Struct, frozen=True):
    type: str
    name: str = ""


class ResponsesStreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """There is no include_usage: a Responses stream always says what it used."""

    include_obfuscation: bool = True


class Named(msgspec.Struct, frozen=True):
    id: str


class ResponsesRequest(msgspec.Struct, frozen=True):
    input: str | Annotated[list[Json], Meta(min_length=1)]
    model: str = ""
    instructions: str | None = None
    stream: bool | None = None
    stream_options: ResponsesStreamOptions | None = None
    max_output_tokens: Annotated[int, Meta(ge=16)] | None = None
    background: bool | None = None
    store: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["none", "auto", "required"] | Tool | None = None
    previous_response_id: str | None = None
    conversation: str | Named | None = None

    @property
    def conversation_id(self) -> str:
        return self.conversation.id if isinstance(self.conversation, Named) else self.conversation or ""

    @property
    def called_tool(self) -> str:
        """The function the model must call; empty if it may answer in words, which it then does."""
        if isinstance(self.tool_choice, Tool):
            return self.tool_choice.name
        named = (tool.name for tool in self.tools or () if tool.type == "function")
        return next(named, "") if self.tool_choice == "required" else ""


class Writing(msgspec.Struct, frozen=True):
    """One accepted call: all that its answer is made of."""

    call: Call
    request: ResponsesRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget
    conversation: Conversation | None = None

    @property
    def id(self) -> str:
        return self.named("resp_")

    @property
    def tokens(self) -> Tokens:
        """All of it, output included."""
        return msgspec.structs.replace(self.prompt, output=self.budget.visible, reasoning=self.budget.reasoning)

    def named(self, prefix: str) -> str:
        return prefix + self.call.id_hex(self.seed) * 2

    def usage(self) -> Json:
        written = self.budget.visible + self.budget.reasoning
        return {
            "input_tokens": self.prompt.prompt,
            "input_tokens_details": {
                "cached_tokens": self.prompt.cache_read,
                "cache_write_tokens": self.prompt.cache_write,
            },
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": self.budget.reasoning},
            "total_tokens": self.prompt.prompt + written,
        }

    def texts(self) -> Iterator[tuple[str, int]]:
        """(text, tokens): the words, or a call's arguments, which are JSON around such words."""
        texts = write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)
        if not self.request.called_tool:
            yield from texts
            return
        yield '{"text":"', 0
        yield from texts
        yield '"}', 0

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.texts())


Status = Literal["queued", "in_progress", "completed", "incomplete", "cancelled"]


class Kept(msgspec.Struct):
    """A response that can be asked for again. One in the background moves on when it is."""

    writing: Writing
    status: Status
    polls_left: int = 0

    def document(self) -> Json:
        if self.status in ("queued", "in_progress", "cancelled"):
            return response_object(self.writing, self.status, [])
        return finished(self.writing)


def kept_responses(call: Call) -> Shelf[Kept]:
    return call.store.shelf(call.dialect, Kept)


def responses(call: Call) -> Answer:
    request = read_body(ResponsesRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    writing = _refuse(request) or _accept(call, request, model)
    return writing if isinstance(writing, Answer) else _answer(writing)


def _refuse(request: ResponsesRequest) -> Answer | None:
    if request.stream_options is not None and not request.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        return refuse(400, message, None, "stream_options")
    if request.background and request.store is False:
        return refuse(400, "Background mode requires store to be true.", None, "background")
    if request.previous_response_id and request.conversation:
        message = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'."
        return refuse(400, message, "mutually_exclusive_parameters")
    return None


def _accept(call: Call, request: ResponsesRequest, model: Model) -> Writing | Answer:
    """The writing, unless what it continues is not there."""
    before, conversation = 0, None
    if request.previous_response_id:
        previous = kept_responses(call).get(request.previous_response_id)
        if previous is None:
            message = f"Previous response with id '{request.previous_response_id}' not found."
            return refuse(400, message, "previous_response_not_found", "previous_response_id")
        before = previous.writing.prompt.prompt + previous.writing.budget.visible
    if request.conversation_id:
        conversation = find_conversation(call, request.conversation_id)
        if isinstance(conversation, Answer):
            return conversation
        before = count_tokens(conversation.texts())
    counted = 3 + before + count_tokens(request.instructions) + count_tokens(request.input)
    return Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(
            model.name, request.instructions, request.input, request.called_tool, request.previous_response_id
        ),
        prompt=prompt_tokens(call.controls, counted),
        budget=output_budget(call.controls, request.max_output_tokens),
        conversation=conversation,
    )


def _answer(writing: Writing) -> Answer:
    if writing.request.background and not writing.request.stream:
        return _queue(writing)
    _keep(writing, Kept(writing, "incomplete" if writing.budget.capped else "completed"))
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if not writing.request.stream:
        piece = Piece(body_of(finished(writing)), writing.budget.visible, writing.budget.reasoning)
        return Answer(200, (piece,), charge=charge)
    return stream_answer(writing, charge)


def _keep(writing: Writing, kept: Kept) -> None:
    if writing.request.store is not False:
        kept_responses(writing.call).put(writing.id, kept, len(writing.call.request.body))
    if writing.conversation:
        writing.conversation.add(kept_items(writing.request.input, writing.call.id_hex(writing.seed)))
        writing.conversation.add(finished(writing)["output"])  # pyright: ignore[reportArgumentType]


def _queue(writing: Writing) -> Answer:
    """It will be written, and billed, while its caller asks for it."""
    bucket = writing.model.unbillable(writing.prompt)
    if bucket:
        return refuse_control(writing.call, f"{writing.model.name} has no price for {bucket}")
    kept = Kept(writing, "queued", writing.call.controls.polls)
    _keep(writing, kept)
    return Answer(200, (Piece(body_of(kept.document())),))


def stream_answer(writing: Writing, charge: Charge, starting_after: int = -1) -> Answer:
    """Its events, or those behind one of them. In the background all is billed at once: nobody's leaving ends it."""
    if writing.request.background:
        charge = charge._replace(prompt=writing.tokens)
    return Answer(
        200,
        _after(writing, starting_after),
        content_type="text/event-stream; charset=utf-8",
        stream=True,
        charge=charge,
        error_event=_error_event(writing.call.controls.error_after_chunks or 0),
    )


def _after(writing: Writing, starting_after: int) -> Iterator[Piece]:
    """The pieces without the first so many; each of them is one event, numbered from 0."""
    pieces = islice(stream_pieces(writing), starting_after + 1, None)
    return (Piece(piece.data) for piece in pieces) if writing.request.background else pieces


def _error_event(sequence_number: int) -> bytes:
    message = "The server had an error while processing your request"
    document = {"type": "error", "code": "server_error", "message": message, "param": None}
    return event_of({**document, "sequence_number": sequence_number}, "error")


def response_object(writing: Writing, status: str, output: list[Json], **more: object) -> Json:
    request = writing.request
    return {
        "id": writing.named("resp_"),
        "object": "response",
        "created_at": writing.call.created_s,
        "status": status,
        "background": bool(request.background),
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": None,
        "model": writing.model.version,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": request.safety_identifier,
        "service_tier": SERVICE_TIER,
        "store": request.store is not False,
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto" if request.tool_choice is None else request.tool_choice,
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": request.user,
        "metadata": request.metadata or {},
        **({"conversation": {"id": request.conversation_id}} if request.conversation else {}),
        **more,
    }


def finished(writing: Writing) -> Json:
    output = [_item(writing, "completed", writing.text)]
    if writing.budget.reasoning:
        output.insert(0, _reasoning_item(writing))
    if writing.budget.capped:
        details = {"reason": "max_output_tokens"}
        return response_object(writing, "incomplete", output, incomplete_details=details, usage=writing.usage())
    return response_object(writing, "completed", output, usage=writing.usage())


def _reasoning_item(writing: Writing) -> Json:
    return {"id": writing.named("rs_"), "type": "reasoning", "summary": []}


def _part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _item(writing: Writing, status: str, text: str | None) -> Json:
    """The message, or the function call; `text` None: nothing of it is written yet."""
    if writing.request.called_tool:
        return {
            "id": writing.named("fc_"),
            "type": "function_call",
            "status": status,
            "arguments": text or "",
            "call_id": "call_" + writing.seed.hex()[:24],
            "name": writing.request.called_tool,
        }
    content = [] if text is None else [_part(text)]
    return {"id": writing.named("msg_"), "type": "message", "status": status, "content": content, "role": "assistant"}


class _Events:
    """Writes events with their running sequence number."""

    def __init__(self) -> None:
        self._numbers = count()

    def write(self, kind: str, **members: object) -> bytes:
        return event_of({"type": kind, **members, "sequence_number": next(self._numbers)}, kind)


def stream_pieces(writing: Writing) -> Iterator[Piece]:
    events = _Events()
    opened = response_object(writing, "in_progress", [])
    if writing.request.background:
        queued = response_object(writing, "queued", [])
        yield Piece(events.write("response.created", response=queued))
        yield Piece(events.write("response.queued", response=queued))
    else:
        yield Piece(events.write("response.created", response=opened))
    yield Piece(events.write("response.in_progress", response=opened))
    output_index = 0
    if writing.budget.reasoning:
        item = _reasoning_item(writing)
        added = events.write("response.output_item.added", output_index=0, item=item)
        yield Piece(added, 0, writing.budget.reasoning)
        yield Piece(events.write("response.output_item.done", output_index=0, item=item))
        output_index = 1
    item = _item(writing, "in_progress", None)
    yield Piece(events.write("response.output_item.added", output_index=output_index, item=item))
    write_content = _stream_arguments if writing.request.called_tool else _stream_message
    yield from write_content(writing, events, output_index)
    item = _item(writing, "completed", writing.text)
    yield Piece(events.write("response.output_item.done", output_index=output_index, item=item))
    document = finished(writing)
    yield Piece(events.write(f"response.{document['status']}", response=document))


def _stream_message(writing: Writing, events: _Events, output_index: int) -> Iterator[Piece]:
    where = {"item_id": writing.named("msg_"), "output_index": output_index, "content_index": 0}
    options = writing.request.stream_options or ResponsesStreamOptions()
    yield Piece(events.write("response.content_part.added", **where, part=_part("")))
    for text, tokens in writing.texts():
        padding = {"obfuscation": padding_of(writing.seed, text)} if options.include_obfuscation else {}
        delta = events.write("response.output_text.delta", **where, delta=text, logprobs=[], **padding)
        yield Piece(delta, tokens)
    yield Piece(events.write("response.output_text.done", **where, text=writing.text, logprobs=[]))
    yield Piece(events.write("response.content_part.done", **where, part=_part(writing.text)))


def _stream_arguments(writing: Writing, events: _Events, output_index: int) -> Iterator[Piece]:
    where = {"item_id": writing.named("fc_"), "output_index": output_index}
    for text, tokens in writing.texts():
        yield Piece(events.write("response.function_call_arguments.delta", **where, delta=text), tokens)
    name = writing.request.called_tool
    yield Piece(
        events.write("response.function_call_arguments.done", **where, name=name, arguments=writing.text),
    )


def input_tokens(call: Call) -> Answer:
    """What a response to this input would be billed for its input; free."""
    request = read_body(ResponsesRequest, call.request.body, COUNT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    writing = _accept(call, request, model)
    if isinstance(writing, Answer):
        return writing
    document = {"input_tokens": writing.prompt.prompt, "object": "response.input_tokens"}
    return Answer(200, (Piece(body_of(document)),))
