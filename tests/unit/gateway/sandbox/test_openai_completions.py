from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox


def complete(more: dict[str, Any], **headers: Any) -> Told:
    return ask(new_sandbox(), "/v1/completions", {"model": "gpt-3.5-turbo-instruct", **more}, **headers)


def test_a_prompt_is_completed():
    told = complete({"prompt": "eightish"}, x_sandbox_tokens="5")

    said = told.json
    assert list(said) == ["id", "object", "created", "choices", "model", "usage"]
    assert (said["object"], said["choices"][0]["finish_reason"]) == ("text_completion", "stop")
    assert len(said["choices"][0]["text"].split()) == said["usage"]["completion_tokens"] == 5
    assert told.entry
    assert told.entry.tokens == Tokens(input=2, output=5)


def test_without_a_limit_sixteen_tokens_are_written():
    said = complete({"prompt": "x"}, x_sandbox_tokens="100").json

    assert (said["usage"]["completion_tokens"], said["choices"][0]["finish_reason"]) == (16, "length")


@pytest.mark.parametrize(
    ("prompt", "prompts", "tokens"), [([1, 2, 3], 1, 3), (["a", "b"], 2, 2), ([[1, 2], [3]], 2, 3)]
)
def test_each_prompt_is_completed_n_times(prompt: list[Any], prompts: int, tokens: int):
    told = complete({"prompt": prompt, "n": 2}, x_sandbox_tokens="1")

    assert [choice["index"] for choice in told.json["choices"]] == list(range(prompts * 2))
    assert told.entry
    assert told.entry.tokens == Tokens(input=tokens, output=prompts * 2)


def test_usage_is_streamed_only_when_asked_for():
    bare = complete({"prompt": "x", "stream": True}, x_sandbox_tokens="2")
    asked = complete({"prompt": "x", "stream": True, "stream_options": {"include_usage": True}}, x_sandbox_tokens="2")

    assert b'"usage"' not in bare.body
    assert [event["choices"][0]["finish_reason"] for event in bare.events[:-1]] == [None, None, "stop"]
    *chunks, last, done = asked.events
    assert [chunk["usage"] for chunk in chunks] == [None] * 3
    assert (last["choices"], last["usage"]["completion_tokens"], done) == ([], 2, "[DONE]")
    assert bare.entry
    assert bare.entry.tokens.output == 2


def test_a_prompt_is_required():
    assert complete({}).json["error"]["param"] == "prompt"
    assert complete({"prompt": []}).status == 400
    assert complete({"prompt": "x", "model": "gpt-4o"}).status == 404
