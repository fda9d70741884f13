"""Owns Anthropic's message batches: kept until they end, which takes a look or two, and billed then at half price."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.sandbox import anthropic_messages
from gateway.sandbox.anthropic import Json, body_of, error_of, refuse, refuse_fault
from gateway.sandbox.anthropic_messages import MessagesRequest, accept
from gateway.sandbox.anthropic_writing import Writing
from gateway.sandbox.bill import find_model
from gateway.sandbox.call import Answer, Call, Fault, Piece, Settled, read_body
from gateway.sandbox.text import seed_of

# https://docs.anthropic.com/en/api/creating-message-batches
FIELDS = frozenset(("requests",))
PARAMS_FIELDS = anthropic_messages.FIELDS - {"stream"}
LIFE = timedelta(hours=24)

_CustomId = Annotated[str, Meta(pattern="^[a-zA-Z0-9_-]{1,64}$")]


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    custom_id: _CustomId
    params: msgspec.Raw


class BatchRequest(msgspec.Struct, frozen=True):
    requests: Annotated[list[Item], Meta(min_length=1, max_length=100_000)]


class Batch(msgspec.Struct):
    """One batch, and what it needs to become its results. `looks_left` of them still find it in progress."""

    id: str
    created: Call
    requests: list[Item]
    looks_left: int
    canceled: bool = False
    ended: bool = False


def create(call: Call) -> Answer:
    request = read_body(BatchRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(call, request)
    custom_ids = [item.custom_id for item in request.requests]
    if len(set(custom_ids)) < len(custom_ids):
        return refuse(call, 400, "invalid_request_error", "requests: custom_id must be unique within a batch")
    seed = seed_of("batch", [(item.custom_id, bytes(item.params).hex()) for item in request.requests])
    identifier = "msgbatch_01" + call.id_hex(seed)[2:]
    batch = Batch(identifier, call, request.requests, call.controls.polls)
    call.store.shelf(call.dialect, Batch).put(identifier, batch)
    return _show(batch)


def retrieve(call: Call) -> Answer:
    """The batch as it is; the look that finds it ended is the one that bills its requests."""
    batch = call.store.shelf(call.dialect, Batch).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    if batch.ended:
        return _show(batch)
    if batch.looks_left and not batch.canceled:
        batch.looks_left -= 1
        return _show(batch)
    batch.ended = True
    return msgspec.structs.replace(_show(batch), settled=tuple(_settled(batch)))


def list_all(call: Call) -> Answer:
    """Newest first; looking at a list does not count as a look."""
    batches = [_document(batch) for batch in call.store.shelf(call.dialect, Batch)][::-1]
    ends = {"first_id": batches[0]["id"], "last_id": batches[-1]["id"]} if batches else {}
    page = {"data": batches, "has_more": False, "first_id": None, "last_id": None, **ends}
    return Answer(200, (Piece(body_of(page)),))


def cancel(call: Call) -> Answer:
    """What is not done yet, which here is all of it, will not be done nor billed."""
    batch = call.store.shelf(call.dialect, Batch).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    if batch.ended:
        message = f"Batch {batch.id} cannot be canceled because it has already ended."
        return refuse(call, 400, "invalid_request_error", message)
    batch.canceled = True
    return _show(batch)


def delete(call: Call) -> Answer:
    batch = call.store.shelf(call.dialect, Batch).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    if not batch.ended:
        message = f"Batch {batch.id} cannot be deleted until it has ended. Cancel it first."
        return refuse(call, 400, "invalid_request_error", message)
    call.store.shelf(call.dialect, Batch).take(batch.id)
    return Answer(200, (Piece(body_of({"id": batch.id, "type": "message_batch_deleted"})),))


def results(call: Call) -> Answer:
    """One line for each request. They were billed when the batch ended, however often they are read."""
    batch = call.store.shelf(call.dialect, Batch).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    if not batch.ended:
        message = f"Batch {batch.id} has no available results: it is still in progress."
        return refuse(call, 400, "invalid_request_error", message)
    lines = tuple(Piece(body_of(_result(batch, item)) + b"\n") for item in batch.requests)
    return Answer(200, lines, "application/x-jsonl")


def _refuse_unknown(call: Call) -> Answer:
    return refuse(call, 404, "not_found_error", f"Batch {call.path_id} not found.")


def _read(batch: Batch, item: Item) -> Writing | str:
    """What is written to one request, or why nothing is."""
    request = read_body(MessagesRequest, bytes(item.params), PARAMS_FIELDS)
    if isinstance(request, Fault):
        return f"{request.field}: {request.detail}"
    model = find_model(request.model, "anthropic", "chat")
    if model is None:
        return f"model: {request.model}"
    call = msgspec.structs.replace(batch.created, endpoint="messages.batches")
    problem = anthropic_messages.misused_control(call, request) or anthropic_messages.mistake_of(request)
    if problem:
        return problem
    # The same question twice in a batch must not be one message.
    writing = accept(call, request, model, tier="batch")
    return msgspec.structs.replace(writing, seed=seed_of(item.custom_id, writing.seed.hex()))


def _result(batch: Batch, item: Item) -> Json:
    if batch.canceled:
        return {"custom_id": item.custom_id, "result": {"type": "canceled"}}
    writing = _read(batch, item)
    if isinstance(writing, str):
        error = {**error_of("invalid_request_error", writing), "request_id": batch.created.refusal_id}
        return {"custom_id": item.custom_id, "result": {"type": "errored", "error": error}}
    return {"custom_id": item.custom_id, "result": {"type": "succeeded", "message": writing.whole()}}


def _settled(batch: Batch) -> Iterator[Settled]:
    for writing in (_read(batch, item) for item in batch.requests if not batch.canceled):
        if isinstance(writing, Writing):
            charge = writing.charge._replace(bill_id=str(writing.whole()["id"]))
            yield Settled(writing.call, charge, writing.budget.visible, writing.budget.reasoning)


def _show(batch: Batch) -> Answer:
    return Answer(200, (Piece(body_of(_document(batch))),))


def _document(batch: Batch) -> Json:
    """Times are of its creation, since a simulated batch takes none. `results_url` is a path: the caller knows us."""
    created = datetime.fromtimestamp(batch.created.created_s, UTC)
    status = "ended" if batch.ended else "canceling" if batch.canceled else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": _counts(batch),
        "created_at": _moment(created),
        "expires_at": _moment(created + LIFE),
        "ended_at": _moment(created) if batch.ended else None,
        "cancel_initiated_at": _moment(created) if batch.canceled else None,
        "archived_at": None,
        "results_url": f"/v1/messages/batches/{batch.id}/results" if batch.ended else None,
    }


def _counts(batch: Batch) -> Json:
    """Every request is processing until the whole batch has ended."""
    counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    if not batch.ended:
        return {**counts, "processing": len(batch.requests)}
    for item in batch.requests:
        result: Json = _result(batch, item)["result"]  # pyright: ignore[reportAssignmentType]
        counts[str(result["type"])] += 1
    return {**counts}


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
