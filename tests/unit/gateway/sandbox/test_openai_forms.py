from typing import Any

import msgspec
import pytest

from gateway.sandbox.call import Answer, Call
from gateway.sandbox.controls import Controls
from gateway.sandbox.openai_forms import Filled, convert_fields, deleted, page, read_fields
from gateway.sandbox.request import Request
from tests.support.sandbox_calls import ask, ask_form, new_sandbox

FILES = "/v1/files"


def listed(count: int, query: dict[str, str]) -> dict[str, Any]:
    request = Request("GET", FILES, query, {}, b"", b"", True)
    answer = page(Call(request, Controls(), "openai"), [{"id": f"id-{number}"} for number in range(count)])
    return msgspec.json.decode(b"".join(piece.data for piece in answer.pieces))


def test_a_body_that_is_no_form_is_415():
    told = ask(new_sandbox(), FILES, {"purpose": "batch"}, content_type="application/json")

    assert (told.status, told.json["error"]["code"]) == (415, "unsupported_content_type")
    assert "'application/json'" in told.json["error"]["message"]


def test_a_form_that_is_broken_or_has_unknown_fields_is_400():
    sandbox = new_sandbox()
    broken = ask(sandbox, FILES, b"--form\r\n", content_type="multipart/form-data; boundary=form")
    assert broken.json["error"]["message"].startswith("Could not parse multipart form")
    told = ask_form(sandbox, FILES, ("purpose", "batch"), ("colour", "red"), ("file", b""))
    assert (told.json["error"]["code"], told.json["error"]["param"]) == ("unknown_parameter", "colour")
    # A field is no file, nor a file a field.
    assert ask_form(sandbox, FILES, ("purpose", "batch"), ("file", "text")).json["error"]["param"] == "file"
    assert ask_form(sandbox, FILES, ("purpose", b"batch"), ("file", b"")).json["error"]["param"] == "purpose"


def filled(*parts: tuple[str, str]) -> Filled:
    body = b"".join(f'--b\r\ncontent-disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in parts)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    request = Request("POST", FILES, {}, headers, b"", body + b"--b--", True)
    read = read_fields(Call(request, Controls(), "openai"), frozenset(("n", "names", "after")), frozenset())
    assert isinstance(read, Filled)
    return read


class After(msgspec.Struct):
    seconds: int


class Fields(msgspec.Struct):
    n: int
    names: list[str]
    after: After


def test_texts_become_what_the_fields_are():
    read = filled(("n", "3"), ("names[]", "a"), ("names[]", "b"), ("after[seconds]", "7"))

    assert convert_fields(Fields, read) == Fields(3, ["a", "b"], After(7))
    refused = convert_fields(Fields, filled(("n", "many"), ("names[]", "a"), ("after[seconds]", "7")))
    assert isinstance(refused, Answer)


@pytest.mark.parametrize(
    ("query", "shown", "more"),
    [
        ({}, ["id-4", "id-3", "id-2", "id-1", "id-0"], False),
        ({"order": "asc", "limit": "2"}, ["id-0", "id-1"], True),
        ({"order": "asc", "after": "id-2"}, ["id-3", "id-4"], False),
        ({"after": "id-9"}, [], False),
    ],
)
def test_a_page_is_newest_first_unless_asked_otherwise(query: dict[str, str], shown: list[str], more: bool):
    told = listed(5, query)

    assert ([item["id"] for item in told["data"]], told["has_more"]) == (shown, more)
    assert (told["first_id"], told["last_id"]) == ((shown[0], shown[-1]) if shown else (None, None))


def test_a_page_of_nothing_one_can_count_is_400():
    assert ask(new_sandbox(), FILES + "?limit=none", method="GET").status == 400


def test_what_is_deleted_says_so():
    (piece,) = deleted("a", "file").pieces
    assert msgspec.json.decode(piece.data) == {"id": "a", "object": "file", "deleted": True}
