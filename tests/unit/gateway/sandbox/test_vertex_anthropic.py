from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

ROOT = "/v1/projects/shop/locations/us-east5/publishers/anthropic/models"
ASKED = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hello"}],
}


def call(name: str = "claude-haiku-4-5@20251001:rawPredict", document: Any = ASKED, **headers: Any) -> Told:
    return ask(new_sandbox(), f"{ROOT}/{name}", document, **headers)


def test_claude_answers_as_at_anthropic_under_an_id_of_vertexs():
    told = call(x_sandbox_tokens="3", x_sandbox_cache_write_1h_tokens="7")

    assert (told.json["model"], told.json["id"][:11]) == ("claude-haiku-4-5-20251001", "msg_vrtx_01")
    assert told.json["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 7
    assert told.entry
    assert told.entry.tokens == Tokens(input=9, cache_write_1h=7, output=3)
    assert (told.entry.dialect, told.entry.endpoint) == ("vertex", "messages")


def test_a_stream_is_anthropics():
    told = call("claude-haiku-4-5:streamRawPredict", {**ASKED, "stream": True}, x_sandbox_tokens="1")

    assert told.events[0]["type"] == "message_start"
    assert told.events[-1]["type"] == "message_stop"


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({**ASKED, "model": "claude-haiku-4-5"}, "model: Extra inputs are not permitted"),
        ({"messages": ASKED["messages"], "max_tokens": 9}, "anthropic_version: Field required"),
        ({**ASKED, "anthropic_version": "bedrock-2023-05-31"}, "anthropic_version: Input should be"),
        ({**ASKED, "stream": True}, "stream: "),
        ({**ASKED, "thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.enabled.budget_tokens"),
    ],
)
def test_the_body_names_its_version_and_no_model(document: Any, text: str):
    told = call(document=document)

    assert (told.status, told.json["error"]["type"]) == (400, "invalid_request_error")
    assert told.json["error"]["message"].startswith(text)


def test_google_refuses_the_caller_and_the_model():
    assert call(authorization="Bearer wrong").json["error"]["status"] == "UNAUTHENTICATED"
    assert call("claude-9:rawPredict").json["error"]["status"] == "NOT_FOUND"


def test_a_control_needs_what_it_controls():
    assert call(x_sandbox_reasoning_tokens="4").status == 400


def test_tokens_are_counted_for_free_with_the_model_in_the_body():
    counted = {"anthropic_version": "vertex-2023-10-16", "messages": ASKED["messages"]}
    told = call("count-tokens:rawPredict", {**counted, "model": "claude-haiku-4-5@20251001"})

    assert (told.json, told.entry) == ({"input_tokens": 9}, None)
    assert call("count-tokens:rawPredict", {**counted, "model": "claude-9"}).status == 404
    assert call("count-tokens:rawPredict", {**counted, "anthropic_version": "x"}).status == 400
    assert call("count-tokens:rawPredict", ASKED).status == 400
