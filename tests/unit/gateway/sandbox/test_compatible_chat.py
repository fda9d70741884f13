from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.quirks import QUIRKS
from tests.support.sandbox_calls import Told, ask, new_sandbox
from tests.unit.gateway.sandbox.test_refusals import CALLS, HELLO

ASKS = {"stream": True, "stream_options": {"include_usage": True}}
UNASKED = [name for name, quirks in QUIRKS.items() if quirks.unasked]
ASKED = [name for name, quirks in QUIRKS.items() if not quirks.unasked]
PATHS = {"cohere": "/compatibility/v1/chat/completions", "ollama": "/v1/chat/completions"}
TOOL = {"type": "function", "function": {"name": "remember", "parameters": {}}}


def chat(provider: str, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    path, good = CALLS[provider]
    headers = {"x_sandbox_tokens": "3", "x_sandbox_provider": provider, **headers}
    return ask(new_sandbox(), PATHS.get(provider, path), {**good, **(more or {})}, **headers)


def said(events: list[Any], member: str = "content") -> str:
    deltas = [choice["delta"] for event in events[:-1] for choice in event["choices"]]
    return "".join(delta[member] for delta in deltas if isinstance(delta.get(member), str))


@pytest.mark.parametrize("provider", QUIRKS)
def test_a_stream_says_what_the_whole_answer_says(provider: str):
    whole, streamed = chat(provider), chat(provider, {"stream": True})

    (choice,) = whole.json["choices"]
    assert said(streamed.events) == choice["message"]["content"]
    assert choice["finish_reason"] == "stop"
    assert streamed.events[-1] == "[DONE]"
    assert whole.entry
    assert streamed.entry
    assert whole.entry.tokens == streamed.entry.tokens == Tokens(input=9, output=3)


@pytest.mark.parametrize("provider", ASKED)
def test_some_say_usage_in_one_more_chunk_if_asked(provider: str):
    *chunks, last, _ = chat(provider, ASKS).events

    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"] == chat(provider).json["usage"]
    assert b'"usage"' not in chat(provider, {"stream": True}).body


@pytest.mark.parametrize("provider", [name for name in UNASKED if QUIRKS[name].usage_on == "finish"])
def test_others_say_it_unasked_on_the_chunk_that_ends(provider: str):
    *chunks, last, _ = chat(provider, {"stream": True}).events

    assert (last["choices"][0]["finish_reason"], last["usage"]) == ("stop", chat(provider).json["usage"])
    nulls = [chunk["usage"] for chunk in chunks] if QUIRKS[provider].nulls else []
    assert nulls == [None] * len(nulls)
    assert all(("usage" in chunk) == QUIRKS[provider].nulls for chunk in chunks)


def test_nulls_are_deepseeks_and_togethers():
    assert [name for name, quirks in QUIRKS.items() if quirks.nulls] == ["deepseek", "together"]


@pytest.mark.parametrize("provider", [name for name in UNASKED if name != "mistral"])
def test_who_says_it_unasked_does_not_mind_being_asked(provider: str):
    asked, unasked = (chat(provider, more, x_sandbox_frozen="true") for more in (ASKS, {"stream": True}))

    assert asked.body == unasked.body


def test_perplexity_counts_on_in_every_chunk():
    *chunks, last, _ = chat("perplexity", {"stream": True}).events

    assert [chunk["usage"]["completion_tokens"] for chunk in (*chunks, last)] == [1, 2, 3, 3]
    assert (last["object"], bool(last["citations"])) == ("chat.completion.done", True)


def test_vllm_counts_on_if_asked_and_a_bare_option_asks():
    continuous = chat("vllm", {"stream": True, "stream_options": {"continuous_usage_stats": True}}).events
    bare = chat("vllm", {"stream": True, "stream_options": {}}).events
    declined = chat("vllm", {"stream": True, "stream_options": {"include_usage": False}})

    assert [chunk["usage"]["completion_tokens"] for chunk in continuous[:-1]] == [0, 1, 2, 3, 3, 3]
    assert bare[-2]["usage"]["completion_tokens"] == 3
    assert b'"usage"' not in declined.body


def test_groq_says_it_twice_on_one_chunk():
    first, *_, last, _ = chat("groq", {"stream": True}).events

    assert last["x_groq"]["usage"] == last["usage"]
    assert set(first["x_groq"]) == {"id"}


def test_openrouter_says_that_it_works_before_it_answers():
    assert chat("openrouter", {"stream": True}).body.startswith(b": OPENROUTER PROCESSING\n\ndata: ")


def test_llama_cpp_always_tells_its_timings():
    events = chat("llama.cpp", {"stream": True}, x_sandbox_cached_tokens="90").events

    assert events[-2]["timings"]["cache_n"] == 90
    assert chat("llama.cpp").json["timings"]["predicted_n"] == 3


@pytest.mark.parametrize("provider", [name for name in QUIRKS if QUIRKS[name].reasoning not in ("", "thinking")])
def test_hidden_tokens_are_shown_where_each_shows_them(provider: str):
    member = QUIRKS[provider].reasoning
    streamed = chat(provider, {"stream": True}, x_sandbox_reasoning_tokens="4")
    whole = chat(provider, x_sandbox_reasoning_tokens="4")

    assert len(said(streamed.events, member).split()) == 4
    assert whole.json["choices"][0]["message"][member] == said(streamed.events, member)
    assert streamed.entry
    assert streamed.entry.tokens == Tokens(input=9, output=3, reasoning=4)


def test_mistral_shows_them_as_content():
    content = chat("mistral", x_sandbox_reasoning_tokens="4").json["choices"][0]["message"]["content"]

    assert [part["type"] for part in content] == ["thinking", "text"]


def test_perplexity_does_not_show_them_and_bills_research_apart():
    told = chat("perplexity", {"model": "sonar-deep-research"}, x_sandbox_reasoning_tokens="4")

    assert told.json["usage"]["reasoning_tokens"] == 4
    assert told.entry
    assert (told.entry.tokens.web_searches, told.entry.tokens.citation) == (3, 40)


@pytest.mark.parametrize("provider", QUIRKS)
def test_a_tool_is_called_when_one_must_be(provider: str):
    required = "any" if provider == "mistral" else "required"
    whole = chat(provider, {"tools": [TOOL], "tool_choice": required}).json["choices"][0]
    named = chat(provider, {"tools": [TOOL], "tool_choice": TOOL, "stream": True}).events

    (called,) = whole["message"]["tool_calls"]
    arguments = "".join(
        call["function"]["arguments"]
        for event in named[:-1]
        for choice in event["choices"]
        for call in choice["delta"].get("tool_calls", ())
    )
    assert called["function"] == {"name": "remember", "arguments": arguments}
    assert whole["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("provider", ["together", "deepseek", "openrouter", "vllm"])
def test_every_choice_is_written_and_billed_and_usage_is_said_once(provider: str):
    told = chat(provider, {"n": 2, **ASKS})

    assert told.entry
    assert told.entry.tokens.output == 6
    usages = [event["usage"] for event in told.events[:-1] if event.get("usage")]
    assert [usage["completion_tokens"] for usage in usages] == [6]


def test_groq_writes_one_choice():
    assert chat("groq", {"n": 2}).status == 400


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer_short(field: str):
    told = chat("xai", {field: 2}).json

    assert (told["choices"][0]["finish_reason"], told["usage"]["completion_tokens"]) == ("length", 2)


def test_a_cut_stream_bills_what_was_written():
    told = chat("deepseek", {"stream": True}, x_sandbox_cut_after_chunks="3", x_sandbox_tokens="9")

    assert told.entry
    assert told.entry.tokens == Tokens(input=9, output=2)
    assert b"[DONE]" not in told.body


def test_a_choice_of_tools_without_tools_is_refused():
    assert chat("xai", {"tool_choice": "required"}).status == 422
    assert ask(new_sandbox(), "/v1/chat/completions", {"model": "grok-3-mini", "messages": HELLO, "n": 0}).status == 422
