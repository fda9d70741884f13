"""Messages: the delta overrides the start, cache writes keep their time, iterations keep their model."""

import json

import pytest

from gateway.metering.anthropic import FALLBACK_UNCERTAIN, ITERATIONS_MAX, MessageFold, fold, read
from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.reading import Reading


def start(**usage: object) -> bytes:
    message = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-6", "content": [], "usage": usage}
    return json.dumps({"type": "message_start", "message": message}).encode()


def delta(**usage: object) -> bytes:
    return json.dumps({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}).encode()


def streamed(*events: bytes) -> MessageFold:
    message = fold("anthropic")
    for event in events:
        message.take(event)
    return message


def whole(**usage: object) -> Reading:
    body = {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-6", "usage": usage}
    return read(json.dumps(body).encode(), "anthropic")


def buckets(reading: Reading) -> list[tuple[str | None, dict[str, int]]]:
    return [(line.model, dict(line.usage.buckets())) for line in reading.lines]


START = {
    "input_tokens": 702,
    "cache_creation_input_tokens": 3068,
    "cache_read_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 3068, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 1,
    "service_tier": "standard",
    "inference_geo": "us",
}


def test_caches_are_beside_the_input_and_thinking_is_within_the_output():
    reading = whole(**{**START, "output_tokens": 100, "output_tokens_details": {"thinking_tokens": 60}})
    assert buckets(reading) == [
        (None, {"input_text": 702, "cache_read_text": 500, "cache_write_5m": 3068,
                "output_text": 40, "output_reasoning": 60})
    ]  # fmt: skip
    assert (reading.model, reading.response_id, reading.provenance) == ("claude-sonnet-4-6", "msg_1", "reported")


def test_the_delta_overrides_the_start_field_by_field():
    reading = streamed(start(**START), delta(input_tokens=1591, output_tokens=175)).reading(complete=True)
    assert buckets(reading) == [
        (None, {"input_text": 1591, "cache_read_text": 500, "cache_write_5m": 3068, "output_text": 175})
    ]
    assert reading.provenance == "reported"
    assert reading.service_tier == "standard"
    assert reading.context == (("inference_geo", "us"),)


@pytest.mark.parametrize(
    ("minutes", "hour", "expected"),
    [(3068, 0, (3337, 0)), (0, 3068, (0, 3337)), (1068, 2000, (1337, 2000)), (0, 0, (3337, 0))],
)
def test_what_a_tool_loop_writes_later_goes_where_its_first_writes_went(
    minutes: int, hour: int, expected: tuple[int, int]
):
    split = {"ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour}
    first = start(**{**START, "cache_creation": split, "cache_creation_input_tokens": minutes + hour})
    [line] = streamed(first, delta(cache_creation_input_tokens=3337, output_tokens=9)).reading(complete=True).lines
    assert (line.usage.cache_write_5m, line.usage.cache_write_1h) == expected


def test_a_start_alone_is_partial_and_keeps_the_exact_input():
    reading = streamed(start(**START)).reading(complete=False)
    assert reading.provenance == "partial"
    assert buckets(reading)[0][1]["input_text"] == 702


def test_a_delta_is_final_even_if_the_stream_breaks_after_it():
    assert streamed(start(**START), delta(output_tokens=9)).reading(complete=False).provenance == "reported"


def test_searches_are_metered():
    reading = whole(
        input_tokens=5, output_tokens=2, server_tool_use={"web_search_requests": 3, "web_fetch_requests": 9}
    )
    assert buckets(reading) == [(None, {"input_text": 5, "output_text": 2, "web_searches": 3})]


def hop(kind: str, tokens_in: int, tokens_out: int, model: str | None = None) -> dict[str, object]:
    named = {"model": model} if model else {}
    return {"type": kind, "input_tokens": tokens_in, "output_tokens": tokens_out, "cache_read_input_tokens": 0, **named}


ADVISED = [
    hop("message", 1051, 35),
    hop("advisor_message", 2728, 3880, "claude-opus-4-7"),
    hop("message", 3676, 3356, "claude-sonnet-4-6"),
]


def test_every_iteration_is_billed_at_its_own_model():
    reading = whole(input_tokens=4727, output_tokens=3391, iterations=ADVISED)
    assert buckets(reading) == [
        (None, {"input_text": 1051, "output_text": 35}),
        ("claude-opus-4-7", {"input_text": 2728, "output_text": 3880}),
        (None, {"input_text": 3676, "output_text": 3356}),
    ]
    assert reading.flags == ()


def test_searches_of_iterations_are_a_line_of_their_own():
    tools = {"web_search_requests": 2}
    reading = whole(input_tokens=4727, output_tokens=3391, iterations=ADVISED, server_tool_use=tools)
    assert buckets(reading)[-1] == (None, {"web_searches": 2})


def test_a_compaction_comes_on_top_of_the_usage():
    hops = [hop("compaction", 900, 90), hop("message", 10, 5)]
    assert [found["input_text"] for _, found in buckets(whole(input_tokens=10, output_tokens=5, iterations=hops))] == [
        900,
        10,
    ]


def test_a_declined_hop_without_output_is_not_billed_and_flagged():
    hops = [hop("message", 408, 0, "claude-opus-5"), hop("fallback_message", 400, 7, "claude-sonnet-4-6")]
    reading = whole(input_tokens=400, output_tokens=7, iterations=hops)
    assert buckets(reading) == [(None, {"input_text": 400, "output_text": 7})]
    assert reading.flags == (FALLBACK_UNCERTAIN,)


def test_iterations_that_do_not_sum_to_the_usage_are_flagged():
    assert whole(input_tokens=4727, output_tokens=3000, iterations=ADVISED).flags == (INCONSISTENT,)


def test_iterations_without_end_make_no_usage():
    hops = [hop("message", 1, 1)] * ITERATIONS_MAX
    assert len(whole(input_tokens=1, output_tokens=ITERATIONS_MAX, iterations=hops).lines) == ITERATIONS_MAX
    reading = whole(input_tokens=1, output_tokens=ITERATIONS_MAX + 1, iterations=[*hops, hop("message", 1, 1)])
    assert (reading.lines, reading.flags) == ((), (INCONSISTENT,))


def test_modifiers_are_stated_only_where_the_answer_states_them():
    assert whole(input_tokens=1, output_tokens=1, speed="fast", inference_geo="not_available").context == (
        ("speed", "fast"),
    )


def test_an_invalid_delta_leaves_the_start_partial_and_flagged():
    reading = streamed(start(**START), delta(output_tokens=-5)).reading(complete=True)
    assert (reading.provenance, reading.flags) == ("partial", (INCONSISTENT,))


def test_an_error_event_is_noticed_and_what_was_reported_stays():
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    reading = streamed(start(**START), error).reading(complete=True)
    assert (reading.provenance, reading.flags) == ("partial", (PROVIDER_ERROR,))


@pytest.mark.parametrize("event", [b"{", b"[]", b'{"type":"ping"}', b'{"type":"content_block_delta","delta":{}}'])
def test_other_events_state_nothing(event: bytes):
    assert streamed(event).reading(complete=True).lines == ()
