"""Owns responses after they were made: asked for again, finished in the background, cancelled, deleted, compacted."""

import base64
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, fault_of, output_budget, prompt_tokens, read_body
from gateway.sandbox.openai import Json, body_of, refuse, refuse_fault, resolve
from gateway.sandbox.openai_conversations import kept_items
from gateway.sandbox.openai_forms import deleted, page, show
from gateway.sandbox.openai_responses import Kept, kept_responses, stream_answer
from gateway.sandbox.text import count_tokens, seed_of, write_chunks

# https://platform.openai.com/docs/api-reference/responses
_COMPACT_FIELD_LIST = """
input instructions model previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention service_tier
"""
COMPACT_FIELDS = frozenset(_COMPACT_FIELD_LIST.split())


class RetrieveQuery(msgspec.Struct, frozen=True):
    stream: bool = False
    starting_after: Annotated[int, Meta(ge=0)] | None = None
    include_obfuscation: bool = True


def _found(call: Call) -> Kept | Answer:
    found = kept_responses(call).get(call.path_id)
    return found or refuse(404, f"Response with id '{call.path_id}' not found.")


def retrieve(call: Call) -> Answer:
    """The response, one step further if it is in the background. The step that ends it is billed, and no other."""
    kept = _found(call)
    if isinstance(kept, Answer):
        return kept
    try:
        query = msgspec.convert(call.request.query, RetrieveQuery, strict=False)
    except msgspec.ValidationError as error:
        return refuse_fault(fault_of(str(error)))
    if query.stream:
        return _replay(call, kept, -1 if query.starting_after is None else query.starting_after)
    charge = _advance(call, kept)
    return msgspec.structs.replace(show(kept.document()), charge=charge)


def _replay(call: Call, kept: Kept, starting_after: int) -> Answer:
    """Every event behind that one. Whoever follows a response to its end has finished it."""
    if not kept.writing.request.background:
        message = "This response cannot be streamed because it was not created with background=true."
        return refuse(400, message, None, "stream")
    if kept.status == "cancelled":
        return refuse(400, "This response cannot be streamed because it was cancelled.", None, "stream")
    kept.polls_left = 0
    charge = _advance(call, kept)
    answer = stream_answer(kept.writing, _charge(call, kept), starting_after)
    return msgspec.structs.replace(answer, charge=charge)


def _advance(call: Call, kept: Kept) -> Charge | None:
    if kept.status not in ("queued", "in_progress"):
        return None
    if kept.polls_left:
        kept.status, kept.polls_left = "in_progress", kept.polls_left - 1
        return None
    kept.status = "incomplete" if kept.writing.budget.capped else "completed"
    return _charge(call, kept)


def _charge(call: Call, kept: Kept) -> Charge:
    return Charge(kept.writing.model, kept.writing.tokens, call.endpoint, kept.writing.id)


def cancel(call: Call) -> Answer:
    """What is cancelled before it ended is never billed here."""
    kept = _found(call)
    if isinstance(kept, Answer):
        return kept
    if not kept.writing.request.background:
        return refuse(400, "Cannot cancel a synchronous response.")
    if kept.status in ("completed", "incomplete"):
        return refuse(400, "Cannot cancel a completed response.")
    kept.status = "cancelled"
    return show(kept.document())


def delete(call: Call) -> Answer:
    kept = _found(call)
    if isinstance(kept, Answer):
        return kept
    kept_responses(call).take(call.path_id)
    return deleted(call.path_id, "response")


def input_items(call: Call) -> Answer:
    kept = _found(call)
    if isinstance(kept, Answer):
        return kept
    writing = kept.writing
    return page(call, kept_items(writing.request.input, writing.call.id_hex(writing.seed)))


class CompactRequest(msgspec.Struct, frozen=True):
    model: str
    input: str | list[Json] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None


def compact(call: Call) -> Answer:
    """The user's messages and, for all the rest, one item that only the provider can read."""
    request = read_body(CompactRequest, call.request.body, COMPACT_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "chat")
    if isinstance(model, Answer):
        return model
    given = _given(call, request)
    return given if isinstance(given, Answer) else _compacted(call, request, model, given)


def _given(call: Call, request: CompactRequest) -> str | list[Json] | Answer:
    if request.input is not None:
        return request.input
    if not request.previous_response_id:
        return refuse_fault(Fault("missing", "input", ""))
    kept = kept_responses(call).get(request.previous_response_id)
    if kept is None:
        message = f"Previous response with id '{request.previous_response_id}' not found."
        return refuse(400, message, "previous_response_not_found", "previous_response_id")
    return kept.writing.request.input


def _compacted(call: Call, request: CompactRequest, model: Model, given: str | list[Json]) -> Answer:
    seed = seed_of(model.name, request.instructions, given, "compact")
    name = call.id_hex(seed) * 2
    prompt = prompt_tokens(call.controls, 3 + count_tokens(request.instructions) + count_tokens(given))
    budget = output_budget(call.controls, None)
    kept = [item for item in kept_items(given, name) if item.get("role") == "user"]
    secret = "".join(text for text, _ in write_chunks(seed, budget.visible, 1))
    item = {"id": f"cmp_{name}", "type": "compaction", "encrypted_content": base64.b64encode(secret.encode()).decode()}
    written = budget.visible + budget.reasoning
    usage: Json = {
        "input_tokens": prompt.prompt,
        "input_tokens_details": {"cached_tokens": prompt.cache_read, "cache_write_tokens": prompt.cache_write},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": budget.reasoning},
        "total_tokens": prompt.prompt + written,
    }
    document = {
        "id": f"resp_{name}",
        "object": "response.compaction",
        "created_at": call.created_s,
        "output": [*kept, item],
        "usage": usage,
    }
    piece = Piece(body_of(document), budget.visible, budget.reasoning)
    return Answer(200, (piece,), charge=Charge(model, prompt, call.endpoint))
