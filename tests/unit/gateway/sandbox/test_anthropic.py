from typing import Any

import pytest

from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}


def message(document: Any = ASKED, path: str = "/v1/messages", method: str = "POST", **headers: Any) -> Told:
    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01", **headers}
    return ask(new_sandbox(), path, document, method, **given)


def test_errors_have_anthropics_shape_and_the_headers_id():
    told = message({**ASKED, "model": "claude-9"})

    assert told.status == 404
    assert told.json == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: claude-9"},
        "request_id": told.headers["request-id"],
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"x_api_key": None}, "x-api-key header is required"),
        ({"x_api_key": "sk-ant-1"}, "invalid x-api-key"),
        ({"x_api_key": "lk-a"}, "invalid x-api-key"),
        ({"authorization": "Bearer lk-a"}, "invalid x-api-key"),
    ],
)
def test_a_missing_wrong_or_leaked_key_is_401(given: dict[str, Any], text: str):
    told = message(**given)

    assert (told.status, told.json["error"]) == (401, {"type": "authentication_error", "message": text})


def test_both_of_the_sdks_slots_are_taken():
    assert message().status == 200
    assert message(x_api_key=None, authorization=f"Bearer {KEY}").status == 200


def test_the_version_header_is_required():
    told = message(anthropic_version=None)

    assert (told.status, told.json["error"]["message"]) == (400, "anthropic-version: header is required")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{", "The request body is not valid JSON"),
        ({"model": "claude-haiku-4-5", "messages": ASKED["messages"]}, "max_tokens: Field required"),
        ({"model": "claude-haiku-4-5", "max_tokens": 5}, "messages: Field required"),
        ({**ASKED, "stream_options": {}}, "stream_options: Extra inputs are not permitted"),
        ({**ASKED, "max_tokens": 0}, "max_tokens: "),
        ({**ASKED, "messages": [{"role": "user", "content": "x", "name": "n"}]}, "messages[0].name: Extra inputs"),
    ],
)
def test_bodies_that_are_not_what_the_endpoint_takes_are_400(document: Any, text: str):
    told = message(document)

    assert (told.status, told.json["error"]["type"]) == (400, "invalid_request_error")
    assert told.json["error"]["message"].startswith(text)


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error"), (418, "api_error")])
def test_a_failure_is_given_as_ordered(status: int, kind: str):
    told = message(x_sandbox_fail_status=str(status))

    assert (told.status, told.json["error"]["type"]) == (status, kind)
    assert told.entry is None


def test_models_are_listed_and_retrieved():
    listed = message(path="/v1/models", method="GET").json

    assert {"type", "id", "display_name", "created_at"} <= set(listed["data"][0])
    assert (listed["has_more"], listed["first_id"]) == (False, listed["data"][0]["id"])
    assert message(path="/v1/models/claude-haiku-4-5", method="GET").json["id"] == "claude-haiku-4-5-20251001"
    assert message(path="/v1/models/gpt-4o", method="GET").status == 404
    assert message(path="/v1/messages/nothing").json["error"]["type"] == "not_found_error"
