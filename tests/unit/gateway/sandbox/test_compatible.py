from typing import Any

import pytest

from tests.support.sandbox_calls import ask, new_sandbox


def models(provider: str, path: str = "/v1/models") -> Any:
    told = ask(new_sandbox(), path, method="GET", x_sandbox_provider=provider)
    assert told.entry is None
    return told.json


@pytest.mark.parametrize("provider", ["groq", "xai", "cerebras", "moonshot", "vllm", "llama.cpp", "deepseek"])
def test_models_are_listed_and_found(provider: str):
    base = "/openai/v1" if provider == "groq" else "/v1"
    listed = models(provider, base + "/models")

    assert listed["object"] == "list"
    first = listed["data"][-1]
    if "/" not in first["id"]:
        assert models(provider, f"{base}/models/{first['id']}") == first
    assert ask(new_sandbox(), base + "/models/no", method="GET", x_sandbox_provider=provider).status in (400, 404)


def test_mistrals_cards_say_what_a_model_can():
    cards = {card["id"]: card["capabilities"] for card in models("mistral")["data"]}

    assert cards["mistral-small-latest"]["completion_chat"]
    assert cards["codestral-2508"]["completion_fim"]
    assert not cards["mistral-embed"]["completion_chat"]


def test_togethers_list_is_bare():
    assert models("together")[0]["type"] == "chat"


def test_vllm_takes_stream_options_of_streams_alone():
    asked: Any = {"model": "Qwen/Qwen3-8B", "messages": [{"role": "user", "content": "hello"}], "stream_options": {}}

    told = ask(new_sandbox(), "/v1/chat/completions", asked)
    assert (told.status, told.json["error"]["code"]) == (400, 400)
    assert ask(new_sandbox(), "/v1/chat/completions", {**asked, "stream": True}).status == 200


def test_controls_of_tokens_that_an_operation_does_not_have_are_refused():
    asked = {"model": "rerank-v3.5", "query": "a", "documents": ["b"]}

    assert ask(new_sandbox(), "/v2/rerank", asked).status == 200
    for control in ("tokens", "reasoning_tokens", "input_tokens", "cached_tokens"):
        told = ask(new_sandbox(), "/v2/rerank", asked, **{f"x_sandbox_{control}": "5"})
        assert (told.status, told.entry) == (400, None)
