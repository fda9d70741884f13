"""Owns batches, OpenAI's and Azure's: a file of requests, done while its caller asks, at half the price."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from gateway.sandbox.bill import Entry, Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, read_body
from gateway.sandbox.openai import Json, refuse, refuse_fault
from gateway.sandbox.openai_chat import chat
from gateway.sandbox.openai_completions import completions
from gateway.sandbox.openai_embeddings import embeddings, moderations
from gateway.sandbox.openai_files import StoredFile, files_of, keep_file
from gateway.sandbox.openai_forms import page, show
from gateway.sandbox.openai_images import generations
from gateway.sandbox.openai_responses import responses
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import seed_of

# https://platform.openai.com/docs/api-reference/batch
FIELDS = frozenset(("completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after"))
# The real one takes 50,000; these are all answered at once.
LINES_MAX = 2_000
LIFE_S = 86_400

# What a batch can be made of, without the `/v1` Azure leaves out.
_HANDLERS: dict[str, tuple[str, Callable[[Call], Answer]]] = {
    "/chat/completions": ("chat.completions", chat),
    "/completions": ("completions", completions),
    "/embeddings": ("embeddings", embeddings),
    "/images/generations": ("images.generations", generations),
    "/moderations": ("moderations", moderations),
    "/responses": ("responses", responses),
}


class BatchRequest(msgspec.Struct, frozen=True):
    completion_window: Literal["24h"]
    endpoint: str
    input_file_id: str
    metadata: dict[str, str] | None = None


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request of the input file."""

    custom_id: str
    method: Literal["POST"]
    url: str
    body: dict[str, object]

    @property
    def model(self) -> object:
        return self.body.get("model")


Status = Literal["validating", "failed", "in_progress", "completed", "cancelled"]


class Batch(msgspec.Struct):
    """A job. It moves on when it is asked for: `polls_left` times in progress, then done."""

    id: str
    call: Call  # that made it: its controls are those of every line
    request: BatchRequest
    lines: list[Line]
    polls_left: int
    status: Status = "validating"
    errors: list[Json] = []
    failed_count: int = 0
    output_file: str | None = None
    error_file: str | None = None
    model: Model | None = None
    tokens: Tokens | None = None

    def document(self) -> Json:
        done = self.status == "completed"
        created_s = self.call.created_s
        counts = {
            "total": len(self.lines),
            "completed": len(self.lines) - self.failed_count if done else 0,
            "failed": self.failed_count,
        }
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.request.endpoint,
            "model": self.model.version if self.model else None,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.request.input_file_id,
            "completion_window": self.request.completion_window,
            "status": self.status,
            "output_file_id": self.output_file,
            "error_file_id": self.error_file,
            "created_at": created_s,
            "in_progress_at": created_s if self.status in ("in_progress", "completed") else None,
            "expires_at": created_s + LIFE_S,
            "finalizing_at": created_s if done else None,
            "completed_at": created_s if done else None,
            "failed_at": created_s if self.status == "failed" else None,
            "expired_at": None,
            "cancelling_at": created_s if self.status == "cancelled" else None,
            "cancelled_at": created_s if self.status == "cancelled" else None,
            "request_counts": counts,
            "usage": _usage(self.tokens or Tokens()) if self.status != "failed" else None,
            "metadata": self.request.metadata,
        }


def _usage(tokens: Tokens) -> Json:
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.output + tokens.reasoning + tokens.output_image,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.output + tokens.reasoning + tokens.output_image,
    }


def _batches(call: Call) -> Shelf[Batch]:
    return call.store.shelf(call.dialect, Batch)


def _bare(url: str) -> str:
    return url.removeprefix("/v1")


