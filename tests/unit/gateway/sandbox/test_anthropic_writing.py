from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Share, Tokens
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
SEARCH = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
BESIDE = {
    "input_tokens": 48,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 12,
}


def message(more: Any = None, **headers: Any) -> Told:
    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01", **headers}
    return ask(new_sandbox(), "/v1/messages", {**ASKED, **(more or {})}, **given)


def test_searches_are_content_and_a_count_of_their_own():
    told = message(SEARCH, x_sandbox_web_searches="2", x_sandbox_tokens="1")

    kinds = [block["type"] for block in told.json["content"]]
    assert kinds == ["server_tool_use", "web_search_tool_result"] * 2 + ["text"]
    assert told.json["usage"]["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}
    assert told.entry
    assert told.entry.tokens.web_searches == 2
    # 10 USD for a thousand.
    assert MODELS["claude-haiku-4-5"].amount_nanousd(Tokens(web_searches=2)) == 20_000_000


def test_a_stream_tells_the_same_searches():
    whole = message(SEARCH, x_sandbox_web_searches="1", x_sandbox_frozen="true").json
    told = message({**SEARCH, "stream": True}, x_sandbox_web_searches="1", x_sandbox_frozen="true")

    starts = [event["content_block"]["type"] for event in told.events if event["type"] == "content_block_start"]
    assert starts == [block["type"] for block in whole["content"]]
    (delta,) = [event for event in told.events if event["type"] == "message_delta"]
    assert delta["usage"]["server_tool_use"] == whole["usage"]["server_tool_use"]


def test_searching_needs_a_tool_for_it():
    assert message(x_sandbox_web_searches="1").status == 400
    assert "server_tool_use" not in message(SEARCH).json["usage"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_advice_is_of_another_model_and_beside_the_usage(stream: bool):
    told = message({"stream": stream}, x_sandbox_iterations="advisor", x_sandbox_tokens="3")

    usage = told.events[-2]["usage"] if stream else told.json["usage"]
    answer, advice = usage["iterations"]
    assert advice == {"type": "advisor_message", "model": "claude-opus-4-8", **BESIDE}
    assert (answer["type"], answer["output_tokens"], usage["output_tokens"]) == ("message", 3, 3)
    assert told.entry
    assert told.entry.others == (Share("claude-opus-4-8", Tokens(input=48, output=12)),)


def test_a_compaction_comes_before_the_answer_and_is_of_the_same_model():
    told = message(x_sandbox_iterations="compaction")

    compaction, answer = told.json["usage"]["iterations"]
    assert compaction == {"type": "compaction", **BESIDE}
    assert answer["input_tokens"] == told.json["usage"]["input_tokens"]
    assert told.entry
    assert told.entry.others[0].model == "claude-haiku-4-5-20251001"
