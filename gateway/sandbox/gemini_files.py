"""Owns Gemini's files: announced, then uploaded in pieces to a place of their own; kept until deleted, free."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from gateway.sandbox.call import Answer, Call, Fault, Piece
from gateway.sandbox.gemini import read, refuse, refuse_fault
from gateway.sandbox.google_json import CONTENT_TYPE, Json, pretty
from gateway.sandbox.text import seed_of

# https://ai.google.dev/api/files
FIELDS = frozenset(("file",))
LIFE = timedelta(hours=48)


class Described(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    display_name: str = ""
    mime_type: str = ""
    size_bytes: str | int = 0  # a number is a string in protobuf's JSON


class UploadRequest(msgspec.Struct, frozen=True):
    file: Described = Described()


class Upload(msgspec.Struct):
    """An upload that was announced, and what has come of it."""

    id: str
    mime_type: str
    described: Described
    length: int
    data: bytes = b""


class File(msgspec.Struct, frozen=True):
    name: str
    display_name: str
    mime_type: str
    size_bytes: int
    sha256: str
    created_s: int


def upload(call: Call) -> Answer:
    """The resumable protocol: `start` is told where to send, `upload, finalize` sends."""
    commands = {word.strip() for word in call.request.headers.get("x-goog-upload-command", "").split(",")}
    if "start" in commands:
        return _start(call)
    found = call.store.shelf(call.dialect, Upload).get(call.request.query.get("upload_id", ""))
    if "upload" not in commands or found is None:
        return refuse(400, "Upload protocol not recognised: send x-goog-upload-command start, then upload.")
    if call.request.headers.get("x-goog-upload-offset") != str(len(found.data)):
        return refuse(400, "X-Goog-Upload-Offset does not match what was received.")
    if len(found.data) + len(call.request.body) > found.length:
        return refuse(400, f"More bytes were received than the {found.length} that were announced.")
    found.data += call.request.body
    if "finalize" not in commands:
        return Answer(200, (), CONTENT_TYPE, headers=(("x-goog-upload-status", "active"),))
    return _finalize(call, found)


def _start(call: Call) -> Answer:
    headers = call.request.headers
    length = headers.get("x-goog-upload-header-content-length", "")
    mime_type = headers.get("x-goog-upload-header-content-type", "")
    if headers.get("x-goog-upload-protocol") != "resumable" or not length.isdigit() or not mime_type:
        return refuse(400, "A resumable upload names its content length and type.")
    request = read(UploadRequest, call.request.body or b"{}", FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    identifier = call.id_hex(seed_of(call.request.body.hex(), length, mime_type))
    announced = Upload(identifier, mime_type, request.file, int(length))
    call.store.shelf(call.dialect, Upload).put(identifier, announced, announced.length)
    place = f"http://{headers.get('host', '')}/upload/v1beta/files?upload_id={identifier}&upload_protocol=resumable"
    told = (("x-goog-upload-status", "active"), ("x-goog-upload-url", place))
    return Answer(200, (), CONTENT_TYPE, headers=told)


def _finalize(call: Call, found: Upload) -> Answer:
    if len(found.data) != found.length:
        return refuse(400, f"{len(found.data)} bytes were received and {found.length} were announced.")
    call.store.shelf(call.dialect, Upload).take(found.id)
    digest = hashlib.sha256(found.data)
    name = found.described.name.removeprefix("files/") or digest.hexdigest()[:12]
    display_name, size = found.described.display_name, len(found.data)
    file = File(name, display_name, found.mime_type, size, digest.hexdigest(), call.created_s)
    call.store.shelf(call.dialect, File).put(name, file)
    return _show({"file": _document(file)}, (("x-goog-upload-status", "final"),))


def list_all(call: Call) -> Answer:
    files = [_document(file) for file in call.store.shelf(call.dialect, File)][::-1]
    return _show({"files": files} if files else {})


def retrieve(call: Call) -> Answer:
    file = call.store.shelf(call.dialect, File).get(call.path_id)
    return _show(_document(file)) if file else _refuse_unknown(call)


def delete(call: Call) -> Answer:
    return _show({}) if call.store.shelf(call.dialect, File).take(call.path_id) else _refuse_unknown(call)


def _refuse_unknown(call: Call) -> Answer:
    """Google does not say whether a file exists that is not the caller's."""
    message = f"You do not have permission to access the File {call.path_id} or it may not exist."
    return refuse(403, message)


def _show(document: Json, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(200, (Piece(pretty(document)),), CONTENT_TYPE, headers=headers)


def _document(file: File) -> Json:
    created = datetime.fromtimestamp(file.created_s, UTC)
    document: Json = {
        "name": f"files/{file.name}",
        "displayName": file.display_name,
        "mimeType": file.mime_type,
        "sizeBytes": str(file.size_bytes),
        "createTime": _moment(created),
        "updateTime": _moment(created),
        "expirationTime": _moment(created + LIFE),
        "sha256Hash": base64.b64encode(file.sha256.encode()).decode(),
        "uri": f"https://generativelanguage.googleapis.com/v1beta/files/{file.name}",
        "state": "ACTIVE",
        "source": "UPLOADED",
    }
    return document if file.display_name else {name: value for name, value in document.items() if name != "displayName"}


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
