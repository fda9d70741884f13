"""Owns the older completions operation where Together, vLLM, llama.cpp and Ollama have it: a prompt in, text out."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Budget, Call, Charge, Piece, output_budget, prompt_tokens
from gateway.sandbox.compatible import StreamOptions, read_request, refuse_stream_options, resolve
from gateway.sandbox.compatible_chat import telling_of
from gateway.sandbox.openai import DONE, event_of
from gateway.sandbox.quirks import QUIRKS, Counted, Json
from gateway.sandbox.refusals import error_event
from gateway.sandbox.text import count_prompt, seed_of, split_prompts, write_chunks


class _CompletionsRequest(msgspec.Struct, frozen=True):
    model: str
    prompt: str | Annotated[list[str | int | list[int]], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None


class _Writing(msgspec.Struct, frozen=True):
    call: Call
    request: _CompletionsRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget
    choices: int

    def document(self, choices: list[Json], **more: object) -> Json:
        return {
            "id": "cmpl-" + self.call.id_hex(self.seed),
            # Together's is spelt with a full stop.
            "object": "text.completion" if self.call.dialect == "together" else "text_completion",
            "created": self.call.created_s,
            "model": self.model.version,
            "choices": choices,
            **more,
        }

    def counted(self, output: int, reasoning: int) -> Counted:
        return Counted(self.model, self.prompt, output, reasoning)

    def texts(self, index: int) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed + bytes((index,)), self.budget.visible, self.call.controls.chunk_tokens)

    @property
    def finish_reason(self) -> str:
        return "length" if self.budget.capped else "stop"


def completions(call: Call) -> Answer:
    request = read_request(call, _CompletionsRequest, None)
    if isinstance(request, Answer):
        return request
    # Servers of open weights complete with any model they serve.
    model = resolve(call, request.model, "completions", "chat")
    if isinstance(model, Answer):
        return model
    refusal = refuse_stream_options(call, bool(request.stream), request.stream_options)
    return refusal or _answer(_accept(call, request, model))


def _accept(call: Call, request: _CompletionsRequest, model: Model) -> _Writing:
    prompts = split_prompts(request.prompt)
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.prompt),
        prompt=prompt_tokens(call.controls, sum(map(count_prompt, prompts))),
        budget=output_budget(call.controls, request.max_tokens),
        choices=len(prompts) * (request.n or 1),
    )


def _answer(writing: _Writing) -> Answer:
    charge = Charge(writing.model, writing.prompt, writing.call.endpoint)
    if writing.request.stream:
        return Answer(
            200,
            _stream(writing),
            "text/event-stream",
            stream=True,
            charge=charge,
            error_event=error_event(writing.call),
        )
    choices = [
        _choice(index, "".join(text for text, _ in writing.texts(index)), writing.finish_reason)
        for index in range(writing.choices)
    ]
    output, reasoning = writing.budget.visible * writing.choices, writing.budget.reasoning * writing.choices
    quirks, counted = QUIRKS[writing.call.dialect], writing.counted(output, reasoning)
    document = writing.document(choices, usage=quirks.usage(counted), **quirks.whole, **quirks.last(counted))
    return Answer(200, (Piece(msgspec.json.encode(document), output, reasoning),), charge=charge)


def _choice(index: int, text: str, finish_reason: str | None) -> Json:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _steps(writing: _Writing) -> Iterator[tuple[Json, int, int, bool]]:
    """(choice, visible tokens, hidden tokens, whether it is the stream's last)."""
    for index in range(writing.choices):
        for text, tokens in writing.texts(index):
            yield _choice(index, text, None), tokens, 0, False
        last = index == writing.choices - 1
        yield _choice(index, "", writing.finish_reason), 0, writing.budget.reasoning, last


def _stream(writing: _Writing) -> Iterator[Piece]:
    """One event a piece of text and one for its finish; usage where chat has it."""
    quirks, telling = QUIRKS[writing.call.dialect], telling_of(writing.call, writing.request.stream_options)
    counted = writing.counted(0, 0)
    for choice, output, reasoning, ends in _steps(writing):
        counted = counted._replace(visible=counted.visible + output, reasoning=counted.reasoning + reasoning)
        more = {**telling.of_chunk(quirks, counted, ends), **(quirks.last(counted) if ends else {})}
        yield Piece(event_of(writing.document([choice], **more)), output, reasoning)
    if telling.extra:
        yield Piece(event_of(writing.document([], usage=quirks.usage(counted))))
    yield Piece(DONE)
