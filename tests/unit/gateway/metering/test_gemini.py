"""Gemini: thoughts and tool use beside what they look like parts of, cached tokens within the prompt."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.gemini import billed_searches, read
from gateway.metering.reading import Reading


def text(tokens: int) -> list[dict[str, object]]:
    return [{"modality": "TEXT", "tokenCount": tokens}]


def answer(finished: bool = True, grounding: object = None, **usage: object) -> bytes:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "groundingMetadata": grounding}
    if finished:
        candidate["finishReason"] = "STOP"
    body = {"candidates": [candidate], "modelVersion": "gemini-3-flash", "responseId": "r1", "usageMetadata": usage}
    return json.dumps(body).encode()


def buckets(reading: Reading) -> dict[str, int]:
    assert len(reading.lines) == 1
    return dict(reading.lines[0].usage.buckets())


CASES = [
    ({"promptTokenCount": 9, "candidatesTokenCount": 23, "thoughtsTokenCount": 302, "totalTokenCount": 334},
     {"input_text": 9, "output_text": 23, "output_reasoning": 302}),
    ({"promptTokenCount": 427, "candidatesTokenCount": 122, "totalTokenCount": 1767, "toolUsePromptTokenCount": 771,
      "promptTokensDetails": text(427), "toolUsePromptTokensDetails": text(771), "thoughtsTokenCount": 447},
     {"input_text": 1198, "output_text": 122, "output_reasoning": 447}),
    # Cached tokens by modality; documents count as images.
    ({"promptTokenCount": 1000, "cachedContentTokenCount": 600, "candidatesTokenCount": 1, "totalTokenCount": 1001,
      "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}, {"modality": "AUDIO", "tokenCount": 300},
                              {"modality": "DOCUMENT", "tokenCount": 258}, {"modality": "VIDEO", "tokenCount": 342}],
      "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 300}, {"modality": "VIDEO", "tokenCount": 300}]},
     {"input_text": 100, "input_image": 258, "input_video": 42, "cache_read_audio": 300, "cache_read_video": 300,
      "output_text": 1}),
    # Cached without details: text first, then what there is.
    ({"promptTokenCount": 100, "cachedContentTokenCount": 60, "totalTokenCount": 100,
      "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 40}, {"modality": "AUDIO", "tokenCount": 60}]},
     {"input_audio": 40, "cache_read_text": 40, "cache_read_audio": 20}),
    # Images and speech that were made.
    ({"promptTokenCount": 5, "candidatesTokenCount": 1290, "totalTokenCount": 1295,
      "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1280}]},
     {"input_text": 5, "output_text": 10, "output_image": 1280}),
    # Vertex with enumerations as numbers.
    ({"promptTokenCount": 11, "candidatesTokenCount": 16, "totalTokenCount": 259, "trafficType": 1,
      "promptTokensDetails": [{"modality": 4, "tokenCount": 11}], "thoughtsTokenCount": 232},
     {"input_audio": 11, "output_text": 16, "output_reasoning": 232}),
    # Details that claim more than there is.
    ({"promptTokenCount": 50, "totalTokenCount": 50,
      "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 535}, {"modality": "TEXT", "tokenCount": 50}]},
     {"input_audio": 50}),
    # Embeddings spell the details otherwise.
    ({"promptTokenCount": 14, "promptTokenDetails": [{"modality": "IMAGE", "tokenCount": 4}]},
     {"input_text": 10, "input_image": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "expected"), CASES)
def test_usage_becomes_disjoint_buckets(usage: dict[str, object], expected: dict[str, int]):
    reading = read(answer(**usage), "gemini")
    assert buckets(reading) == expected
    assert reading.flags == ()


def test_the_answer_names_its_model_tier_traffic_and_id():
    api = read(answer(promptTokenCount=1, serviceTier="flex"), "gemini")
    vertex = read(answer(promptTokenCount=1, trafficType="ON_DEMAND_PRIORITY"), "gemini")
    assert (api.model, api.response_id, api.service_tier, api.context) == ("gemini-3-flash", "r1", "flex", ())
    assert (vertex.service_tier, vertex.context) == (None, (("traffic_type", "ON_DEMAND_PRIORITY"),))


def test_a_chunk_is_a_running_total_until_a_candidate_ends():
    assert read(answer(finished=False, promptTokenCount=1), "gemini").provenance == "partial"
    assert read(answer(promptTokenCount=1), "gemini").provenance == "reported"


def test_searches_are_the_queries_put_to_google():
    grounding = {"webSearchQueries": ["a", "b"], "groundingChunks": []}
    assert buckets(read(answer(grounding=grounding, promptTokenCount=1), "gemini"))["web_searches"] == 2
    grounding["imageSearchQueries"] = ["c"]
    assert buckets(read(answer(grounding=grounding, promptTokenCount=1), "gemini"))["web_searches"] == 3


@pytest.mark.parametrize(
    ("model", "queries", "billed"),
    [
        ("gemini-2.5-flash", 3, 1),
        ("models/gemini-2.5-pro", 0, 0),
        ("gemini-1.5-pro-002", 2, 1),
        ("gemini-3-flash-preview", 3, 3),
        ("gemini-20-pro", 3, 3),
        (None, 3, 3),
    ],
)
def test_models_before_gemini_3_are_billed_for_a_prompt_that_searched(model: str | None, queries: int, billed: int):
    assert billed_searches(model, queries) == billed


@pytest.mark.parametrize(
    ("usage", "flags"),
    [
        ({"trafficType": "ON_DEMAND"}, ()),
        ({}, ()),
        ({"promptTokenCount": -1}, (INCONSISTENT,)),
        ({"promptTokenCount": 5.5}, (INCONSISTENT,)),
        ({"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 99}, (INCONSISTENT,)),
    ],
)
def test_no_sensible_usage_is_unknown(usage: dict[str, object], flags: tuple[str, ...]):
    reading = read(answer(**usage), "gemini")
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", flags)


def test_an_error_is_noticed():
    assert read(b'{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}', "gemini").flags == (PROVIDER_ERROR,)
