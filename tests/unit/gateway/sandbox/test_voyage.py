from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox


def call(path: str, **document: Any) -> Told:
    return ask(new_sandbox(), "/v1/" + path, document, x_sandbox_provider="voyage")


def test_embeddings_name_the_total_alone():
    told = call("embeddings", model="voyage-3.5", input=["hello", "world"], output_dimension=4)

    assert [len(item["embedding"]) for item in told.json["data"]] == [4, 4]
    assert told.json["usage"] == {"total_tokens": 4}
    assert told.entry
    assert told.entry.tokens == Tokens(input=4)
    assert isinstance(
        call("embeddings", model="voyage-3.5", input="a", encoding_format="base64").json["data"][0]["embedding"], str
    )


def test_chunks_in_context_have_a_list_for_each_document():
    told = call("contextualizedembeddings", model="voyage-context-3", inputs=[["a", "b"], ["c"]])

    assert [[item["index"] for item in document["data"]] for document in told.json["data"]] == [[0, 1], [0]]
    assert told.json["usage"] == {"total_tokens": 3}


def test_pictures_are_counted_beside_texts():
    picture = {"type": "image_url", "image_url": "https://example.com/a.png"}
    told = call("multimodalembeddings", model="voyage-multimodal-3", inputs=[
        {"content": [{"type": "text", "text": "hello"}, picture]}
    ])  # fmt: skip

    assert told.json["usage"] == {"text_tokens": 2, "image_pixels": 560_000, "total_tokens": 1002}
    assert told.entry
    assert told.entry.tokens == Tokens(input=1002)


def test_rerank_counts_the_query_with_every_document():
    told = call("rerank", model="rerank-2.5", query="night", documents=["day", "dusk"], top_k=1, return_documents=True)

    (best,) = told.json["data"]
    assert best["document"] in ("day", "dusk")
    assert told.json["usage"] == {"total_tokens": 2 * 2 + 2}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("embeddings", {"model": "voyage-context-3", "input": "a"}),
        ("embeddings", {"model": "voyage-3.5", "input": []}),
        ("embeddings", {"model": "voyage-3.5", "input": "a", "encoding_format": "float"}),
        ("contextualizedembeddings", {"model": "voyage-3.5", "inputs": [["a"]]}),
        ("multimodalembeddings", {"model": "voyage-multimodal-3", "inputs": [{"content": []}]}),
        ("rerank", {"model": "rerank-2.5", "query": "a"}),
    ],
)
def test_what_cannot_be_is_refused(path: str, document: dict[str, Any]):
    told = call(path, **document)

    assert told.status == 400
    assert set(told.json) == {"detail"}