def batches_create(call: Call) -> Answer:
    request = read_body(BatchRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    if _bare(request.endpoint) not in _HANDLERS:
        message = f"Invalid value: '{request.endpoint}'. Supported values are: "
        supported = ", ".join(f"'/v1{url}'" for url in _HANDLERS)
        return refuse(400, message + supported + ".", "invalid_value", "endpoint")
    stored = files_of(call).get(request.input_file_id)
    if stored is None or stored.purpose != "batch":
        return refuse(400, f"Invalid input file: {request.input_file_id}", "invalid_request", "input_file_id")
    return show(_accept(call, request, stored).document())


def _accept(call: Call, request: BatchRequest, stored: StoredFile) -> Batch:
    batch = Batch("batch_" + call.id_hex(seed_of(request, call.controls.mark)), call, request, [], call.controls.polls)
    for number, text in enumerate(stored.data.splitlines(), 1):
        line = _read_line(text)
        problem = line if isinstance(line, tuple) else _refuse_line(batch, line)
        if problem:
            code, message = problem
            batch.errors = [*batch.errors, {"code": code, "message": message, "param": None, "line": number}]
        if isinstance(line, Line):
            batch.lines.append(line)
    if not batch.lines and not batch.errors:
        batch.errors = [{"code": "empty_file", "message": "The input file is empty.", "param": None, "line": None}]
    _batches(call).put(batch.id, batch, len(stored.data))
    return batch


def _read_line(text: bytes) -> Line | tuple[str, str]:
    try:
        return msgspec.json.decode(text, type=Line)
    except msgspec.ValidationError as error:
        return "invalid_request", str(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "invalid_json_line", "This line is not parseable as valid JSON."


def _refuse_line(batch: Batch, line: Line) -> tuple[str, str] | None:
    """Code and message of what is wrong with a line beside those before it."""
    if len(batch.lines) == LINES_MAX:
        return "too_many_tasks", f"The input file has more than {LINES_MAX} requests."
    if _bare(line.url) != _bare(batch.request.endpoint):
        return "mismatched_endpoint", f"The URL '{line.url}' does not match the batch's endpoint."
    if any(line.custom_id == other.custom_id for other in batch.lines):
        return "duplicate_custom_id", f"The custom_id '{line.custom_id}' was used before."
    if batch.lines and batch.lines[0].model != line.model:
        return "mismatched_model", "All requests of a batch must have the same model."
    return None


def batches_list(call: Call) -> Answer:
    return page(call, [batch.document() for batch in _batches(call)])


def batches_retrieve(call: Call) -> Answer:
    """The batch, one step further. The step that completes it is billed, and no other."""
    batch = _batches(call).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    charge = _advance(batch, call)
    return msgspec.structs.replace(show(batch.document()), charge=charge)


def batches_cancel(call: Call) -> Answer:
    batch = _batches(call).get(call.path_id)
    if batch is None:
        return _refuse_unknown(call)
    if batch.status not in ("validating", "in_progress"):
        return refuse(409, f"Cannot cancel a batch with status '{batch.status}'.", None, None)
    batch.status = "cancelled"
    return show(batch.document())


def _refuse_unknown(call: Call) -> Answer:
    return refuse(404, f"No batch found with id '{call.path_id}'.", None, None)


def _advance(batch: Batch, call: Call) -> Charge | None:
    if batch.status not in ("validating", "in_progress"):
        return None
    if batch.errors:
        batch.status = "failed"
        return None
    batch.status = "in_progress"
    if batch.polls_left:
        batch.polls_left -= 1
        return None
    return _complete(batch, call)


class Done(NamedTuple):
    line: bytes
    succeeded: bool
    charge: Charge | None


def _complete(batch: Batch, call: Call) -> Charge | None:
    """Answer every line; what they cost together, if they cost anything."""
    done = list(_run(batch))
    batch.status = "completed"
    batch.failed_count = sum(not each.succeeded for each in done)
    batch.output_file = _write(batch, [each.line for each in done if each.succeeded], "output")
    batch.error_file = _write(batch, [each.line for each in done if not each.succeeded], "error")
    charges = [each.charge for each in done if each.charge]
    if not charges:
        return None
    total = Entry("", "", "", "", "", False, Tokens())
    for charge in charges:
        total.add(charge.prompt)
    batch.tokens, batch.model = total.tokens, charges[0].model
    image_nanousd = charges[0].image_nanousd
    return Charge(batch.model, total.tokens, call.endpoint, batch.id, tier="batch", image_nanousd=image_nanousd)


def _write(batch: Batch, lines: list[bytes], kind: str) -> str | None:
    if not lines:
        return None
    data = b"".join(line + b"\n" for line in lines)
    return keep_file(batch.call, f"{batch.id}_{kind}.jsonl", "batch_output", data).id


def _run(batch: Batch) -> Iterator[Done]:
    endpoint, handler = _HANDLERS[_bare(batch.request.endpoint)]
    for number, line in enumerate(batch.lines):
        body = msgspec.json.encode(line.body)
        request = msgspec.structs.replace(batch.call.request, path=line.url, body=body)
        answer = handler(msgspec.structs.replace(batch.call, request=request, endpoint=endpoint, path_id=""))
        yield _line_done(batch, line, number, answer)


def _line_done(batch: Batch, line: Line, number: int, answer: Answer) -> Done:
    """The line of the output, or of the error file; a stream cannot be in one."""
    if answer.stream:
        answer = refuse(400, "Streaming is not supported in the Batch API.", None, "stream")
    name = batch.call.id_hex(seed_of(batch.id, number))
    pieces = list(answer.pieces)
    body = msgspec.json.decode(b"".join(piece.data for piece in pieces))
    response = {"status_code": answer.status, "request_id": name, "body": body}
    document = {"id": f"batch_req_{name}", "custom_id": line.custom_id, "response": response, "error": None}
    charge = answer.charge
    if charge:
        tokens = msgspec.structs.replace(charge.prompt)
        tokens.output += sum(piece.output for piece in pieces)
        tokens.reasoning += sum(piece.reasoning for piece in pieces)
        charge = charge._replace(prompt=tokens)
    return Done(msgspec.json.encode(document), answer.status == 200, charge)
