from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HELLO = [{"role": "user", "content": "hello world"}]
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
TOOL = {"type": "function", "function": {"name": "remember", "parameters": {}}}


def chat(more: dict[str, Any] | None = None, model: str = "gpt-4o-mini", **headers: Any) -> Told:
    return ask(new_sandbox(), "/v1/chat/completions", {"model": model, "messages": HELLO, **(more or {})}, **headers)


def test_an_answer_in_one_piece():
    told = chat(x_sandbox_tokens="3")

    said = told.json
    assert list(said) == [
        "id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage",
    ]  # fmt: skip
    assert (said["object"], said["model"], said["created"]) == (
        "chat.completion",
        "gpt-4o-mini-2024-07-18",
        1_763_900_000,
    )
    (choice,) = said["choices"]
    assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "stop")
    assert len(choice["message"]["content"].split()) == said["usage"]["completion_tokens"] == 3
    assert told.entry
    assert told.entry.tokens == Tokens(input=3 + 4 + 3, output=3)


def test_a_stream_without_usage_never_mentions_it():
    told = chat({"stream": True}, x_sandbox_tokens="2")

    first, *contents, finish, done = told.events
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in contents)
    assert text == chat(x_sandbox_tokens="2").json["choices"][0]["message"]["content"]
    assert len(contents) == 2
    assert (finish["choices"][0]["delta"], finish["choices"][0]["finish_reason"]) == ({}, "stop")
    assert done == "[DONE]"
    assert b'"usage"' not in told.body
    assert told.body.endswith(b"data: [DONE]\n\n")


def test_usage_asked_for_is_null_on_every_chunk_and_whole_on_one_more():
    told = chat(USAGE, x_sandbox_tokens="2", x_sandbox_cached_tokens="100", model="gpt-4o")

    *chunks, last, done = told.events
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 100
    assert last["usage"]["total_tokens"] == 110 + 2
    assert done == "[DONE]"


def test_usage_declined_is_not_told():
    assert b'"usage"' not in chat({"stream": True, "stream_options": {"include_usage": False}}).body


def test_padding_is_on_chunks_unless_declined():
    assert all("obfuscation" in chunk for chunk in chat(USAGE).events[:-1])
    assert b"obfuscation" not in chat({"stream": True, "stream_options": {"include_obfuscation": False}}).body


def test_hidden_tokens_are_billed_before_the_first_word():
    told = chat(USAGE, model="gpt-5-mini", x_sandbox_reasoning_tokens="40", x_sandbox_tokens="2")

    assert told.events[-2]["usage"]["completion_tokens"] == 42
    assert told.events[-2]["usage"]["completion_tokens_details"]["reasoning_tokens"] == 40
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (2, 40)


def test_a_cut_stream_bills_what_was_written():
    told = chat({"stream": True}, x_sandbox_cut_after_chunks="4", x_sandbox_tokens="10", x_sandbox_chunk_tokens="2")

    assert told.entry
    assert told.entry.tokens == Tokens(input=10, output=6)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer_short(field: str):
    said = chat({field: 3}).json

    assert said["choices"][0]["finish_reason"] == "length"
    assert said["usage"]["completion_tokens"] == 3


def test_every_choice_is_written_and_billed():
    told = chat({"n": 3, **USAGE}, x_sandbox_tokens="2")

    assert [event["choices"][0]["index"] for event in told.events[:-2]] == [0] * 4 + [1] * 4 + [2] * 4
    assert told.events[-2]["usage"]["completion_tokens"] == 6
    assert told.entry
    assert told.entry.tokens.output == 6


def test_a_tool_is_called_when_one_must_be():
    whole = chat({"tools": [TOOL], "tool_choice": "required"}).json["choices"][0]
    named = chat({"tools": [TOOL], "tool_choice": TOOL, "stream": True}).events

    (called,) = whole["message"]["tool_calls"]
    assert (whole["finish_reason"], whole["message"]["content"]) == ("tool_calls", None)
    arguments = "".join(
        part["function"]["arguments"]
        for chunk in named[:-1]
        for part in chunk["choices"][0]["delta"].get("tool_calls", ())
    )
    assert called["function"] == {"name": "remember", "arguments": arguments}
    assert "tool_calls" not in chat({"tools": [TOOL]}).json["choices"][0]["message"]


def test_what_a_model_does_not_take_is_refused():
    assert chat({"max_tokens": 5}, model="gpt-5-mini").json["error"]["code"] == "unsupported_parameter"
    assert chat({"tool_choice": "required"}).json["error"]["param"] == "tool_choice"
    assert chat({"n": 0}).json["error"]["param"] == "n"
    assert chat({"messages": [{"role": "robot", "content": ""}]}).status == 400


def test_frozen_answers_do_not_depend_on_the_clock_or_the_usage_option():
    sandbox = new_sandbox()
    path, asked = "/v1/chat/completions", {"model": "gpt-4o", "messages": HELLO}
    first = ask(sandbox, path, asked, x_sandbox_frozen="true").body
    streamed = ask(sandbox, path, {**asked, **USAGE}, x_sandbox_frozen="true").events

    assert ask(sandbox, path, asked, x_sandbox_frozen="true").body == first
    assert ask(sandbox, path, asked).body != first
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in streamed[:-2])
    assert text in first.decode()
