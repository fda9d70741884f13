from typing import Any

from gateway.sandbox import Sandbox
from tests.support.sandbox_calls import Told, ask, ask_form, new_sandbox


def leave(sandbox: Sandbox, data: bytes = b"notes", purpose: str = "user_data", name: str = "a.txt") -> Told:
    return ask_form(sandbox, "/v1/files", ("purpose", purpose), ("file", (name, data)))


def get(sandbox: Sandbox, path: str) -> Told:
    return ask(sandbox, path, method="GET")


def test_a_file_is_kept_and_deleted():
    sandbox = new_sandbox()
    made = leave(sandbox).json

    assert (made["object"], made["bytes"], made["filename"], made["status"]) == ("file", 5, "a.txt", "processed")
    assert get(sandbox, f"/v1/files/{made['id']}").json == made
    content = get(sandbox, f"/v1/files/{made['id']}/content")
    assert (content.body, content.headers["content-type"]) == (b"notes", "application/octet-stream")
    assert ask(sandbox, f"/v1/files/{made['id']}", method="DELETE").json["deleted"] is True
    for path in ("", "/content"):
        assert get(sandbox, f"/v1/files/{made['id']}{path}").status == 404
    assert ask(sandbox, f"/v1/files/{made['id']}", method="DELETE").status == 404
    assert sandbox.bill.totals().calls == 0


def test_files_are_listed_by_purpose_newest_first_and_for_their_dialect_alone():
    sandbox = new_sandbox()
    names = [leave(sandbox, purpose=purpose).json["id"] for purpose in ("vision", "user_data", "vision")]

    assert [file["id"] for file in get(sandbox, "/v1/files").json["data"]] == names[::-1]
    listed = get(sandbox, "/v1/files?purpose=vision&limit=1").json
    assert ([file["id"] for file in listed["data"]], listed["has_more"]) == ([names[2]], True)
    assert get(sandbox, "/openai/v1/files").json["data"] == []


def test_a_file_may_end_by_itself():
    parts = (("purpose", "batch"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"))
    told = ask_form(new_sandbox(), "/v1/files", *parts, ("file", ("a.jsonl", b"{}"))).json

    assert told["expires_at"] - told["created_at"] == 3600


def test_files_that_cannot_be_are_refused():
    sandbox = new_sandbox()

    assert leave(sandbox, purpose="fun").json["error"]["param"] == "purpose"
    assert leave(sandbox, purpose="batch").json["error"]["message"].endswith("Must be .jsonl")
    assert ask_form(sandbox, "/v1/files", ("purpose", "batch")).json["error"]["param"] == "file"


UPLOAD = {"bytes": 9, "filename": "all.txt", "mime_type": "text/plain", "purpose": "user_data"}


def begin(sandbox: Sandbox, **more: Any) -> str:
    return ask(sandbox, "/v1/uploads", {**UPLOAD, **more}).json["id"]


def test_an_upload_becomes_a_file_in_the_order_of_its_parts():
    sandbox = new_sandbox()
    name = begin(sandbox)
    parts = [ask_form(sandbox, f"/v1/uploads/{name}/parts", ("data", data)).json["id"] for data in (b"sleeps", b"it ")]

    done = ask(sandbox, f"/v1/uploads/{name}/complete", {"part_ids": parts[::-1]}).json
    assert (done["status"], done["file"]["bytes"], done["file"]["filename"]) == ("completed", 9, "all.txt")
    assert get(sandbox, f"/v1/files/{done['file']['id']}/content").body == b"it sleeps"
    # What is complete takes no more.
    assert ask_form(sandbox, f"/v1/uploads/{name}/parts", ("data", b"a")).status == 400
    assert ask(sandbox, f"/v1/uploads/{name}/cancel").status == 400


def test_an_upload_is_as_long_as_it_said():
    sandbox = new_sandbox()
    name = begin(sandbox)
    part = ask_form(sandbox, f"/v1/uploads/{name}/parts", ("data", b"short")).json["id"]

    assert ask_form(sandbox, f"/v1/uploads/{name}/parts", ("data", b"too long")).status == 400
    assert ask_form(sandbox, f"/v1/uploads/{name}/parts").json["error"]["param"] == "data"
    assert ask(sandbox, f"/v1/uploads/{name}/complete", {"part_ids": [part]}).status == 400
    assert ask(sandbox, f"/v1/uploads/{name}/complete", {"part_ids": ["part_x"]}).status == 400
    assert ask(sandbox, f"/v1/uploads/{name}/cancel").json["status"] == "cancelled"
    assert ask(sandbox, "/v1/uploads/upload_x/cancel").status == 404
    assert ask(sandbox, "/v1/uploads", {**UPLOAD, "bytes": 0}).status == 400
