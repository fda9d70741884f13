"""Converse: both caches beside the input, writes by their time to live, and never a model."""

import json

import msgspec
import pytest

from gateway.metering.bedrock_converse import read
from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.reading import Reading
from gateway.wire import jsontext


def answer(usage: object, **members: object) -> Reading:
    body = {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "usage": usage, **members}
    return read(json.dumps(body).encode(), "bedrock")


CASES = [
    ({"inputTokens": 25, "outputTokens": 4, "totalTokens": 29}, {"input_text": 25, "output_text": 4}),
    # Recorded, with duplicates that no document names.
    ({"cacheReadInputTokenCount": 2752, "cacheReadInputTokens": 2752, "cacheWriteInputTokenCount": 0,
      "cacheWriteInputTokens": 0, "inputTokens": 433, "outputTokens": 16, "serverToolUsage": {}, "totalTokens": 3201},
     {"input_text": 433, "cache_read_text": 2752, "output_text": 16}),
    ({"inputTokens": 3, "outputTokens": 5, "totalTokens": 1008, "cacheWriteInputTokens": 1000,
      "cacheDetails": [{"ttl": "1h", "inputTokens": 600}, {"ttl": "5m", "inputTokens": 300}]},
     {"input_text": 3, "cache_write": 100, "cache_write_1h": 600, "cache_write_5m": 300, "output_text": 5}),
    ({"inputTokens": 3, "outputTokens": 5, "cacheWriteInputTokens": 1000}, {"input_text": 3, "cache_write": 1000,
      "output_text": 5}),
    # Details never claim more than was written; a time to live that nobody knows is written all the same.
    ({"inputTokens": 3, "outputTokens": 5, "cacheWriteInputTokens": 10,
      "cacheDetails": [{"ttl": "1h", "inputTokens": 60}]}, {"input_text": 3, "cache_write_1h": 10, "output_text": 5}),
    ({"inputTokens": 3, "outputTokens": 5, "cacheWriteInputTokens": 10,
      "cacheDetails": [{"ttl": "9d", "inputTokens": 10}]}, {"input_text": 3, "cache_write": 10, "output_text": 5}),
    # As Nova spells it in InvokeModel.
    ({"inputTokens": 30, "outputTokens": 55, "cacheReadInputTokenCount": 7, "cacheWriteInputTokenCount": 8},
     {"input_text": 30, "cache_read_text": 7, "cache_write": 8, "output_text": 55}),
    # A prompt that a guardrail refused.
    ({"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "buckets"), CASES)
def test_usage_becomes_disjoint_buckets(usage: dict[str, object], buckets: dict[str, int]):
    reading = answer(usage)
    assert [dict(line.usage.buckets()) for line in reading.lines] == [buckets]
    assert (reading.provenance, reading.model, reading.flags) == ("reported", None, ())


def test_the_tier_and_an_optimised_latency_are_price_modifiers():
    usage = {"inputTokens": 1, "outputTokens": 1}
    reading = answer(usage, serviceTier={"type": "flex"}, performanceConfig={"latency": "optimized"})
    assert (reading.service_tier, reading.context) == ("flex", (("latency", "optimized"),))
    odd = answer(usage, serviceTier="flex", performanceConfig=[1])
    assert (odd.service_tier, odd.context, odd.provenance) == (None, (), "reported")


@pytest.mark.parametrize(
    ("usage", "flags"),
    [
        (None, ()),
        ({}, ()),
        ({"inputTokens": -1, "outputTokens": 1}, (INCONSISTENT,)),
        ({"inputTokens": "1", "outputTokens": 1}, (INCONSISTENT,)),
        ({"inputTokens": 5, "outputTokens": 5, "totalTokens": 99}, (INCONSISTENT,)),
    ],
)
def test_no_sensible_usage_is_unknown(usage: object, flags: tuple[str, ...]):
    reading = answer(usage)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", flags)


def test_a_refusal_is_an_error_of_the_provider():
    assert read(b'{"message":"The provided model identifier is invalid."}', "bedrock").flags == (PROVIDER_ERROR,)


def test_a_usage_that_is_no_text_is_no_answer():
    with pytest.raises(jsontext.NotJson):
        read(b'{"usage":{"inputTokens":1,"cacheDetails":[{"ttl":"\xff"}]}}', "bedrock")


def test_what_is_no_object_is_no_answer():
    with pytest.raises(msgspec.ValidationError):
        read(b"[1]", "bedrock")
