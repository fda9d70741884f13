"""Owns the older completions operation, OpenAI's and Azure's: a prompt in, text out."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.openai import (
    DONE,
    ERROR_EVENT,
    Json,
    StreamOptions,
    body_of,
    event_of,
    refuse_fault,
    refuse_stream_options,
    resolve,
    usage_of,
)
from gateway.sandbox.text import count_prompt, seed_of, split_prompts, write_chunks

# https://platform.openai.com/docs/api-reference/completions/create
_FIELD_LIST = """
best_of echo frequency_penalty logit_bias logprobs max_tokens model n presence_penalty prompt seed stop stream
stream_options suffix temperature top_p user
"""
FIELDS = frozenset(_FIELD_LIST.split())

# The operation's own default, unlike chat's.
MAX_TOKENS_DEFAULT = 16


class CompletionsRequest(msgspec.Struct, frozen=True):
    prompt: str | Annotated[list[str | int | list[int]], Meta(min_length=1)]
    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None


class _Writing(msgspec.Struct, frozen=True):
    call: Call
    request: CompletionsRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget
    choices: int

    def document(self, choices: list[Json], **more: object) -> Json:
        return {
            "id": "cmpl-" + self.call.id_hex(self.seed),
            "object": "text_completion",
            "created": self.call.created_s,
            "choices": choices,
            "model": self.model.version,
            **more,
        }

    def usage(self) -> Json:
        return usage_of(self.prompt, self.budget.visible * self.choices, self.budget.reasoning * self.choices)

    def texts(self, index: int) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + bytes((index,)), self.budget.visible, self.call.controls.chunk_tokens)

    @property
    def finish_reason(self) -> str:
        return "length" if self.budget.capped else "stop"


def completions(call: Call) -> Answer:
    request = read_body(CompletionsRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "completions")
    if isinstance(model, Answer):
        return model
    refusal = refuse_stream_options(call, bool(request.stream), request.stream_options)
    return refusal or _answer(_accept(call, request, model))


def _accept(call: Call, request: CompletionsRequest, model: Model) -> _Writing:
    prompts = split_prompts(request.prompt)
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.prompt),
        prompt=prompt_tokens(call.controls, sum(map(count_prompt, prompts))),
        budget=output_budget(call.controls, request.max_tokens or MAX_TOKENS_DEFAULT),
        choices=len(prompts) * (request.n or 1),
    )


def _answer(writing: _Writing) -> Answer:
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if writing.request.stream:
        return Answer(200, _stream(writing), "text/event-stream", stream=True, charge=charge, error_event=ERROR_EVENT)
    choices = [
        _choice(index, "".join(text for text, _ in writing.texts(index)), writing.finish_reason)
        for index in range(writing.choices)
    ]
    document = writing.document(choices, usage=writing.usage())
    output, reasoning = writing.budget.visible * writing.choices, writing.budget.reasoning * writing.choices
    return Answer(200, (Piece(body_of(document), output, reasoning),), charge=charge)


def _choice(index: int, text: str, finish_reason: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}


def _stream(writing: _Writing) -> Iterator[Piece]:
    """One event a piece of text and one for its finish; usage as chat has it, when asked for."""
    asked = writing.request.stream_options is not None and writing.request.stream_options.include_usage
    nothing: Json = {"usage": None} if asked else {}
    for index in range(writing.choices):
        reasoning = writing.budget.reasoning
        for text, tokens in writing.texts(index):
            yield Piece(event_of(writing.document([_choice(index, text, None)], **nothing)), tokens, reasoning)
            reasoning = 0
        last = writing.document([_choice(index, "", writing.finish_reason)], **nothing)
        yield Piece(event_of(last), 0, reasoning)
    if asked:
        yield Piece(event_of(writing.document([], usage=writing.usage())))
    yield Piece(DONE)
