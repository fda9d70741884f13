"""Vertex AI's predict: the tokens of every text, or the characters of all where tokens are not told."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.reading import Reading
from gateway.metering.vertex_predict import read


def embedded(*counts: object, **members: object) -> Reading:
    predictions = [{"embeddings": {"statistics": {"token_count": count, "truncated": False}, "values": [0.1]}}
                   for count in counts]  # fmt: skip
    return read(json.dumps({"predictions": predictions, **members}).encode(), "vertex")


def buckets(reading: Reading) -> list[dict[str, int]]:
    return [dict(line.usage.buckets()) for line in reading.lines]


def test_the_tokens_of_all_texts_are_summed():
    assert buckets(embedded(4)) == [{"input_text": 4}]
    assert buckets(embedded(4, 6.0, metadata={"billableCharacterCount": 12})) == [{"input_text": 10}]


def test_characters_count_where_tokens_are_not_told():
    reading = read(
        b'{"predictions":[{"embeddings":{"values":[0.1]}}],"metadata":{"billableCharacterCount":12}}', "vertex"
    )
    assert (buckets(reading), reading.provenance) == ([{"input_characters": 12}], "reported")


@pytest.mark.parametrize(
    "answer",
    [{}, {"predictions": []}, {"predictions": [{"bytesBase64Encoded": "AA", "mimeType": "image/png"}]},
     {"predictions": [{"content": "Hi"}], "metadata": {"tokenMetadata": {}}}],
)  # fmt: skip
def test_answers_of_other_models_state_nothing(answer: object):
    assert read(json.dumps(answer).encode(), "vertex") == Reading()


@pytest.mark.parametrize("count", [-1, 1.5, "4"])
def test_counts_that_make_no_sense_are_unknown(count: object):
    assert embedded(count) == Reading(flags=(INCONSISTENT,))


def test_an_error_is_noticed():
    assert read(b'{"error":{"code":400,"message":"no"}}', "vertex").flags == (PROVIDER_ERROR,)
