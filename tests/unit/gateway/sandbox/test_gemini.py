from typing import Any

import pytest

from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"contents": [{"parts": [{"text": "hello"}]}]}
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"


def call(document: Any = ASKED, path: str = GENERATE, method: str = "POST", **headers: Any) -> Told:
    given = {"authorization": None, "x_goog_api_key": KEY, **headers}
    return ask(new_sandbox(), path, document, method, **given)


def test_errors_have_googles_shape():
    told = call(path=GENERATE.replace("2.5", "9"))

    assert (told.status, set(told.json), told.json["error"]["status"]) == (404, {"error"}, "NOT_FOUND")
    assert told.json["error"]["code"] == 404
    assert told.json["error"]["message"].startswith("models/gemini-9-flash is not found for API version v1beta")


def test_a_missing_key_is_403_and_a_wrong_one_400():
    missing, wrong = call(x_goog_api_key=None), call(x_goog_api_key="AIza-wrong")

    assert (missing.status, missing.json["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert (wrong.status, wrong.json["error"]["details"][0]["reason"]) == (400, "API_KEY_INVALID")


@pytest.mark.parametrize("key", [{"path": GENERATE + f"?key={KEY}"}, {"authorization": f"Bearer {KEY}"}])
def test_the_other_slots_are_taken_too(key: dict[str, Any]):
    assert call(x_goog_api_key=None, **key).status == 200


def test_our_own_key_is_refused_in_any_slot():
    assert call(path=GENERATE + "?key=lk-a").status == 400
    assert call(x_goog_api_key="lk-a").status == 400


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"{", "Invalid JSON payload received."),
        ({**ASKED, "tone": 1}, 'Invalid JSON payload received. Unknown name "tone": Cannot find field.'),
        ({}, "* contents is not specified"),
        ({"contents": []}, "Invalid value at 'contents'"),
    ],
)
def test_bodies_that_are_not_what_the_endpoint_takes_are_400(document: Any, text: str):
    told = call(document)

    assert (told.status, told.json["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert told.json["error"]["message"].startswith(text)


def test_names_may_be_in_snake_case():
    told = call({**ASKED, "generation_config": {"max_output_tokens": 2}, "system_instruction": {"parts": []}})

    assert told.json["usageMetadata"]["candidatesTokenCount"] == 2


def test_a_failure_is_given_as_ordered():
    told = call(x_sandbox_fail_status="429")

    assert (told.status, told.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


def test_models_are_listed_and_retrieved_under_both_versions():
    for root in ("/v1beta/models", "/v1/models"):
        listed = call(path=root, method="GET").json["models"]
        assert "models/gemini-2.5-flash" in [model["name"] for model in listed]
    assert call(path="/v1beta/models/gemini-embedding-2", method="GET").json["supportedGenerationMethods"] == [
        "embedContent"
    ]
    assert call(path="/v1beta/models/gpt-4o", method="GET").status == 404
    assert call(path="/v1beta/tunedModels", method="GET").json["error"]["status"] == "NOT_FOUND"
