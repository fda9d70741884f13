from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.openai import body_of, usage_of
from tests.support.sandbox_calls import ask, new_sandbox

HELLO = [{"role": "user", "content": "hello"}]
CHAT = "/v1/chat/completions"


def error(document: Any, path: str = CHAT, **headers: Any) -> tuple[int, dict[str, Any]]:
    told = ask(new_sandbox(), path, document, **headers)
    assert told.entry is None
    return told.status, told.json["error"]


def test_errors_have_openais_shape():
    status, said = error({"model": "gpt-4o"})

    assert status == 400
    assert said == {
        "message": "Missing required parameter: 'messages'.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "missing_required_parameter",
    }


@pytest.mark.parametrize(
    ("authorization", "code"),
    [(None, None), ("Basic sandbox-key", None), ("Bearer sk-live", "invalid_api_key"), ("Bearer ", "invalid_api_key")],
)
def test_a_missing_and_a_wrong_key_are_401(authorization: str | None, code: str | None):
    status, said = error({"model": "gpt-4o", "messages": HELLO}, authorization=authorization)

    assert (status, said["code"]) == (401, code)
    assert "sk-live" not in said["message"]


def test_bodies_that_are_not_what_the_endpoint_takes_are_400():
    assert error(b"{")[1]["message"].startswith("We could not parse the JSON body")
    assert error({"model": "gpt-4o", "messages": HELLO, "tone": 1})[1]["code"] == "unknown_parameter"
    assert error({"model": "gpt-4o", "messages": []})[1]["param"] == "messages"
    assert error({"model": "gpt-4o", "messages": "hi"})[1]["code"] == "invalid_value"
    assert error({"messages": HELLO})[1]["message"] == "you must provide a model parameter"


def test_unknown_models_and_paths_are_404():
    status, said = error({"model": "gpt-9", "messages": HELLO})
    assert (status, said["code"]) == (404, "model_not_found")
    # A model of another kind is unknown here too.
    assert error({"model": "text-embedding-3-small", "messages": HELLO})[0] == 404
    status, said = error({}, path="/v1/chatter")
    assert (status, said["message"]) == (404, "Invalid URL (POST /v1/chatter)")


@pytest.mark.parametrize("path", [CHAT, "/v1/completions"])
def test_stream_options_need_a_stream(path: str):
    model = "gpt-4o" if path == CHAT else "gpt-3.5-turbo-instruct"
    asked = {"model": model, "messages": HELLO, "stream_options": {"include_usage": True}}
    if path != CHAT:
        asked["prompt"] = asked.pop("messages")[0]["content"]

    status, said = error(asked, path)
    assert (status, said["param"]) == (400, "stream_options")
    status, said = error({**asked, "stream": True, "stream_options": {"include_costs": True}}, path)
    assert (status, said["code"]) == (400, "unknown_parameter")


def test_a_failure_is_given_as_ordered_and_not_billed():
    sandbox = new_sandbox()
    told = ask(sandbox, CHAT, {}, x_sandbox_fail_status="429", x_sandbox_retry_after_s="9")

    assert (told.status, told.headers["retry-after"]) == (429, "9")
    assert told.json["error"]["code"] == "rate_limit_exceeded"
    assert ask(sandbox, CHAT, {}, x_sandbox_fail_status="418").status == 418
    assert sandbox.bill.totals().calls == 0


def test_models_are_listed_and_retrieved():
    sandbox = new_sandbox()
    listed = ask(sandbox, "/v1/models", method="GET").json

    assert {"id": "gpt-4o", "object": "model", "created": 1_700_000_000, "owned_by": "system"} in listed["data"]
    assert ask(sandbox, "/v1/models/gpt-4o-2024-08-06", method="GET").json["id"] == "gpt-4o"
    assert ask(sandbox, "/v1/models/claude-haiku-4-5", method="GET").status == 404


def test_usage_overlaps_as_openais_does():
    usage = usage_of(Tokens(input=1, cache_read=20, cache_write=300), visible=4, reasoning=50)

    assert usage["prompt_tokens"] == 321
    assert usage["prompt_tokens_details"] == {"cached_tokens": 20, "audio_tokens": 0, "cache_write_tokens": 300}
    assert (usage["completion_tokens"], usage["total_tokens"]) == (54, 375)


def test_whole_bodies_are_indented():
    assert body_of({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}'
