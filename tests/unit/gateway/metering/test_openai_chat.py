"""Each provider's own shape of usage, as recorded, and the buckets it means."""

import json

import msgspec
import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_chat import read
from gateway.metering.reading import Reading
from gateway.wire.jsontext import NotJson

STOP = [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]


def answer(usage: object, choices: object = STOP, **members: object) -> bytes:
    return json.dumps({"id": "chat-1", "model": "m-1", "choices": choices, "usage": usage, **members}).encode()


def buckets(reading: Reading) -> dict[str, int]:
    assert len(reading.lines) == 1
    assert reading.lines[0].model is None
    return dict(reading.lines[0].usage.buckets())


OPENAI = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 30, "audio_tokens": 10, "cache_write_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 5, "rejected_prediction_tokens": 3},
}


def test_openai_details_are_parts_of_their_totals():
    assert buckets(read(answer(OPENAI), "openai")) == {
        "input_text": 40, "input_audio": 10, "cache_read_text": 30, "cache_write": 20,
        "output_text": 25, "output_reasoning": 20, "output_audio": 5,
    }  # fmt: skip


def test_the_answer_names_its_model_tier_and_id():
    reading = read(answer(OPENAI, service_tier="flex"), "openai")
    assert (reading.model, reading.service_tier, reading.response_id) == ("m-1", "flex", "chat-1")
    assert reading.provenance == "reported"


QUIRKS = [
    # DeepSeek: hit and miss beside the details.
    ("deepseek", {"prompt_tokens": 563, "completion_tokens": 116, "total_tokens": 679, "prompt_cache_hit_tokens": 512,
                  "prompt_cache_miss_tokens": 51, "prompt_tokens_details": {"cached_tokens": 512},
                  "completion_tokens_details": {"reasoning_tokens": 60}},
     {"input_text": 51, "cache_read_text": 512, "output_text": 56, "output_reasoning": 60}),
    ("deepseek", {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11, "prompt_cache_hit_tokens": 4},
     {"input_text": 6, "cache_read_text": 4, "output_text": 1}),
    # Moonshot, Together, Hugging Face: cached tokens at the top.
    ("moonshot", {"prompt_tokens": 20, "completion_tokens": 30, "total_tokens": 50, "cached_tokens": 10,
                  "completion_tokens_details": {"reasoning_tokens": 22}},
     {"input_text": 10, "cache_read_text": 10, "output_text": 8, "output_reasoning": 22}),
    # Mistral: num_cached_tokens, null details, and Voxtral's seconds, whose tokens only the total holds.
    ("mistral", {"prompt_tokens": 15, "completion_tokens": 2, "total_tokens": 17, "num_cached_tokens": 5,
                 "prompt_tokens_details": None, "prompt_audio_seconds": None},
     {"input_text": 10, "cache_read_text": 5, "output_text": 2}),
    ("mistral", {"prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264, "prompt_audio_seconds": 203},
     {"input_text": 4, "output_text": 635, "input_audio_ms": 203_000}),
    # xAI: reasoning beside completion, text tokens restated.
    ("xai", {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303,
             "prompt_tokens_details": {"text_tokens": 12, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 11},
             "completion_tokens_details": {"reasoning_tokens": 290}, "cost_in_usd_ticks": 1466250},
     {"input_text": 1, "cache_read_text": 11, "output_text": 1, "output_reasoning": 290}),
    ("xai", {"prompt_tokens": 12, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 290}},
     {"input_text": 12, "output_text": 1, "output_reasoning": 290}),
    ("xai", {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}, {"input_text": 12, "output_text": 9}),
    # The same behind an origin that the policy only calls compatible.
    ("openai-compatible", {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 354,
                           "completion_tokens_details": {"reasoning_tokens": 340}},
     {"input_text": 12, "output_text": 2, "output_reasoning": 340}),
    # Google's compatible endpoint: thoughts are in the total alone.
    ("gemini", {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
     {"input_text": 35, "output_text": 12, "output_reasoning": 62}),
    ("openai-compatible", {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109},
     {"input_text": 35, "output_text": 12, "output_reasoning": 62}),
    # Perplexity: reasoning and citations beside a total that names neither.
    ("perplexity", {"prompt_tokens": 33, "completion_tokens": 7163, "total_tokens": 7196, "citation_tokens": 20016,
                    "num_search_queries": 18, "reasoning_tokens": 194001},
     {"input_text": 33, "output_text": 7163, "output_reasoning": 194001, "output_citation": 20016, "web_searches": 18}),
    # OpenRouter: reasoning one more than completion, by rounding.
    ("openrouter", {"prompt_tokens": 43, "completion_tokens": 10, "total_tokens": 53, "cost": 0, "is_byok": False,
                    "completion_tokens_details": {"reasoning_tokens": 11, "image_tokens": 0}},
     {"input_text": 43, "output_reasoning": 10}),
    # Azure's DeepSeek: reasoning at the top, inside completion.
    ("azure", {"prompt_tokens": 19, "completion_tokens": 100, "total_tokens": 119, "reasoning_tokens": 60,
               "prompt_tokens_details": None},
     {"input_text": 19, "output_text": 40, "output_reasoning": 60}),
    # vLLM: no details at all; Snowflake, Cerebras, Z.ai are like OpenAI.
    ("vllm", {"prompt_tokens": 46, "total_tokens": 60, "completion_tokens": 14, "prompt_tokens_details": None},
     {"input_text": 46, "output_text": 14}),
    ("ollama", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "usage", "expected"), QUIRKS)
def test_each_provider_is_read_by_its_own_arithmetic(provider: str, usage: object, expected: dict[str, int]):
    reading = read(answer(usage), provider)
    assert buckets(reading) == expected
    assert reading.flags == ()


def test_groqs_repeated_usage_counts_once_and_its_lone_one_counts():
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "total_time": 0.12}
    both = read(answer(usage, x_groq={"id": "req", "usage": usage}), "groq")
    lone = read(answer(None, x_groq={"id": "req", "usage": usage}), "groq")
    assert buckets(both) == buckets(lone) == {"input_text": 10, "output_text": 5}


