"""Owns Gemini's interactions: their own names for everything, kept for later unless the caller declines."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens, find_model
from gateway.sandbox.call import Answer, Budget, Call, Charge, Fault, Piece, output_budget, prompt_tokens, read_body
from gateway.sandbox.google_json import Json
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://ai.google.dev/api/interactions-api#request-body ; these names are never in camel case.
_FIELD_LIST = """
background cached_content continuation_token environment generation_config input labels model
previous_interaction_id response_format response_mime_type response_modalities safety_settings service_tier store
stream system_instruction tools webhook_config
"""
FIELDS = frozenset(_FIELD_LIST.split())

_FAULT_CODES = {"json": "parse_error", "unknown": "invalid_request", "missing": "invalid_request"}


class GenerationConfig(msgspec.Struct, frozen=True):
    max_output_tokens: Annotated[int, Meta(ge=1)] | None = None


class InteractionRequest(msgspec.Struct, frozen=True):
    """The fields that change the answer; the other known ones are accepted and mean nothing here."""

    model: str
    input: str | Json | list[Json]
    system_instruction: str = ""
    generation_config: GenerationConfig = GenerationConfig()
    previous_interaction_id: str = ""
    background: bool = False
    store: bool = True
    stream: bool = False


class Kept(msgspec.Struct, frozen=True):
    """A finished interaction, as it is given to who asks for it again. `context_tokens` is what a next one reads."""

    document: Json
    context_tokens: int


class _Writing(msgspec.Struct, frozen=True):
    """One accepted interaction: all that its answer is made of."""

    call: Call
    request: InteractionRequest
    model: Model
    seed: bytes
    prompt: Tokens
    budget: Budget

    @property
    def id(self) -> str:
        return "v1_" + base64.urlsafe_b64encode(self.call.id_hex(self.seed).encode()).decode().rstrip("=")

    @property
    def charge(self) -> Charge:
        """Gemini names an answer in its body alone; what is frozen there cannot be told apart on the bill."""
        return Charge(self.model, self.prompt, self.call.endpoint, "" if self.call.controls.frozen else self.id)

    @property
    def signature(self) -> str:
        return base64.b64encode(self.seed).decode()

    def texts(self) -> Iterator[tuple[str, int]]:
        return write_chunks(self.seed, self.budget.visible, self.call.controls.chunk_tokens)

    def usage(self) -> Json:
        """Cached is part of the input; thoughts are beside the output."""
        prompt, visible, thoughts = self.prompt.prompt, self.budget.visible, self.budget.reasoning
        return {
            "total_tokens": prompt + visible + thoughts,
            "total_input_tokens": prompt,
            "input_tokens_by_modality": [{"modality": "text", "tokens": prompt}],
            "total_cached_tokens": self.prompt.cache_read,
            "total_output_tokens": visible,
            "total_tool_use_tokens": 0,
            "total_thought_tokens": thoughts,
        }

    def envelope(self, status: str) -> Json:
        return {"id": self.id, "status": status, "object": "interaction", "model": self.model.name}

    def completed(self) -> Json:
        moment = datetime.fromtimestamp(self.call.created_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        finished = {"usage": self.usage(), "created": moment, "updated": moment, "service_tier": "standard"}
        # What hits its limit is incomplete, with all the rest of a completed one.
        return {**self.envelope("incomplete" if self.budget.capped else "completed"), **finished}

    def whole(self) -> Json:
        text = "".join(text for text, _ in self.texts())
        output: Json = {"content": [{"text": text, "type": "text"}], "type": "model_output"}
        thought: Json = {"signature": self.signature, "type": "thought"}
        return {**self.completed(), "steps": [*([thought] if self.budget.reasoning else []), output]}


def refuse(status: int, code: str, message: str) -> Answer:
    """Its errors have a word for a code, unlike the rest of Google's."""
    return Answer(status, (Piece(msgspec.json.encode({"error": {"code": code, "message": message}})),))


