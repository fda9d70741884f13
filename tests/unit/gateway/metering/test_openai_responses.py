"""Responses: usage in the last event, hosted tools beside it, images as a line of their own."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_responses import IMAGE_MODEL_ASSUMED, IMAGE_MODEL_DEFAULT, read
from gateway.metering.reading import Reading

USAGE = {
    "input_tokens": 1220,
    "input_tokens_details": {"cache_write_tokens": 1000, "cached_tokens": 200},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 54},
    "total_tokens": 1320,
}
SEARCHES = [
    {"type": "web_search_call", "action": {"type": "search", "query": "q"}},
    {"type": "web_search_call", "action": {"type": "open_page"}},
    {"type": "web_search_call"},
    {"type": "file_search_call", "queries": ["a"]},
    {"type": "computer_call", "action": {"type": "click", "x": 1}},
    {"type": "message", "content": [{"type": "output_text", "text": "web_search_call"}]},
]


def response(usage: object = USAGE, **members: object) -> dict[str, object]:
    return {"id": "resp_1", "object": "response", "model": "gpt-5.6", "service_tier": "default", "error": None,
            "usage": usage, "output": [], **members}  # fmt: skip


def read_whole(**members: object) -> Reading:
    return read(json.dumps(response(**members)).encode(), "openai")


def buckets(reading: Reading) -> list[tuple[str | None, dict[str, int]]]:
    return [(line.model, dict(line.usage.buckets())) for line in reading.lines]


MAIN = {"input_text": 20, "cache_read_text": 200, "cache_write": 1000, "output_text": 46, "output_reasoning": 54}


def test_details_are_parts_of_their_totals():
    reading = read_whole()
    assert buckets(reading) == [(None, MAIN)]
    assert (reading.model, reading.service_tier, reading.response_id) == ("gpt-5.6", "default", "resp_1")
    assert (reading.provenance, reading.flags) == ("reported", ())


def test_cache_writes_are_told_apart_by_their_time_to_live():
    details = {"cache_write_tokens": 1000, "cache_write_tokens_details": {"ttl_30m_tokens": 300, "ttl_12h_tokens": 600}}
    [(_, found)] = buckets(read_whole(usage={**USAGE, "input_tokens_details": details}))
    assert (found["cache_write_30m"], found["cache_write_12h"], found["cache_write"]) == (300, 600, 100)


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_the_last_event_of_a_stream_holds_the_response(kind: str):
    event = {"type": f"response.{kind}", "sequence_number": 9, "response": response()}
    reading = read(json.dumps(event).encode(), "openai")
    assert buckets(reading) == [(None, MAIN)]


def test_earlier_events_name_the_model_and_no_usage():
    event = {"type": "response.created", "response": response(usage=None)}
    reading = read(json.dumps(event).encode(), "openai")
    assert (reading.model, reading.lines, reading.provenance) == ("gpt-5.6", (), "unknown")


def test_searches_are_counted_where_they_are_not_stated():
    [(_, found)] = buckets(read_whole(output=SEARCHES))
    assert (found["web_searches"], found["file_searches"]) == (2, 1)


def test_what_xai_ran_is_stated_in_its_usage():
    details = {"web_search_calls": 2, "x_search_calls": 3, "code_interpreter_calls": 1, "document_search_calls": 4}
    hosted = USAGE | {"server_side_tool_usage_details": details, "num_server_side_tools_used": 10}
    [(_, found)] = buckets(read_whole(output=SEARCHES, usage=hosted))
    assert (found["web_searches"], found["file_searches"]) == (5, 4)
    odd = USAGE | {"server_side_tool_usage_details": ["web"]}
    [(_, found)] = buckets(read_whole(output=SEARCHES, usage=odd))
    assert (found["web_searches"], found["file_searches"]) == (2, 1)


def test_stated_searches_hold():
    [(_, found)] = buckets(read_whole(output=SEARCHES, tool_usage={"web_search": {"num_requests": 1}}))
    assert found["web_searches"] == 1


IMAGES = {
    "image_gen": {
        "input_tokens": 300,
        "input_tokens_details": {"text_tokens": 100, "image_tokens": 200},
        "output_tokens": 1056,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": 1056},
        "cached_tokens_details": {"cached_text_tokens": 40, "cached_image_tokens": 50},
        "total_tokens": 1356,
    }
}
IMAGE_LINE = {
    "input_text": 60, "input_image": 150, "cache_read_text": 40, "cache_read_image": 50, "output_image": 1056,
}  # fmt: skip


def test_images_are_a_line_of_their_own_model():
    tools = [{"type": "function", "name": "f"}, {"type": "image_generation", "model": "gpt-image-2"}]
    reading = read_whole(tool_usage=IMAGES, tools=tools)
    assert buckets(reading) == [(None, MAIN), ("gpt-image-2", IMAGE_LINE)]
    assert reading.flags == ()


def test_an_unnamed_image_model_is_the_documented_default_and_flagged():
    reading = read_whole(tool_usage={"image_gen": {"input_tokens": 5, "output_tokens": 7}})
    assert buckets(reading)[1] == (IMAGE_MODEL_DEFAULT, {"input_text": 5, "output_image": 7})
    assert reading.flags == (IMAGE_MODEL_ASSUMED,)


def test_tools_that_were_not_used_are_no_line():
    unused = {"image_gen": {"input_tokens": 0, "output_tokens": 0}, "web_search": {"num_requests": 0}}
    assert buckets(read_whole(tool_usage=unused)) == [(None, MAIN)]


@pytest.mark.parametrize(
    "usage",
    [
        {"input_tokens": 10},
        {"input_tokens": -1, "output_tokens": 1},
        {"input_tokens": 1.5, "output_tokens": 1},
        {"input_tokens": 10, "output_tokens": 5, "total_tokens": 16},
    ],
)
def test_a_usage_that_makes_no_sense_is_unknown_and_flagged(usage: object):
    reading = read_whole(usage=usage)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (INCONSISTENT,))


def test_an_odd_output_list_costs_no_numbers():
    assert buckets(read_whole(output=[1, "x"], tools={"a": 1}, tool_usage=IMAGES))[0] == (None, MAIN)


def test_errors_are_noticed():
    failed = response(usage=None, error={"code": "server_error"})
    event = {"type": "error", "code": "x", "message": "no", "sequence_number": 1}
    assert read(json.dumps(failed).encode(), "openai").flags == (PROVIDER_ERROR,)
    assert read(json.dumps(event).encode(), "openai").flags == (PROVIDER_ERROR,)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_in_the_background_is_left_for_later(status: str):
    reading = read_whole(background=True, status=status, usage=None)
    assert (reading.lines, reading.provenance, reading.work_id) == ((), "deferred", "resp_1")


def test_and_tells_its_usage_once_it_has_ended():
    reading = read_whole(background=True, status="completed")
    assert (buckets(reading), reading.provenance, reading.work_id) == ([(None, MAIN)], "reported", "resp_1")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_or_does_not_say_if_it_was_stopped(status: str):
    reading = read_whole(background=True, status=status, usage=None)
    assert (reading.provenance, reading.work_id) == ("unknown", "resp_1")


@pytest.mark.parametrize("background", [False, None])
def test_a_response_in_the_foreground_is_no_work_to_be_told_of_again(background: bool | None):
    reading = read_whole(background=background, status="completed")
    assert (reading.provenance, reading.work_id) == ("reported", None)


def test_a_compaction_is_read_like_a_response():
    body = {"id": "resp_2", "object": "response.compaction", "output": [], "usage": USAGE}
    reading = read(json.dumps(body).encode(), "openai")
    assert (buckets(reading), reading.model, reading.work_id) == ([(None, MAIN)], None, None)
