"""Owns files and uploads, OpenAI's and Azure's: what callers and jobs leave with the provider."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.call import Answer, Call, Fault, Piece, read_body
from gateway.sandbox.openai import Json, refuse, refuse_fault
from gateway.sandbox.openai_forms import convert_fields, deleted, page, read_fields, show
from gateway.sandbox.store import Shelf
from gateway.sandbox.text import seed_of

# https://platform.openai.com/docs/api-reference/files ; /uploads
FILE_FIELDS = frozenset(("purpose", "expires_after"))
UPLOAD_FIELDS = frozenset(("bytes", "filename", "mime_type", "purpose", "expires_after"))
COMPLETE_FIELDS = frozenset(("part_ids", "md5"))
# The real limits: an upload's parts, and the seconds until it is forgotten.
PARTS_MAX = 128
UPLOAD_LIFE_S = 3_600

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]


class ExpiresAfter(msgspec.Struct, frozen=True):
    anchor: Literal["created_at"]
    seconds: Annotated[int, Meta(ge=3_600, le=2_592_000)]


class FileRequest(msgspec.Struct, frozen=True):
    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class StoredFile(msgspec.Struct, frozen=True):
    id: str
    filename: str
    purpose: str
    data: bytes
    created_s: int
    expires_s: int | None = None

    def document(self) -> Json:
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": len(self.data),
            "created_at": self.created_s,
            "expires_at": self.expires_s,
            "status": "processed",
            "status_details": None,
        }


def files_of(call: Call) -> Shelf[StoredFile]:
    return call.store.shelf(call.dialect, StoredFile)


def keep_file(
    call: Call, filename: str, purpose: str, data: bytes, expires_after: ExpiresAfter | None = None
) -> StoredFile:
    """Stored under an id of its content, as what the call left."""
    name = "file-" + call.id_hex(seed_of(filename, purpose, data.hex()))
    expires_s = call.created_s + expires_after.seconds if expires_after else None
    kept = StoredFile(name, filename, purpose, data, call.created_s, expires_s)
    files_of(call).put(name, kept, len(data))
    return kept


def files_create(call: Call) -> Answer:
    filled = read_fields(call, FILE_FIELDS, frozenset(("file",)))
    if isinstance(filled, Answer):
        return filled
    request = convert_fields(FileRequest, filled)
    if isinstance(request, Answer):
        return request
    upload = filled.form.file("file")
    if upload is None:
        return refuse_fault(Fault("missing", "file", ""))
    if request.purpose == "batch" and not upload.filename.endswith(".jsonl"):
        return refuse(400, "Invalid file format for Batch API. Must be .jsonl", None, "file")
    return show(keep_file(call, upload.filename, request.purpose, upload.data, request.expires_after).document())


def files_list(call: Call) -> Answer:
    purpose = call.request.query.get("purpose")
    return page(call, [file.document() for file in files_of(call) if purpose in (None, file.purpose)])


def _refuse_unknown(call: Call) -> Answer:
    return refuse(404, f"No such File object: {call.path_id}", None, "id")


def files_retrieve(call: Call) -> Answer:
    found = files_of(call).get(call.path_id)
    return show(found.document()) if found else _refuse_unknown(call)


def files_content(call: Call) -> Answer:
    found = files_of(call).get(call.path_id)
    if found is None:
        return _refuse_unknown(call)
    disposition = ("content-disposition", f'attachment; filename="{found.filename}"')
    return Answer(200, (Piece(found.data),), content_type="application/octet-stream", headers=(disposition,))


def files_delete(call: Call) -> Answer:
    return deleted(call.path_id, "file") if files_of(call).take(call.path_id) else _refuse_unknown(call)


class UploadRequest(msgspec.Struct, frozen=True):
    bytes: Annotated[int, Meta(ge=1, le=8 * 1024**3)]
    filename: str
    mime_type: str
    purpose: Purpose
    expires_after: ExpiresAfter | None = None


class CompleteRequest(msgspec.Struct, frozen=True):
    part_ids: Annotated[list[str], Meta(min_length=1, max_length=PARTS_MAX)]
    md5: str = ""


class StoredUpload(msgspec.Struct):
    """A file that comes in parts."""

    id: str
    request: UploadRequest
    created_s: int
    parts: dict[str, bytes]
    status: Literal["pending", "completed", "cancelled"] = "pending"
    file: StoredFile | None = None

    def document(self) -> Json:
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.request.bytes,
            "created_at": self.created_s,
            "filename": self.request.filename,
            "purpose": self.request.purpose,
            "status": self.status,
            "expires_at": self.created_s + UPLOAD_LIFE_S,
            "file": self.file.document() if self.file else None,
        }


def uploads_create(call: Call) -> Answer:
    request = read_body(UploadRequest, call.request.body, UPLOAD_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    upload = StoredUpload("upload_" + call.id_hex(seed_of(request)), request, call.created_s, {})
    call.store.shelf(call.dialect, StoredUpload).put(upload.id, upload)
    return show(upload.document())


def _pending(call: Call) -> StoredUpload | Answer:
    upload = call.store.shelf(call.dialect, StoredUpload).get(call.path_id)
    if upload is None:
        return refuse(404, f"No such Upload object: {call.path_id}", None, "upload_id")
    if upload.status != "pending":
        return refuse(400, f"Upload '{upload.id}' is {upload.status}.", None, "upload_id")
    return upload


def uploads_part(call: Call) -> Answer:
    upload = _pending(call)
    if isinstance(upload, Answer):
        return upload
    filled = read_fields(call, frozenset(), frozenset(("data",)))
    if isinstance(filled, Answer):
        return filled
    part = filled.form.file("data")
    if part is None:
        return refuse_fault(Fault("missing", "data", ""))
    if len(upload.parts) == PARTS_MAX or sum(map(len, upload.parts.values())) + len(part.data) > upload.request.bytes:
        return refuse(400, "The parts are more than the upload was created for.", None, "data")
    name = "part_" + call.id_hex(seed_of(upload.id, len(upload.parts)))
    upload.parts[name] = part.data
    held = sum(map(len, upload.parts.values()))
    call.store.shelf(call.dialect, StoredUpload).put(upload.id, upload, held)
    return show({"id": name, "object": "upload.part", "created_at": call.created_s, "upload_id": upload.id})


def uploads_complete(call: Call) -> Answer:
    upload = _pending(call)
    if isinstance(upload, Answer):
        return upload
    request = read_body(CompleteRequest, call.request.body, COMPLETE_FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    unknown = next((name for name in request.part_ids if name not in upload.parts), None)
    if unknown:
        return refuse(400, f"No such part: {unknown}", None, "part_ids")
    data = b"".join(upload.parts[name] for name in request.part_ids)
    if len(data) != upload.request.bytes:
        return refuse(400, f"Expected {upload.request.bytes} bytes, but the parts are {len(data)}.", None, "part_ids")
    asked = upload.request
    upload.file = keep_file(call, asked.filename, asked.purpose, data, asked.expires_after)
    upload.status, upload.parts = "completed", {}
    return show(upload.document())


def uploads_cancel(call: Call) -> Answer:
    upload = _pending(call)
    if isinstance(upload, Answer):
        return upload
    upload.status, upload.parts = "cancelled", {}
    return show(upload.document())