def create(call: Call) -> Answer:
    request = read_body(InteractionRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse(400, _FAULT_CODES.get(request.kind, "invalid_request"), f"{request.field}: {request.detail}")
    model = find_model(request.model, "gemini", "chat")
    if model is None:
        return refuse(404, "not_found", f"Model '{request.model}' not found.")
    if request.background:
        return refuse(400, "invalid_request", "background is not supported by this model.")
    before = call.store.shelf(call.dialect, Kept).get(request.previous_interaction_id)
    if request.previous_interaction_id and before is None:
        return refuse(404, "not_found", f"Interaction '{request.previous_interaction_id}' not found.")
    writing = _accept(call, request, model, before)
    if request.store:
        context = writing.prompt.prompt + writing.budget.visible
        call.store.shelf(call.dialect, Kept).put(writing.id, Kept(writing.whole(), context))
    return _answer(writing)


def _accept(call: Call, request: InteractionRequest, model: Model, before: Kept | None) -> _Writing:
    context = before.context_tokens if before else 0
    counted = 1 + context + count_tokens(request.system_instruction) + count_tokens(_said(request.input))
    return _Writing(
        call=call,
        request=request,
        model=model,
        seed=seed_of(model.name, request.system_instruction, request.input, request.previous_interaction_id),
        prompt=prompt_tokens(call.controls, counted),
        budget=output_budget(call.controls, request.generation_config.max_output_tokens),
    )


def _said(given: str | Json | list[Json]) -> object:
    """What of an input is text for the model; the words that say what it is are not."""
    if isinstance(given, str):
        return given
    parts = given if isinstance(given, list) else [given]
    return [part.get("text") or part.get("content") or "" for part in parts]


def _answer(writing: _Writing) -> Answer:
    if not writing.request.stream:
        piece = Piece(msgspec.json.encode(writing.whole()), writing.budget.visible, writing.budget.reasoning)
        return Answer(200, (piece,), charge=writing.charge)
    error = {"code": "api_error", "message": "An internal error has occurred."}
    return Answer(
        200,
        _stream(writing),
        "text/event-stream",
        stream=True,
        charge=writing.charge,
        error_event=_event("error", error=error),
    )


def _event(kind: str, **members: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({**members, "event_type": kind}))


def _stream(writing: _Writing) -> Iterator[Piece]:
    """A thought is known by its signature alone; the last piece of text has the usage already."""
    yield Piece(_event("interaction.created", interaction=writing.envelope("in_progress")))
    yield Piece(_event("interaction.status_update", interaction_id=writing.id, status="in_progress"))
    index = 0
    if writing.budget.reasoning:
        yield Piece(_event("step.start", index=0, step={"type": "thought"}), 0, writing.budget.reasoning)
        yield Piece(_event("step.delta", index=0, delta={"signature": writing.signature, "type": "thought_signature"}))
        yield Piece(_event("step.stop", index=0))
        index = 1
    yield Piece(_event("step.start", index=index, step={"type": "model_output"}))
    left = writing.budget.visible
    for text, tokens in writing.texts():
        left -= tokens
        more: Json = {} if left else {"metadata": {"usage": writing.usage()}}
        yield Piece(_event("step.delta", index=index, delta={"text": text, "type": "text"}, **more), tokens)
    yield Piece(_event("step.stop", index=index))
    yield Piece(_event("interaction.completed", interaction=writing.completed()))
    yield Piece(b"event: done\ndata: [DONE]\n\n")


def retrieve(call: Call) -> Answer:
    """The interaction with the usage that was billed when it was made; asking again is free."""
    kept = call.store.shelf(call.dialect, Kept).get(call.path_id)
    if kept is None:
        return refuse(404, "not_found", f"Interaction '{call.path_id}' not found.")
    return Answer(200, (Piece(msgspec.json.encode(kept.document)),))


def delete(call: Call) -> Answer:
    if call.store.shelf(call.dialect, Kept).take(call.path_id) is None:
        return refuse(404, "not_found", f"Interaction '{call.path_id}' not found.")
    return Answer(200, (Piece(b"{}"),))
