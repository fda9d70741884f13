from typing import Any

import pytest

from gateway.sandbox.vertex import characters_of
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"contents": [{"role": "user", "parts": [{"text": "eight or so"}]}]}
GOOGLE = "/v1/projects/shop/locations/global/publishers/google/models"


def call(verb: str = "generateContent", document: Any = ASKED, model: str = "gemini-2.5-flash", **headers: Any) -> Told:
    return ask(new_sandbox(), f"{GOOGLE}/{model}:{verb}", document, **headers)


def test_an_answer_names_its_traffic_its_time_and_its_modalities():
    said = call(x_sandbox_tokens="3").json

    assert said["usageMetadata"] == {
        "promptTokenCount": 4,
        "candidatesTokenCount": 3,
        "totalTokenCount": 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}],
        "trafficType": "ON_DEMAND",
    }
    assert said["createTime"] == "2025-11-23T12:13:20.000000Z"
    assert "index" not in said["candidates"][0]


def test_only_the_last_part_of_a_stream_counts_tokens():
    told = call("streamGenerateContent?alt=sse", x_sandbox_tokens="2")

    *parts, last = [event["usageMetadata"] for event in told.events]
    assert parts == [{"trafficType": "ON_DEMAND"}] * 2
    assert last["totalTokenCount"] == 6
    assert told.entry
    assert (told.entry.dialect, told.entry.tokens.output) == ("vertex", 2)


def test_without_alt_sse_the_stream_is_one_json_array():
    assert len(call("streamGenerateContent", x_sandbox_tokens="2").json) == 3


def test_both_versions_are_served():
    path = f"{GOOGLE}/gemini-2.5-flash:generateContent".replace("/v1/", "/v1beta1/")

    assert ask(new_sandbox(), path, ASKED).status == 200


@pytest.mark.parametrize(
    ("given", "reason", "text"),
    [
        ({"authorization": None}, "CREDENTIALS_MISSING", "missing required authentication credential"),
        ({"authorization": None, "x_goog_api_key": KEY}, "CREDENTIALS_MISSING", "API keys are not supported"),
        ({"authorization": "Bearer ya29.a"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "invalid authentication credentials"),
        ({"x_api_key": "lk-a"}, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "invalid authentication credentials"),
    ],
)
def test_only_an_access_token_opens(given: dict[str, Any], reason: str, text: str):
    told = call(**given)

    error = told.json["error"]
    assert (told.status, error["status"], error["details"][0]["reason"]) == (401, "UNAUTHENTICATED", reason)
    assert text in error["message"]


def test_a_model_that_is_not_is_named_in_full():
    told = call(model="gemini-9")

    assert (told.status, told.json["error"]["status"]) == (404, "NOT_FOUND")
    name = "projects/shop/locations/global/publishers/google/models/gemini-9"
    assert told.json["error"]["message"].startswith(f"Publisher Model `{name}` was not found")


def test_contents_need_a_role_and_fields_are_vertexs_own():
    assert call(document={"contents": [{"parts": []}]}).json["error"]["message"] == (
        "Please use a valid role: user, model."
    )
    assert call(document={**ASKED, "labels": {}}).status == 200
    assert call(document={**ASKED, "serviceTier": "flex"}).status == 400


def test_tokens_and_characters_are_counted_for_free():
    told = call("countTokens", {**ASKED, "systemInstruction": {"parts": [{"text": "be brief"}]}})

    assert (told.json["totalTokens"], told.json["totalBillableCharacters"], told.entry) == (6, 16, None)


def test_embeddings_have_usage_whatever_the_model():
    content = {"content": {"parts": [{"text": "eightish"}]}, "outputDimensionality": 4}
    said = call("embedContent", content, "gemini-embedding-001").json
    batched = call("batchEmbedContents", {"requests": [content, content]}, "gemini-embedding-2").json

    assert len(said["embedding"]["values"]) == 4
    assert said["usageMetadata"]["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": 2}]
    assert batched["usageMetadata"]["totalTokenCount"] == 4


def test_white_space_is_free():
    assert characters_of({"a": ["b c\n", 1, None], "d": "ef"}) == 4
