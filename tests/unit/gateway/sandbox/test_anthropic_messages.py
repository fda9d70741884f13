import re
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "eightish"}]}
THINKING = {"max_tokens": 2048, "thinking": {"type": "enabled", "budget_tokens": 1024}}
TOOL = {"name": "remember", "input_schema": {"type": "object"}}
CACHED = {
    "x_sandbox_cached_tokens": "100",
    "x_sandbox_cache_write_tokens": "20",
    "x_sandbox_cache_write_1h_tokens": "3",
}


def message(more: dict[str, Any] | None = None, path: str = "/v1/messages", **headers: Any) -> Told:
    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01", **headers}
    return ask(new_sandbox(), path, {**ASKED, **(more or {})}, **given)


def test_an_answer_in_one_piece_keeps_cached_tokens_apart():
    told = message(x_sandbox_tokens="3", **CACHED)

    said = told.json
    assert (said["type"], said["role"], said["model"]) == ("message", "assistant", "claude-haiku-4-5-20251001")
    assert (said["stop_reason"], said["content"][0]["type"]) == ("end_turn", "text")
    assert said["usage"] == {
        "input_tokens": 9,
        "cache_creation_input_tokens": 23,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3},
        "output_tokens": 3,
        "service_tier": "standard",
        "inference_geo": "global",
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=9, cache_read=100, cache_write=20, cache_write_1h=3, output=3)


def test_a_stream_tells_its_usage_at_both_ends():
    told = message({"stream": True}, x_sandbox_tokens="2", **CACHED)

    events = told.events
    assert [event["type"] for event in events] == [
        "message_start", "content_block_start", "ping", "content_block_delta", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    started, ended = events[0]["message"]["usage"], events[-2]["usage"]
    assert (started["output_tokens"], ended["output_tokens"]) == (1, 2)
    assert started["cache_creation"] == {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 3}
    assert "cache_creation" not in ended
    assert ended["cache_creation_input_tokens"] == 23
    names = re.findall(rb"^event: (.+)$", told.body, re.MULTILINE)
    assert [name.decode() for name in names] == [event["type"] for event in events]


def test_events_are_padded_with_spaces_before_their_last_brace():
    assert re.search(rb" +}\n\n", message({"stream": True}).body)


def test_thinking_is_streamed_first_and_is_part_of_the_output():
    told = message({"stream": True, **THINKING}, x_sandbox_reasoning_tokens="30", x_sandbox_tokens="2")

    kinds = [event["delta"]["type"] for event in told.events if event["type"] == "content_block_delta"]
    assert kinds == ["thinking_delta"] * 30 + ["signature_delta"] + ["text_delta"] * 2
    usage = told.events[-2]["usage"]
    assert (usage["output_tokens"], usage["output_tokens_details"]) == (32, {"thinking_tokens": 30})
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (2, 30)


def test_a_stream_cut_while_thinking_bills_the_thoughts_so_far():
    told = message({"stream": True, **THINKING}, x_sandbox_reasoning_tokens="30", x_sandbox_cut_after_chunks="5")

    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (0, 3)


def test_thinking_in_one_piece():
    said = message(THINKING).json

    assert [block["type"] for block in said["content"]] == ["thinking", "text"]
    assert said["usage"]["output_tokens_details"]["thinking_tokens"] == 8
    assert message({"thinking": {"type": "adaptive"}}).json["content"][0]["type"] == "thinking"
    assert message({"thinking": {"type": "disabled"}}).json["content"][0]["type"] == "text"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.enabled.budget_tokens: Input should be"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "`max_tokens` must be greater"),
    ],
)
def test_a_thinking_budget_is_checked(more: dict[str, Any], text: str):
    assert message(more).json["error"]["message"].startswith(text)


def test_thoughts_cannot_be_ordered_of_a_call_that_does_not_think():
    assert message(x_sandbox_reasoning_tokens="5").status == 400


def test_a_limit_cuts_the_answer_short():
    said = message({"max_tokens": 4}).json

    assert (said["stop_reason"], said["usage"]["output_tokens"]) == ("max_tokens", 4)


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "remember"}])
def test_a_tool_is_called_when_one_must_be(choice: dict[str, str]):
    asked = {"tools": [TOOL], "tool_choice": choice}
    whole, events = message(asked).json, message({**asked, "stream": True}).events

    assert (whole["stop_reason"], whole["content"][0]["name"]) == ("tool_use", "remember")
    written = "".join(
        event["delta"].get("partial_json", "") for event in events if event["type"] == "content_block_delta"
    )
    assert written == '{"text": "' + whole["content"][0]["input"]["text"] + '"}'
    assert message({"tools": [TOOL]}).json["stop_reason"] == "end_turn"


def test_tokens_are_counted_for_free():
    asked = {"path": "/v1/messages/count_tokens", "more": {"system": "four"}}
    assert message(**asked).status == 400  # max_tokens is not among its fields

    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01"}
    counted = {"model": "claude-haiku-4-5", "messages": ASKED["messages"]}
    told = ask(new_sandbox(), "/v1/messages/count_tokens", counted, **given)
    assert (told.json, told.entry) == ({"input_tokens": 9}, None)
    assert ask(new_sandbox(), "/v1/messages/count_tokens", {**counted, "model": "m"}, **given).status == 404


def test_a_failure_in_the_middle_is_an_error_event():
    events = message({"stream": True}, x_sandbox_error_after_chunks="4").events

    assert events[-1] == {"type": "error", "error": {"type": "api_error", "message": "Internal server error"}}
