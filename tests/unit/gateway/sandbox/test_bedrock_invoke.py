import base64
import json
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-lite-v1:0"
LLAMA = "meta.llama3-1-8b-instruct-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
BODIES: dict[str, Any] = {
    HAIKU: {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hello"}],
    },
    NOVA: {"messages": [{"role": "user", "content": [{"text": "hello"}]}]},
    LLAMA: {"prompt": "hello"},
    TITAN: {"inputText": "hello"},
}


def invoke(model: str = HAIKU, operation: str = "invoke", **headers: Any) -> Told:
    return ask(new_sandbox(), f"/model/{model}/{operation}", BODIES[model], **headers)


def chunks(told: Told) -> list[Any]:
    """The models' own events, out of the frames around them."""
    assert {kind for kind, _ in told.messages} == {"chunk"}
    return [json.loads(base64.b64decode(payload["bytes"])) for _, payload in told.messages]


def test_headers_name_what_was_consumed():
    told = invoke(
        x_sandbox_tokens="3",
        x_sandbox_input_tokens="10",
        x_sandbox_cached_tokens="100",
        x_sandbox_cache_write_tokens="20",
        x_sandbox_cache_write_1h_tokens="7",
    )

    counts = {name: value for name, value in told.headers.items() if name.endswith("token-count")}
    assert counts == {
        "x-amzn-bedrock-input-token-count": "10",
        "x-amzn-bedrock-output-token-count": "3",
        "x-amzn-bedrock-cache-read-input-token-count": "100",
        "x-amzn-bedrock-cache-write-input-token-count": "27",
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=10, cache_read=100, cache_write=20, cache_write_1h=7, output=3)


def test_an_embedding_has_no_output():
    told = invoke(TITAN)

    assert told.headers["x-amzn-bedrock-input-token-count"] == "2"
    assert "x-amzn-bedrock-output-token-count" not in told.headers


@pytest.mark.parametrize("model", [HAIKU, NOVA, LLAMA])
def test_the_last_event_of_a_stream_has_what_was_consumed(model: str):
    told = invoke(model, "invoke-with-response-stream", x_sandbox_tokens="3")
    events = chunks(told)

    assert told.headers["x-amzn-bedrock-content-type"] == "application/json"
    assert all(payload["p"] for _, payload in told.messages)
    metrics = events[-1]["amazon-bedrock-invocationMetrics"]
    assert not any("amazon-bedrock-invocationMetrics" in event for event in events[:-1])
    assert told.entry
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (told.entry.tokens.input, 3)
    assert told.entry.tokens.output == 3


def test_claudes_stream_has_no_pings():
    kinds = [event["type"] for event in chunks(invoke(operation="invoke-with-response-stream", x_sandbox_tokens="1"))]

    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_cut_stream_bills_what_was_written():
    told = invoke(operation="invoke-with-response-stream", x_sandbox_cut_after_chunks="5")

    assert told.entry
    assert told.entry.tokens.output == 3


def test_a_failure_in_the_middle_is_an_exception_message():
    told = invoke(LLAMA, "invoke-with-response-stream", x_sandbox_error_after_chunks="2")

    assert [kind for kind, _ in told.messages] == ["chunk", "chunk", "internalServerException"]


def test_an_embedding_does_not_stream():
    assert invoke(TITAN, "invoke-with-response-stream").json["message"] == "The model is unsupported for streaming."


@pytest.mark.parametrize("operation", ["invoke", "invoke-with-response-stream"])
def test_the_tier_that_served_is_named_when_one_was_asked_for(operation: str):
    asked = invoke(operation=operation, x_amzn_bedrock_service_tier="flex")

    assert asked.headers["x-amzn-bedrock-service-tier"] == "default"
    assert "x-amzn-bedrock-service-tier" not in invoke(operation=operation).headers


def count(document: Any) -> Told:
    return ask(new_sandbox(), f"/model/{HAIKU}/count-tokens", document)


def test_tokens_are_counted_for_free_as_either_call_would():
    body = base64.b64encode(json.dumps(BODIES[HAIKU]).encode()).decode()
    by_converse = count({"input": {"converse": BODIES[NOVA]}})
    by_invoke = count({"input": {"invokeModel": {"body": body}}})

    assert by_converse.json == by_invoke.json == {"inputTokens": 9}
    assert by_converse.entry is None


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"input": {}},
        {"input": {"converse": BODIES[NOVA], "invokeModel": {"body": "e30="}}},
        {"input": {"invokeModel": {"body": "!"}}},
        {"input": {"invokeModel": {"body": "e30="}}},
        {"input": {"other": {}}},
    ],
)
def test_what_cannot_be_counted_is_400(document: Any):
    assert count(document).headers["x-amzn-errortype"] == "ValidationException"
