from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

MODELS = {
    "together": "mistralai/Mixtral-8x7B-v0.1",
    "vllm": "Qwen/Qwen3-8B-Base",
    "llama.cpp": "gemma-3-4b-it-Q4_K_M.gguf",
    "ollama": "llama3.2",
}


def complete(provider: str, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    asked = {"model": MODELS[provider], "prompt": "hello world", **(more or {})}
    headers = {"x_sandbox_tokens": "3", "x_sandbox_provider": provider, **headers}
    return ask(new_sandbox(), "/v1/completions", asked, **headers)


@pytest.mark.parametrize("provider", MODELS)
def test_a_stream_says_what_the_whole_answer_says(provider: str):
    whole, streamed = (
        complete(provider),
        complete(provider, {"stream": True, "stream_options": {"include_usage": True}}),
    )

    texts = [choice["text"] for event in streamed.events[:-1] for choice in event["choices"]]
    assert "".join(texts) == whole.json["choices"][0]["text"]
    assert streamed.events[-2]["usage"] == whole.json["usage"]
    assert streamed.events[-1] == "[DONE]"
    assert whole.entry
    assert streamed.entry
    assert whole.entry.tokens == streamed.entry.tokens == Tokens(input=3, output=3)


def test_together_tells_unasked_with_nulls_before():
    *events, last, _ = complete("together", {"stream": True}).events

    assert [event["usage"] for event in events] == [None] * 3
    assert last["usage"]["completion_tokens"] == 3
    assert complete("together").json["object"] == "text.completion"


def test_a_limit_and_several_prompts():
    told = complete("vllm", {"prompt": ["hello", "world"], "max_tokens": 2, "n": 2})

    assert [choice["finish_reason"] for choice in told.json["choices"]] == ["length"] * 4
    assert told.json["usage"]["completion_tokens"] == 8


def test_what_cannot_be_is_refused():
    assert complete("vllm", {"stream_options": {}}).status == 400
    assert complete("vllm", {"model": "no"}).status == 404
    assert complete("vllm", {"prompt": 5}).status == 400
