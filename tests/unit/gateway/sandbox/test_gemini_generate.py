import json
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"contents": [{"role": "user", "parts": [{"text": "eightish"}]}]}
MODEL = "/v1beta/models/gemini-2.5-flash"


def generate(verb: str = "generateContent", more: dict[str, Any] | None = None, **headers: Any) -> Told:
    given = {"authorization": None, "x_goog_api_key": KEY, **headers}
    return ask(new_sandbox(), f"{MODEL}:{verb}", {**ASKED, **(more or {})}, **given)


def test_an_answer_in_one_piece_counts_thoughts_beside_candidates():
    told = generate(x_sandbox_tokens="3", x_sandbox_reasoning_tokens="7", x_sandbox_cached_tokens="100")

    said = told.json
    assert said["candidates"][0]["finishReason"] == "STOP"
    assert said["modelVersion"] == "gemini-2.5-flash"
    assert said["usageMetadata"] == {
        "promptTokenCount": 103,
        "candidatesTokenCount": 3,
        "totalTokenCount": 113,
        "cachedContentTokenCount": 100,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 103}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
        "thoughtsTokenCount": 7,
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=3, cache_read=100, output=3, reasoning=7)
    assert told.entry.id == said["responseId"]


def test_events_end_in_crlf_and_repeat_the_usage_so_far():
    told = generate("streamGenerateContent?alt=sse", x_sandbox_tokens="3", x_sandbox_chunk_tokens="2")

    assert told.headers["content-type"] == "text/event-stream"
    assert told.body.replace(b"\r\n\r\n", b"").count(b"\n") == 0
    assert b"[DONE]" not in told.body
    usages = [event["usageMetadata"] for event in told.events]
    assert [usage["candidatesTokenCount"] for usage in usages] == [2, 3, 3]
    assert [event["candidates"][0].get("finishReason") for event in told.events] == [None, None, "STOP"]


def test_without_alt_sse_the_stream_is_one_json_array():
    told = generate("streamGenerateContent", x_sandbox_frozen="true")
    events = generate("streamGenerateContent?alt=sse", x_sandbox_frozen="true").events

    assert told.headers["content-type"] == "application/json; charset=UTF-8"
    assert (told.headers["transfer-encoding"], told.body[:2], told.body[-3:]) == ("chunked", b"[{", b"}\n]")
    assert told.json == events


def test_thoughts_come_first_when_asked_for():
    config = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    told = generate("streamGenerateContent?alt=sse", config, x_sandbox_reasoning_tokens="4", x_sandbox_tokens="1")

    first = told.events[0]
    assert first["candidates"][0]["content"]["parts"][0]["thought"] is True
    assert "candidatesTokenCount" not in first["usageMetadata"]
    assert first["usageMetadata"]["thoughtsTokenCount"] == 4
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (1, 4)


def test_a_cut_stream_bills_what_was_written():
    told = generate("streamGenerateContent?alt=sse", x_sandbox_reasoning_tokens="4", x_sandbox_cut_after_chunks="2")

    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (2, 4)


def test_a_limit_counts_thoughts_too():
    said = generate(more={"generationConfig": {"maxOutputTokens": 6}}, x_sandbox_reasoning_tokens="4").json

    assert said["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert said["usageMetadata"]["candidatesTokenCount"] == 2


def test_a_function_is_called_when_one_must_be():
    tools = {
        "tools": [{"functionDeclarations": [{"name": "remember"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    }
    (part,) = generate(more=tools).json["candidates"][0]["content"]["parts"]

    assert part["functionCall"]["name"] == "remember"
    assert len(part["functionCall"]["args"]["text"].split()) == 16


def test_more_than_one_candidate_is_refused():
    assert generate(more={"generationConfig": {"candidateCount": 2}}).status == 400


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("verb", ["streamGenerateContent", "streamGenerateContent?alt=sse"])
def test_a_failure_in_the_middle_is_the_last_thing_said(verb: str, after: int):
    told = generate(verb, x_sandbox_error_after_chunks=str(after))

    said = told.events if "sse" in verb else json.loads(told.body)
    assert len(said) == after + 1
    assert said[-1]["error"]["status"] == "INTERNAL"


def test_tokens_are_counted_for_free():
    told = generate("countTokens")

    assert told.json == {"totalTokens": 3, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 3}]}
    assert told.entry is None
    given = {"authorization": None, "x_goog_api_key": KEY}
    nested = {"generateContentRequest": {**ASKED, "systemInstruction": {"parts": [{"text": "four"}]}}}
    assert ask(new_sandbox(), f"{MODEL}:countTokens", nested, **given).json["totalTokens"] == 4
    assert ask(new_sandbox(), f"{MODEL}:countTokens", {}, **given).status == 400
