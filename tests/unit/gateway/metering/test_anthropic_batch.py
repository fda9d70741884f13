"""A batch of messages: every line is a call, summed by model; a download that stops tells nothing yet."""

import json

import pytest

from gateway.metering.anthropic_batch import MIXED_CONTEXT, SUMS_MAX, UNREADABLE_RESULT, Results, fold, read
from gateway.metering.counts import INCONSISTENT
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

ABOUT = About("anthropic")


def result(model: str, input_tokens: int, output_tokens: int, **usage: object) -> dict[str, object]:
    message = {"id": "msg_1", "type": "message", "model": model, "content": [{"type": "text", "text": "hi"}],
               "usage": {"input_tokens": input_tokens, "output_tokens": output_tokens, "service_tier": "batch",
                         **usage}}  # fmt: skip
    return {"custom_id": "a", "result": {"type": "succeeded", "message": message}}


OPUS = [result("claude-opus-4-8", 10, 20), result("claude-opus-4-8", 1, 2, cache_read_input_tokens=5)]
HAIKU = result("claude-haiku-4-5", 100, 200)
ERRED = {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error"}}}
EXPIRED = {"custom_id": "c", "result": {"type": "expired"}}


def jsonl(*results: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in results)


def taken(*results: object) -> Results:
    lines = fold(ABOUT)
    for one in results:
        lines.take(json.dumps(one).encode())
    return lines


def test_lines_are_summed_by_model_and_priced_as_a_batch():
    reading = read(jsonl(OPUS[0], HAIKU, ERRED, OPUS[1], EXPIRED), ABOUT)
    assert reading.lines == (
        Line(Usage(input_text=11, cache_read_text=5, output_text=22), "claude-opus-4-8", 1000),
        Line(Usage(input_text=100, output_text=200), "claude-haiku-4-5", 1000),
    )
    assert (reading.provenance, reading.service_tier) == ("reported", "batch")
    assert (reading.context, reading.flags) == ((("service_tier", "batch"),), ())


def test_messages_are_billed_by_their_own_length_and_not_by_the_batch_s():
    haiku = "claude-haiku-5-5"  # dearer above 100,000 tokens
    short, edge, long = (result(haiku, tokens_in, 10) for tokens_in in (60_000, 100_000, 100_001))
    lines = read(jsonl(short, edge, long, short), ABOUT).lines
    assert [(line.usage.tokens_in, line.each_in) for line in lines] == [
        (120_000, 60_000),
        (100_000, 100_000),
        (100_001, 101_000),
    ]


def test_a_message_of_several_models_is_several_lines():
    hops = [
        {"type": "message", "model": "claude-opus-4-8", "input_tokens": 10, "output_tokens": 20},
        {"type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 3, "output_tokens": 4},
    ]
    reading = read(jsonl(result("claude-opus-4-8", 10, 20, iterations=hops)), ABOUT)
    assert [(line.model, line.usage.tokens_out) for line in reading.lines] == [
        ("claude-opus-4-8", 20),
        ("claude-haiku-4-5", 4),
    ]


def test_what_prices_all_lines_prices_the_batch():
    reading = taken(*(result("claude-opus-4-8", 1, 1, inference_geo="us") for _ in range(2))).reading(complete=True)
    assert reading.context == (("service_tier", "batch"), ("inference_geo", "us"))


def test_what_prices_some_lines_is_noticed():
    reading = taken(OPUS[0], result("claude-opus-4-8", 1, 1, inference_geo="us")).reading(complete=True)
    assert reading.flags == (MIXED_CONTEXT,)


def test_results_that_were_not_read_to_their_end_are_left_for_later():
    reading = taken(*OPUS).reading(complete=False)
    assert (reading.lines, reading.provenance) == ((), "deferred")


def test_results_without_a_success_cost_nothing():
    assert read(jsonl(ERRED, EXPIRED), ABOUT) == Reading(provenance="none")
    assert taken(ERRED).reading(complete=False).provenance == "deferred"


def test_results_of_which_one_cannot_be_read_and_none_is_a_success_are_unknown():
    lines = taken(ERRED)
    lines.take(b"{")
    reading = lines.reading(complete=True)
    assert (reading.provenance, reading.flags) == ("unknown", (UNREADABLE_RESULT,))


def test_more_kinds_of_messages_than_there_are_make_no_usage():
    lines = taken(*(result(f"m{number}", 1, 1) for number in range(SUMS_MAX)))
    assert len(lines.reading(complete=True).lines) == SUMS_MAX
    for more in (result("m0", 1, 1), result("m", 1, 1)):
        lines.take(jsonl(more))
    reading = lines.reading(complete=True)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (INCONSISTENT,))


@pytest.mark.parametrize("line", [b"{", b"[1]", b'{"result":5}', b'{"result":{"message":[]}}'])
def test_a_line_that_cannot_be_read_is_noticed_and_the_others_count(line: bytes):
    lines = taken(OPUS[0])
    lines.take(line)
    reading = lines.reading(complete=True)
    assert (reading.lines[0].usage, reading.flags) == (Usage(input_text=10, output_text=20), (UNREADABLE_RESULT,))


@pytest.mark.parametrize("body", [b"", b"\n\n", b"<html>"])
def test_what_has_no_results_raises(body: bytes):
    with pytest.raises(NotJson):
        read(body, ABOUT)
