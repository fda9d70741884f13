from typing import Any

import pytest

from tests.support.sandbox_calls import Told, ask, new_sandbox

PREDICT = "/v1/projects/shop/locations/us-central1/publishers/google/models/gemini-embedding-001:predict"
ASKED = {"instances": [{"content": "eightish"}, {"content": "and so on", "task_type": "RETRIEVAL_QUERY"}]}


def predict(document: Any = ASKED, path: str = PREDICT, **headers: Any) -> Told:
    return ask(new_sandbox(), path, document, **headers)


def test_every_instance_is_counted_by_tokens_and_all_by_characters():
    told = predict({**ASKED, "parameters": {"outputDimensionality": 4}})

    embeddings = [prediction["embeddings"] for prediction in told.json["predictions"]]
    assert [len(embedding["values"]) for embedding in embeddings] == [4, 4]
    assert [embedding["statistics"] for embedding in embeddings] == [
        {"truncated": False, "token_count": 2},
        {"truncated": False, "token_count": 3},
    ]
    assert told.json["metadata"] == {"billableCharacterCount": 15}
    assert told.entry
    assert (told.entry.tokens.input, told.entry.endpoint) == (5, "predict")


@pytest.mark.parametrize(("tokens", "counts"), [("10", [7, 3]), ("2", [2, 0])])
def test_the_counts_sum_to_what_a_control_bills(tokens: str, counts: list[int]):
    told = predict(x_sandbox_input_tokens=tokens)

    said = [prediction["embeddings"]["statistics"]["token_count"] for prediction in told.json["predictions"]]
    assert said == counts


@pytest.mark.parametrize("document", [{}, {"instances": []}, {"instances": [{"text": "x"}]}, {**ASKED, "content": "x"}])
def test_other_bodies_are_400(document: Any):
    assert predict(document).json["error"]["status"] == "INVALID_ARGUMENT"


def test_only_embedding_models_predict():
    assert predict(path=PREDICT.replace("gemini-embedding-001", "gemini-2.5-flash")).status == 404