def test_llama_cpp_without_usage_is_read_by_its_timings():
    body = answer(None, timings={"prompt_n": 7, "cache_n": 20, "predicted_n": 3, "predicted_ms": 12.5})
    assert buckets(read(body, "openai-compatible")) == {"input_text": 7, "cache_read_text": 20, "output_text": 3}


@pytest.mark.parametrize(
    ("model", "provider", "searches"),
    [
        ("gpt-4o-search-preview-2025-03-11", "openai", 1),
        ("gpt-4o-mini-search-preview", "azure", 1),
        ("gpt-5-search-api", "openai", 1),
        ("gpt-5-search-api", "vllm", 0),
        ("gpt-4o", "openai", 0),
    ],
)
def test_models_that_search_before_they_answer_are_billed_for_it(model: str, provider: str, searches: int):
    found = buckets(read(answer({"prompt_tokens": 1, "completion_tokens": 1}, model=model), provider))
    assert found.get("web_searches", 0) == searches


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -1, "completion_tokens": 5, "total_tokens": 4},
        {"prompt_tokens": 10.0, "completion_tokens": 5, "total_tokens": 15},
        {"prompt_tokens": "10", "completion_tokens": 5},
        {"prompt_tokens": 10, "completion_tokens": True},
        {"prompt_tokens": 10**30, "completion_tokens": 5},
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 99},
        {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 12},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": [1]},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_audio_seconds": -500},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_audio_seconds": 1e308},
        "all of it",
    ],
)
def test_a_usage_that_makes_no_sense_is_unknown_and_flagged(usage: object):
    reading = read(answer(usage), "openai")
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (INCONSISTENT,))
    assert reading.model == "m-1"


def test_more_cached_and_written_than_sent_is_read_as_far_as_it_goes_and_flagged():
    details = {"cached_tokens": 2161, "cache_write_tokens": 2161}
    usage = {"prompt_tokens": 2168, "completion_tokens": 1, "total_tokens": 2169, "prompt_tokens_details": details}
    reading = read(answer(usage), "openrouter")
    assert buckets(reading) == {"cache_read_text": 2161, "cache_write": 7, "output_text": 1}
    assert reading.flags == (INCONSISTENT,)


@pytest.mark.parametrize("usage", [None, {}, {"cost": 1.5}])
def test_no_usage_is_unknown_and_not_zero(usage: object):
    reading = read(answer(usage), "openai")
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", ())


@pytest.mark.parametrize(
    ("choices", "provenance"),
    [
        ([], "reported"),
        ([{"index": 0, "delta": {}, "finish_reason": "stop"}], "reported"),
        ([{"index": 0, "delta": {"content": "x"}, "finish_reason": None}], "partial"),
    ],
)
def test_usage_beside_unfinished_choices_is_a_running_total(choices: object, provenance: str):
    assert read(answer(OPENAI, choices), "perplexity").provenance == provenance


def test_an_error_is_noticed():
    assert read(b'{"error":{"message":"no","status_code":400}}', "groq").flags == (PROVIDER_ERROR,)
    assert read(b'{"error":null,"choices":[]}', "groq").flags == ()


def test_odd_names_cost_no_numbers():
    reading = read(answer(OPENAI, id=7, model=None, service_tier=["x"]), "openai")
    assert (reading.model, reading.service_tier, reading.response_id) == (None, None, None)
    assert buckets(reading)


@pytest.mark.parametrize(("body", "error"), [(b"<html>", NotJson), (b"[]", msgspec.ValidationError)])
def test_what_is_no_answer_is_said_to_be_none(body: bytes, error: type[Exception]):
    with pytest.raises(error):
        read(body, "openai")
