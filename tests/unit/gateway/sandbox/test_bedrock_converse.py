import json
from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NOVA = "amazon.nova-lite-v1:0"
ASKED = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
THINKING = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
TOOL = {"toolSpec": {"name": "remember", "inputSchema": {"json": {}}}}


def converse(operation: str = "converse", more: Any = None, model: str = HAIKU, **headers: Any) -> Told:
    return ask(new_sandbox(), f"/model/{model}/{operation}", {**ASKED, **(more or {})}, **headers)


def test_input_excludes_the_cache_and_the_total_has_it():
    told = converse(
        x_sandbox_tokens="3",
        x_sandbox_input_tokens="10",
        x_sandbox_cached_tokens="100",
        x_sandbox_cache_write_tokens="20",
        x_sandbox_cache_write_1h_tokens="7",
    )

    assert told.json["stopReason"] == "end_turn"
    assert told.json["usage"] == {
        "inputTokens": 10,
        "outputTokens": 3,
        "totalTokens": 140,
        "cacheReadInputTokens": 100,
        "cacheReadInputTokenCount": 100,
        "cacheWriteInputTokens": 27,
        "cacheWriteInputTokenCount": 27,
        "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 7}],
        "serverToolUsage": {},
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=10, cache_read=100, cache_write=20, cache_write_1h=7, output=3)
    assert (told.entry.endpoint, told.entry.model) == ("converse", HAIKU)
    assert MODELS[HAIKU].amount_nanousd(told.entry.tokens) == 10 * 1100 + 100 * 110 + 20 * 1375 + 7 * 2200 + 3 * 5500


def test_a_stream_is_binary_and_says_what_the_whole_answer_says():
    told = converse("converse-stream", x_sandbox_tokens="3", x_sandbox_frozen="true")
    whole = converse(x_sandbox_tokens="3", x_sandbox_frozen="true").json

    assert told.headers["content-type"] == "application/vnd.amazon.eventstream"
    kinds = [kind for kind, _ in told.messages]
    assert kinds == ["messageStart", *["contentBlockDelta"] * 3, "contentBlockStop", "messageStop", "metadata"]
    assert all(payload["p"] for _, payload in told.messages)
    text = "".join(payload["delta"]["text"] for kind, payload in told.messages if kind == "contentBlockDelta")
    assert text == whole["output"]["message"]["content"][0]["text"]
    assert told.messages[-1][1]["usage"] == whole["usage"]
    assert told.entry
    assert (told.entry.stream, told.entry.tokens.output) == (True, 3)


def test_thinking_is_content_of_its_own_and_part_of_the_output():
    whole = converse(more=THINKING, x_sandbox_reasoning_tokens="4", x_sandbox_tokens="2")
    told = converse("converse-stream", THINKING, x_sandbox_reasoning_tokens="4", x_sandbox_tokens="2")

    thought, said = whole.json["output"]["message"]["content"]
    assert len(thought["reasoningContent"]["reasoningText"]["text"].split()) == 4
    assert thought["reasoningContent"]["reasoningText"]["signature"]
    assert len(said["text"].split()) == 2
    assert whole.json["usage"]["outputTokens"] == told.messages[-1][1]["usage"]["outputTokens"] == 6
    deltas = [payload for kind, payload in told.messages if kind == "contentBlockDelta"]
    assert [delta["contentBlockIndex"] for delta in deltas] == [0] * 5 + [1] * 2
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (2, 4)


def test_some_models_think_unasked_and_some_never():
    open_model = converse(model="openai.gpt-oss-120b-1:0").json["output"]["message"]["content"][0]

    assert "signature" not in open_model["reasoningContent"]["reasoningText"]
    refused = converse(more=THINKING, model=NOVA, x_sandbox_reasoning_tokens="4")
    assert (refused.status, refused.entry) == (400, None)


@pytest.mark.parametrize("choice", [{"any": {}}, {"tool": {"name": "remember"}}])
def test_a_tool_is_called_when_one_must_be(choice: dict[str, Any]):
    tools = {"toolConfig": {"tools": [TOOL], "toolChoice": choice}}
    whole = converse(more=tools).json
    (_, start), *deltas = [(kind, payload) for kind, payload in converse("converse-stream", tools).messages[1:-3]]

    assert whole["stopReason"] == "tool_use"
    assert start["start"]["toolUse"]["name"] == "remember"
    written = "".join(payload["delta"]["toolUse"]["input"] for _, payload in deltas)
    assert json.loads(written) == whole["output"]["message"]["content"][0]["toolUse"]["input"]


def test_a_tool_is_not_called_when_words_will_do():
    assert "text" in converse(more={"toolConfig": {"tools": [TOOL]}}).json["output"]["message"]["content"][0]


def test_a_limit_counts_thoughts_too():
    limit = {"inferenceConfig": {"maxTokens": 6}, **THINKING}

    assert converse(more=limit, x_sandbox_reasoning_tokens="4").json["stopReason"] == "max_tokens"


def test_the_tier_that_served_is_named_when_one_was_asked_for():
    tier = {"serviceTier": {"type": "priority"}}

    assert converse(more=tier).json["serviceTier"] == {"type": "default"}
    assert converse("converse-stream", tier).messages[-1][1]["serviceTier"] == {"type": "default"}
    assert "serviceTier" not in converse().json


def test_a_conversation_begins_with_the_user():
    told = converse(more={"messages": [{"role": "assistant", "content": [{"text": "hi"}]}]})

    assert told.json["message"].startswith("A conversation must start with a user message.")


def test_a_failure_in_the_middle_is_an_exception_message():
    told = converse("converse-stream", x_sandbox_error_after_chunks="2")

    assert [kind for kind, _ in told.messages] == ["messageStart", "contentBlockDelta", "internalServerException"]
    assert told.entry
    assert told.entry.tokens.output == 1
    assert converse(x_sandbox_error_after_chunks="2").status == 400


@pytest.mark.parametrize("control", [{"x_sandbox_web_searches": "1"}, {"x_sandbox_iterations": "advisor"}])
def test_controls_of_anthropics_own_service_are_refused(control: dict[str, str]):
    assert converse(**control).status == 400
