"""Ollama: the counts of the last object; a prompt that was not counted is unknown, not nothing."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, INPUT_NOT_COUNTED, PROVIDER_ERROR
from gateway.metering.ollama import read, read_embedding
from gateway.metering.reading import Reading


def told(**members: object) -> Reading:
    return read(json.dumps({"model": "llama3", **members}).encode(), "ollama")


def buckets(reading: Reading) -> list[dict[str, int]]:
    return [dict(line.usage.buckets()) for line in reading.lines]


def test_the_last_object_has_the_counts():
    reading = told(done=True, done_reason="stop", prompt_eval_count=17, eval_count=63)
    assert buckets(reading) == [{"input_text": 17, "output_text": 63}]
    assert (reading.model, reading.provenance, reading.flags) == ("llama3", "reported", ())


def test_cached_tokens_are_part_of_the_prompt():
    reading = told(done=True, prompt_eval_count=17, prompt_eval_cached_count=12, eval_count=1)
    assert buckets(reading) == [{"input_text": 5, "cache_read_text": 12, "output_text": 1}]


def test_objects_before_the_last_only_name_the_model():
    reading = told(done=False, message={"role": "assistant", "content": "Hi"}, eval_count=9)
    assert reading == Reading(model="llama3")


def test_a_prompt_that_was_not_counted_leaves_the_reading_partial():
    reading = told(done=True, eval_count=79)
    assert buckets(reading) == [{"output_text": 79}]
    assert (reading.provenance, reading.flags) == ("partial", (INPUT_NOT_COUNTED,))


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_moving_a_model_in_or_out_of_memory_consumes_nothing(reason: str):
    reading = told(done=True, done_reason=reason, response="")
    assert (buckets(reading), reading.provenance) == ([{}], "reported")


@pytest.mark.parametrize("count", [-1, 1.5, "17"])
def test_counts_that_make_no_sense_are_unknown(count: object):
    reading = told(done=True, prompt_eval_count=count, eval_count=1)
    assert (reading.lines, reading.flags) == ((), (INCONSISTENT,))


@pytest.mark.parametrize("odd", [{}, [], 7, None])
def test_what_ollama_says_of_itself_never_costs_its_numbers(odd: object):
    reading = told(done=True, done_reason=odd, prompt_eval_count=1, eval_count=1)
    assert buckets(reading) == [{"input_text": 1, "output_text": 1}]


def test_an_error_is_noticed():
    assert read(b'{"error":"model not found"}', "ollama").flags == (PROVIDER_ERROR,)


def test_an_embedding_has_an_input_alone():
    body = b'{"model":"all-minilm","embeddings":[[0.1]],"total_duration":1,"prompt_eval_count":8}'
    reading = read_embedding(body, "ollama")
    assert (buckets(reading), reading.model, reading.provenance) == ([{"input_text": 8}], "all-minilm", "reported")


def test_the_older_embedding_is_not_counted():
    assert read_embedding(b'{"embedding":[0.1]}', "ollama") == Reading()
