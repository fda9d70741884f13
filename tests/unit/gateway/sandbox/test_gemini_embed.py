from typing import Any

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

CONTENT = {"content": {"parts": [{"text": "eightish"}]}, "outputDimensionality": 4}


def embed(document: Any, model: str = "gemini-embedding-2", verb: str = "embedContent") -> Told:
    path = f"/v1beta/models/{model}:{verb}"
    return ask(new_sandbox(), path, document, authorization=None, x_goog_api_key=KEY)  # type: ignore[arg-type]


def test_a_content_gets_a_vector_and_its_count():
    told = embed(CONTENT)

    assert len(told.json["embedding"]["values"]) == 4
    assert told.json["usageMetadata"] == {
        "promptTokenCount": 2,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 2}],
    }
    assert told.entry
    assert (told.entry.tokens, told.entry.endpoint) == (Tokens(input=2), "embed_content")


def test_a_batch_gets_a_vector_for_each():
    requests = [{"model": "models/gemini-embedding-2", **CONTENT}] * 3
    told = embed({"requests": requests}, verb="batchEmbedContents")

    assert len(told.json["embeddings"]) == 3
    assert told.json["embeddings"][0] == embed(CONTENT).json["embedding"] | {}
    assert told.entry
    assert told.entry.tokens.input == 6


def test_the_older_model_is_billed_and_does_not_say_so():
    told = embed(CONTENT, model="gemini-embedding-001")

    assert "usageMetadata" not in told.json
    assert told.entry
    assert told.entry.tokens.input == 2


def test_what_cannot_be_embedded_is_refused():
    assert embed({}).json["error"]["message"] == "* content is not specified"
    assert embed({"requests": []}, verb="batchEmbedContents").status == 400
    assert embed({**CONTENT, "outputDimensionality": 9999}).status == 400
    assert embed(CONTENT, model="gemini-2.5-flash").status == 404
