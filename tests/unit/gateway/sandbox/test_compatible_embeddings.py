import base64
import struct
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

MODELS = {
    "mistral": "mistral-embed",
    "together": "BAAI/bge-base-en-v1.5",
    "vllm": "Qwen/Qwen3-Embedding-8B",
    "ollama": "nomic-embed-text",
    "cohere": "embed-v4.0",
}


def embed(provider: str, **more: Any) -> Told:
    path = "/compatibility/v1/embeddings" if provider == "cohere" else "/v1/embeddings"
    return ask(new_sandbox(), path, {"model": MODELS[provider], "input": ["hello", "world"], **more})


@pytest.mark.parametrize("provider", MODELS)
def test_every_input_has_its_vector_and_the_prompt_is_billed(provider: str):
    told = embed(provider)

    assert [item["index"] for item in told.json["data"]] == [0, 1]
    assert told.json["usage"]["prompt_tokens"] == told.json["usage"]["total_tokens"] == 4
    assert told.entry
    assert (told.entry.dialect, told.entry.tokens) == (provider, Tokens(input=4))


def test_base64_holds_the_same_numbers():
    (plain, coded) = (
        embed("vllm", input="hello", dimensions=4, **more).json for more in ({}, {"encoding_format": "base64"})
    )

    raw = base64.b64decode(coded["data"][0]["embedding"])
    assert list(struct.unpack("<4f", raw)) == plain["data"][0]["embedding"]


def test_mistral_names_dimensions_its_own_way():
    assert len(embed("mistral", output_dimension=8).json["data"][0]["embedding"]) == 8
    assert embed("mistral", dimensions=8).status == 422
    assert embed("vllm", input=[]).status == 400
