import json
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

HELLO = [{"role": "user", "content": "hello world"}]
ASKED = {"chat": {"messages": HELLO}, "generate": {"prompt": "hello world"}}


def call(operation: str, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    asked = {"model": "llama3.2", **ASKED[operation], **(more or {})}
    return ask(new_sandbox(), f"/api/{operation}", asked, x_sandbox_tokens="3", **headers)


def lines(told: Told) -> list[Any]:
    return [json.loads(line) for line in told.body.splitlines()]


def text_of(answer: Any) -> str:
    return answer["response"] if "response" in answer else answer["message"]["content"]


@pytest.mark.parametrize("operation", ASKED)
def test_it_streams_unless_told_not_to(operation: str):
    streamed, whole = call(operation), call(operation, {"stream": False})

    assert streamed.headers["content-type"] == "application/x-ndjson"
    *parts, last = lines(streamed)
    assert "".join(map(text_of, parts)) == text_of(whole.json)
    assert [part["done"] for part in parts] == [False] * 3
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 3)
    assert last["prompt_eval_count"] == whole.json["prompt_eval_count"]
    assert streamed.entry
    assert whole.entry
    assert streamed.entry.tokens == whole.entry.tokens == Tokens(input=last["prompt_eval_count"], output=3)


@pytest.mark.parametrize("operation", ASKED)
def test_a_limit_is_an_option(operation: str):
    last = lines(call(operation, {"options": {"num_predict": 2}}))[-1]

    assert (last["done_reason"], last["eval_count"]) == ("length", 2)
    assert lines(call(operation, {"options": {"num_predict": -1}}))[-1]["eval_count"] == 3


def test_thoughts_are_told_apart():
    told = lines(call("chat", x_sandbox_reasoning_tokens="2"))

    assert [bool(part["message"].get("thinking")) for part in told] == [True, True, False, False, False, False]
    assert told[-1]["eval_count"] == 5


def test_a_cut_stream_bills_what_was_written():
    told = call("generate", x_sandbox_cut_after_chunks="2")

    assert told.entry
    assert told.entry.tokens.output == 2
    assert not lines(told)[-1]["done"]


def test_embeddings_are_billed_whether_counted_or_not():
    new = ask(new_sandbox(), "/api/embed", {"model": "nomic-embed-text", "input": ["hello", "world"], "dimensions": 4})
    old = ask(new_sandbox(), "/api/embeddings", {"model": "nomic-embed-text:latest", "prompt": "hello"})

    assert (len(new.json["embeddings"]), len(new.json["embeddings"][0]), new.json["prompt_eval_count"]) == (2, 4, 4)
    assert set(old.json) == {"embedding"}
    assert old.entry
    assert old.entry.tokens == Tokens(input=2)


@pytest.mark.parametrize("path", ["tags", "ps", "version"])
def test_it_tells_what_it_has(path: str):
    told = ask(new_sandbox(), f"/api/{path}", method="GET", authorization=None)

    assert told.status == 200
    if path != "version":
        assert "llama3.2:latest" in [model["name"] for model in told.json["models"]]


def test_a_model_is_shown():
    assert ask(new_sandbox(), "/api/show", {"model": "llama3.2"}).json["capabilities"] == ["completion", "tools"]
    assert ask(new_sandbox(), "/api/show", {"model": "no"}).json == {"error": "model 'no' not found"}


def test_what_cannot_be_is_refused():
    assert call("chat", {"messages": [{"role": "robot", "content": ""}]}).status == 400
    assert call("chat", {"model": "nomic-embed-text"}).status == 404
    assert ask(new_sandbox(), "/api/embed", {"model": "nomic-embed-text"}).status == 400
    assert ask(new_sandbox(), "/api/show", {}).status == 400
