"""Owns Anthropic's files: uploaded as a form, kept until deleted, free."""

from datetime import UTC, datetime

import msgspec

from gateway.sandbox.anthropic import Json, body_of, refuse
from gateway.sandbox.call import Answer, Call, Piece
from gateway.sandbox.form import Form, read_form
from gateway.sandbox.text import seed_of

# https://docs.anthropic.com/en/docs/build-with-claude/files : a beta until the API version of 2026-10-21.
BETA = "files-api-2025-04-14"
VERSION_WITH_FILES = "2026-10-21"


class File(msgspec.Struct, frozen=True):
    id: str
    name: str
    mime_type: str
    created_s: int
    size_bytes: int  # its bytes are never asked for again


def upload(call: Call) -> Answer:
    if refusal := _refuse_version(call):
        return refusal
    form = read_form(call.request)
    sent = form.file("file") if isinstance(form, Form) else None
    if sent is None or not sent.filename:
        return refuse(call, 400, "invalid_request_error", "file: Field required")
    identifier = "file_011" + call.id_hex(seed_of(sent.filename, sent.data.hex()))[3:]
    file = File(identifier, sent.filename, sent.content_type, call.created_s, len(sent.data))
    call.store.shelf(call.dialect, File).put(identifier, file)
    return _show(_document(file))


def list_all(call: Call) -> Answer:
    if refusal := _refuse_version(call):
        return refusal
    files = [_document(file) for file in call.store.shelf(call.dialect, File)][::-1]
    ends = {"first_id": files[0]["id"], "last_id": files[-1]["id"]} if files else {"first_id": None, "last_id": None}
    return _show({"data": files, "has_more": False, "next_page": None, **ends})


def retrieve(call: Call) -> Answer:
    file = _find(call)
    return file if isinstance(file, Answer) else _show(_document(file))


def content(call: Call) -> Answer:
    """What was uploaded is not given back; only what a tool made could be."""
    file = _find(call)
    if isinstance(file, Answer):
        return file
    return refuse(call, 400, "invalid_request_error", f"File {file.id} is not downloadable.")


def delete(call: Call) -> Answer:
    file = _find(call)
    if isinstance(file, Answer):
        return file
    call.store.shelf(call.dialect, File).take(file.id)
    return _show({"id": file.id, "type": "file_deleted"})


def _refuse_version(call: Call) -> Answer | None:
    headers = call.request.headers
    betas = {beta.strip() for beta in headers.get("anthropic-beta", "").split(",")}
    if BETA in betas or headers.get("anthropic-version", "") >= VERSION_WITH_FILES:
        return None
    return refuse(call, 404, "not_found_error", "Not found")


def _find(call: Call) -> File | Answer:
    if refusal := _refuse_version(call):
        return refusal
    file = call.store.shelf(call.dialect, File).get(call.path_id)
    return file or refuse(call, 404, "not_found_error", f"File not found: {call.path_id}")


def _show(document: Json) -> Answer:
    return Answer(200, (Piece(body_of(document)),))


def _document(file: File) -> Json:
    return {
        "id": file.id,
        "type": "file",
        "filename": file.name,
        "mime_type": file.mime_type,
        "size_bytes": file.size_bytes,
        "created_at": datetime.fromtimestamp(file.created_s, UTC).isoformat().replace("+00:00", "Z"),
        "downloadable": False,
    }
