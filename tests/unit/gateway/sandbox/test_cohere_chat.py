import json
from typing import Any

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HELLO = [{"role": "user", "content": "hello world"}]
TOOL = {"type": "function", "function": {"name": "remember", "parameters": {}}}


def chat(more: dict[str, Any] | None = None, **headers: Any) -> Told:
    asked = {"model": "command-a-03-2025", "messages": HELLO, **(more or {})}
    return ask(new_sandbox(), "/v2/chat", asked, x_sandbox_tokens="3", **headers)


def chat_v1(more: dict[str, Any] | None = None, **headers: Any) -> Told:
    return ask(new_sandbox(), "/v1/chat", {"message": "hello world", **(more or {})}, x_sandbox_tokens="3", **headers)


def test_billed_units_are_billed_and_the_template_is_not():
    told = chat()

    assert told.json["finish_reason"] == "COMPLETE"
    assert told.json["usage"]["billed_units"] == {"input_tokens": 3, "output_tokens": 3}
    assert told.json["usage"]["tokens"]["input_tokens"] > 400
    assert told.entry
    assert told.entry.tokens == Tokens(input=3, output=3)


def test_a_stream_names_its_events_and_ends_with_its_usage():
    told = chat({"stream": True})

    first, start, *deltas, stop, end, done = told.events
    assert [first["type"], start["type"], stop["type"], end["type"], done] == [
        "message-start", "content-start", "content-end", "message-end", "[DONE]",
    ]  # fmt: skip
    text = "".join(delta["delta"]["message"]["content"]["text"] for delta in deltas)
    assert text == chat().json["message"]["content"][0]["text"]
    assert end["delta"]["usage"] == chat().json["usage"]
    assert b"event: content-delta\ndata: " in told.body
    assert told.entry
    assert told.entry.tokens == Tokens(input=3, output=3)


def test_thoughts_are_content_before_the_text():
    whole = chat(x_sandbox_reasoning_tokens="2")
    events = chat({"stream": True}, x_sandbox_reasoning_tokens="2").events

    assert [part["type"] for part in whole.json["message"]["content"]] == ["thinking", "text"]
    assert [event["index"] for event in events if isinstance(event, dict) and event["type"] == "content-start"] == [
        0,
        1,
    ]
    assert whole.json["usage"]["billed_units"]["output_tokens"] == 5


def test_a_tool_is_called_when_one_must_be():
    forced = {"tools": [TOOL], "tool_choice": "REQUIRED"}
    (called,) = chat(forced).json["message"]["tool_calls"]
    events = chat({**forced, "stream": True}, x_sandbox_reasoning_tokens="2").events

    kinds = [event["type"] for event in events[:-1]]
    assert kinds == [
        "message-start", *["tool-plan-delta"] * 2, "tool-call-start", *["tool-call-delta"] * 5, "tool-call-end",
        "message-end",
    ]  # fmt: skip
    arguments = "".join(
        event["delta"]["message"]["tool_calls"]["function"]["arguments"]
        for event in events[:-1]
        if event["type"] == "tool-call-delta"
    )
    assert json.loads(arguments) == json.loads(called["function"]["arguments"])
    assert chat({"tool_choice": "REQUIRED"}).status == 400


def test_the_first_version_streams_a_line_of_json_each():
    told = chat_v1({"stream": True})

    assert told.headers["content-type"] == "application/stream+json"
    first, *texts, end = [json.loads(line) for line in told.body.splitlines()]
    assert (first["event_type"], end["event_type"], end["is_finished"]) == ("stream-start", "stream-end", True)
    assert "".join(line["text"] for line in texts) == end["response"]["text"] == chat_v1().json["text"]
    assert end["response"]["meta"]["billed_units"] == {"input_tokens": 3, "output_tokens": 3}
    assert told.entry
    assert (told.entry.endpoint, told.entry.tokens) == ("v1.chat", Tokens(input=3, output=3))


def test_the_first_version_gives_the_conversation_back():
    history = [{"role": "USER", "message": "hi"}]
    told = chat_v1({"chat_history": history})

    assert [turn["role"] for turn in told.json["chat_history"]] == ["USER", "USER", "CHATBOT"]
    assert told.json["meta"]["billed_units"]["input_tokens"] == 4


def test_a_limit_cuts_short_and_a_failure_ends_a_stream():
    assert chat({"max_tokens": 2}).json["finish_reason"] == "MAX_TOKENS"
    assert chat({"max_tokens": 0}).status == 400
    broken = chat_v1({"stream": True}, x_sandbox_error_after_chunks="1")
    assert json.loads(broken.body.splitlines()[-1])["finish_reason"] == "ERROR"
    assert chat(x_sandbox_cached_tokens="5").status == 400
