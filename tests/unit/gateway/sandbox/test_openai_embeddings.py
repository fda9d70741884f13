import base64
import struct
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox


def embed(more: dict[str, Any], **headers: Any) -> Told:
    return ask(new_sandbox(), "/v1/embeddings", {"model": "text-embedding-3-small", **more}, **headers)


def test_each_input_gets_a_vector_and_the_input_is_billed():
    told = embed({"input": ["eightish", "x"]})

    said = told.json
    assert [(item["index"], len(item["embedding"])) for item in said["data"]] == [(0, 1536), (1, 1536)]
    assert said["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert told.entry
    assert told.entry.tokens == Tokens(input=3)


def test_base64_is_the_same_numbers():
    numbers = embed({"input": "x", "dimensions": 4}).json["data"][0]["embedding"]
    text = embed({"input": "x", "dimensions": 4, "encoding_format": "base64"}).json["data"][0]["embedding"]

    assert list(struct.unpack("<4f", base64.b64decode(text))) == numbers


@pytest.mark.parametrize(
    ("more", "param"), [({}, "input"), ({"input": "x", "dimensions": 5000}, "dimensions"), ({"input": []}, "input")]
)
def test_what_cannot_be_embedded_is_refused(more: dict[str, Any], param: str):
    told = embed(more)

    assert (told.status, told.json["error"]["param"]) == (400, param)


def test_moderation_flags_nothing_and_costs_nothing():
    told = ask(new_sandbox(), "/v1/moderations", {"input": ["a", "b"]})

    assert [result["flagged"] for result in told.json["results"]] == [False, False]
    assert told.entry is None
    assert ask(new_sandbox(), "/v1/moderations", {}).status == 400
    assert ask(new_sandbox(), "/v1/moderations", {"input": "a", "model": "gpt-4o"}).status == 404
