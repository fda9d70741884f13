from typing import Any

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import ask, new_sandbox

RERANK: Any = {"model": "Salesforce/Llama-Rank-V1", "query": "night", "documents": ["day", "night", {"text": "dusk"}]}
IMAGES: Any = {"model": "black-forest-labs/FLUX.1-schnell", "prompt": "night"}


def test_rerank_orders_documents_and_bills_what_it_read():
    told = ask(new_sandbox(), "/v1/rerank", {**RERANK, "return_documents": True})

    scores = [result["relevance_score"] for result in told.json["results"]]
    assert scores == sorted(scores, reverse=True)
    documents = {result["index"]: result["document"] for result in told.json["results"]}
    assert documents == {0: {"text": "day"}, 1: {"text": "night"}, 2: {"text": "dusk"}}
    assert told.json["usage"]["total_tokens"] == 6
    assert told.entry
    assert told.entry.tokens == Tokens(input=6)
    assert len(ask(new_sandbox(), "/v1/rerank", {**RERANK, "top_n": 1}).json["results"]) == 1


def test_images_are_counted():
    told = ask(new_sandbox(), "/v1/images/generations", {**IMAGES, "n": 2})
    coded = ask(new_sandbox(), "/v1/images/generations", {**IMAGES, "response_format": "base64"})

    assert [image["type"] for image in told.json["data"]] == ["url", "url"]
    assert coded.json["data"][0]["b64_json"]
    assert told.entry
    assert told.entry.tokens == Tokens(output_images=2)


def test_what_cannot_be_is_refused():
    assert ask(new_sandbox(), "/v1/images/generations", {**IMAGES, "n": 9}).status == 400
    assert ask(new_sandbox(), "/v1/rerank", {**RERANK, "documents": []}).status == 400
    assert ask(new_sandbox(), "/v1/rerank", RERANK, x_sandbox_tokens="5").status == 400
