import json
from typing import Any

import pytest

from gateway.bounds.parts import Parts
from gateway.bounds.said import SAID_BYTES_MAX, Said, said_in

BODY: dict[str, Any] = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


def said(reader: str = "openai.chat", **more: Any) -> Said | None:
    return said_in(json.dumps(BODY | more).encode(), reader)


def test_what_the_model_reads_and_what_asks_for_nothing_makes_no_difference():
    assert said() == said(messages=[{"role": "user", "content": "something else"}]) == said(user="ann", seed=7)
    assert said("anthropic.messages") == said("anthropic.messages", system="Be brief.")


def test_words_in_any_shape_say_the_same():
    marked = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}
    assert said() == said(messages=[{"role": "user", "content": [marked]}])
    assert said() == said_in(json.dumps(BODY).encode().replace(b"hi", rb"\ud83d"), "openai.chat")


@pytest.mark.parametrize(
    "more",
    [
        {"max_tokens": 6},
        {"max_tokens": 5.0},
        {"max_tokens": True},
        {"n": 2},
        {"tools": [{"type": "function"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a/b"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"web_search_options": {}},
    ],
)
def test_what_is_asked_for_makes_one(more: dict[str, Any]):
    assert said(**more) is not None
    assert said(**more) != said()


def test_the_data_of_images_are_counted():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    found = said(messages=[{"role": "user", "content": [image]}])
    assert found is not None
    assert found.parts == Parts(images=1, image_characters=len("data:image/png;base64,AAAA"))


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null"])
def test_what_cannot_be_told_in_short_is_not(text: bytes):
    assert said_in(text, "openai.chat") is None


def test_what_says_much_or_is_of_an_api_that_must_be_read_is_not_told_in_short():
    assert said(tools=[{"type": "function", "description": "x" * SAID_BYTES_MAX}]) is None
    assert said("ollama.chat") is None
