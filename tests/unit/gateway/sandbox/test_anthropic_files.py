from typing import Any

import pytest

from gateway.sandbox import Sandbox
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

FORM = (
    b'--edge\r\ncontent-disposition: form-data; name="note"\r\n\r\nx\r\n'
    b'--edge\r\ncontent-disposition: form-data; name="file"; filename="list.csv"\r\ncontent-type: text/csv\r\n\r\n'
    b"item,value\r\n\r\n--edge--\r\n"
)


def call(sandbox: Sandbox, path: str = "", document: Any = None, method: str = "GET", **headers: Any) -> Told:
    given = {
        "authorization": None,
        "x_api_key": KEY,
        "anthropic_version": "2023-06-01",
        "anthropic_beta": "other-1, files-api-2025-04-14",
        **headers,
    }
    return ask(sandbox, "/v1/files" + path, document, method, **given)


def upload(sandbox: Sandbox, form: bytes = FORM, **headers: Any) -> Told:
    return call(sandbox, "", form, "POST", content_type="multipart/form-data; boundary=edge", **headers)


def test_a_file_is_uploaded_listed_and_deleted():
    sandbox = new_sandbox()
    made = upload(sandbox).json

    assert made == {
        "id": made["id"],
        "type": "file",
        "filename": "list.csv",
        "mime_type": "text/csv",
        "size_bytes": 12,
        "created_at": "2025-11-23T12:13:20Z",
        "downloadable": False,
    }
    assert call(sandbox, "/" + made["id"]).json == made
    assert call(sandbox).json["data"] == [made]
    assert call(sandbox, f"/{made['id']}/content").status == 400
    assert call(sandbox, "/" + made["id"], method="DELETE").json == {"id": made["id"], "type": "file_deleted"}
    assert call(sandbox, "/" + made["id"]).status == 404
    assert call(sandbox).json["data"] == []
    assert sandbox.bill.totals().calls == 0


def test_files_are_a_beta_until_the_version_that_has_them():
    assert upload(new_sandbox(), anthropic_beta=None).status == 404
    assert call(new_sandbox(), anthropic_beta=None).status == 404
    assert call(new_sandbox(), "/x", anthropic_beta=None).json["error"]["message"] == "Not found"
    assert upload(new_sandbox(), anthropic_beta=None, anthropic_version="2026-10-21").status == 200


@pytest.mark.parametrize("form", [b"", b"{}", FORM.replace(b'name="file"', b'name="other"')])
def test_a_form_without_a_file_is_400(form: bytes):
    assert upload(new_sandbox(), form).json["error"]["message"] == "file: Field required"
