from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

EMBED: Any = {"model": "embed-v4.0", "texts": ["hello", "world"], "input_type": "search_query"}
RERANK: Any = {"model": "rerank-v3.5", "query": "night", "documents": ["day", "night"]}


def embed(path: str = "/v2/embed", **more: Any) -> Told:
    return ask(new_sandbox(), path, {**EMBED, **more})


def test_the_second_version_answers_by_type():
    told = embed(embedding_types=["float", "int8", "uint8", "binary", "ubinary", "base64"])

    vectors = told.json["embeddings"]
    assert [number * 8 for number in vectors["float"][0]] == vectors["int8"][0]
    assert [number + 128 for number in vectors["int8"][0]] == vectors["uint8"][0]
    assert len(vectors["ubinary"][0]) * 8 == len(vectors["float"][0])
    assert [number - 128 for number in vectors["ubinary"][0]] == vectors["binary"][0]
    assert told.json["meta"] == {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 4}}
    assert told.entry
    assert told.entry.tokens == Tokens(input=4)


def test_the_first_version_gives_bare_vectors_unless_asked_for_types():
    assert embed("/v1/embed").json["response_type"] == "embeddings_floats"
    assert embed("/v1/embed", embedding_types=["float"]).json["response_type"] == "embeddings_by_type"
    assert len(embed(output_dimension=512).json["embeddings"]["float"][0]) == 512


@pytest.mark.parametrize(
    "more", [{"input_type": None}, {"output_dimension": 7}, {"texts": []}, {"texts": ["a"] * 97}, {"model": "no"}]
)
def test_embed_refuses_what_it_cannot(more: dict[str, Any]):
    assert embed(**more).status in (400, 404)


@pytest.mark.parametrize(("documents", "units"), [(1, 1), (100, 1), (101, 2)])
def test_rerank_is_billed_by_the_search(documents: int, units: int):
    told = ask(new_sandbox(), "/v2/rerank", {**RERANK, "documents": ["day"] * documents, "top_n": 1})

    assert len(told.json["results"]) == 1
    assert told.json["meta"]["billed_units"] == {"search_units": units}
    assert told.entry
    assert told.entry.tokens == Tokens(search_units=units)


def test_the_first_version_gives_documents_back():
    asked = {**RERANK, "documents": ["day", {"text": "night"}], "return_documents": True}
    told = ask(new_sandbox(), "/v1/rerank", asked)

    documents = {result["index"]: result["document"] for result in told.json["results"]}
    assert documents == {0: {"text": "day"}, 1: {"text": "night"}}
    assert ask(new_sandbox(), "/v2/rerank", asked).status == 422
