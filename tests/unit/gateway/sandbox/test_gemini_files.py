from typing import Any

import pytest

from gateway.sandbox import Sandbox
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

START = {
    "x_goog_upload_protocol": "resumable",
    "x_goog_upload_command": "start",
    "x_goog_upload_header_content_length": "5",
    "x_goog_upload_header_content_type": "text/plain",
}


def call(sandbox: Sandbox, path: str, document: Any = None, method: str = "GET", **headers: Any) -> Told:
    return ask(sandbox, path, document, method, **{"authorization": None, "x_goog_api_key": KEY, **headers})


def start(sandbox: Sandbox, document: Any = None, **headers: Any) -> Told:
    return call(sandbox, "/upload/v1beta/files", document, "POST", **{**START, **headers})


def send(sandbox: Sandbox, started: Told, data: bytes, command: str, offset: int = 0) -> Told:
    place = started.headers["x-goog-upload-url"].removeprefix("http://sandbox")
    headers = {"x_goog_upload_command": command, "x_goog_upload_offset": str(offset)}
    # Whoever was told the place may send there; the SDK does so without its key.
    return call(sandbox, place, data, "POST", x_goog_api_key=None, **headers)


def test_a_file_is_announced_uploaded_listed_and_deleted():
    sandbox = new_sandbox()
    started = start(sandbox, {"file": {"display_name": "a note"}})
    sent = send(sandbox, started, b"night", "upload, finalize")

    assert (started.headers["x-goog-upload-status"], sent.headers["x-goog-upload-status"]) == ("active", "final")
    file = sent.json["file"]
    assert (file["displayName"], file["mimeType"], file["sizeBytes"]) == ("a note", "text/plain", "5")
    assert (file["state"], file["expirationTime"]) == ("ACTIVE", "2025-11-25T12:13:20.000000Z")
    path = "/v1beta/" + file["name"]
    assert call(sandbox, path).json == file
    assert call(sandbox, "/v1beta/files").json == {"files": [file]}
    assert call(sandbox, path, method="DELETE").json == {}
    assert call(sandbox, "/v1beta/files").json == {}
    assert sandbox.bill.totals().calls == 0


def test_an_upload_may_come_in_pieces():
    sandbox = new_sandbox()
    started = start(sandbox)

    assert send(sandbox, started, b"ni", "upload").headers["x-goog-upload-status"] == "active"
    assert send(sandbox, started, b"x", "upload", 1).status == 400
    assert send(sandbox, started, b"ght", "upload, finalize", 2).json["file"]["sizeBytes"] == "5"
    assert send(sandbox, started, b"", "upload, finalize", 5).status == 400


@pytest.mark.parametrize("data", [b"more than five", b"few"])
def test_what_was_announced_is_what_must_come(data: bytes):
    sandbox = new_sandbox()

    assert send(sandbox, start(sandbox), data, "upload, finalize").json["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "given",
    [
        {"x_goog_upload_protocol": "multipart"},
        {"x_goog_upload_header_content_length": "many"},
        {"x_goog_upload_header_content_type": None},
        {"x_goog_upload_command": "query"},
        {"document": {"name": "x"}},
    ],
)
def test_another_start_is_400(given: dict[str, Any]):
    assert start(new_sandbox(), **given).status == 400


def test_a_file_that_is_not_looks_like_anothers():
    told = call(new_sandbox(), "/v1beta/files/none")

    assert (told.status, told.json["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert call(new_sandbox(), "/v1beta/files/none", method="DELETE").status == 403
