"""Live: a turn's usage is its own, stated where it ends; details that exceed a count are what is billed."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT
from gateway.metering.gemini_live import LiveSession
from gateway.metering.reading import About, Line, Reading
from pricing.usage import Usage

SETUP = {"setup": {"model": "models/gemini-2.5-flash-native-audio", "generationConfig": {}}}
ASKED = {"client_content": {"turns": [{"parts": [{"text": "Begin."}]}], "turnComplete": True}}
AUDIO = {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm", "data": "A" * 2000}}]}}}
USAGE = {
    "promptTokenCount": 1197,
    "responseTokenCount": 37,
    "totalTokenCount": 1234,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1196}, {"modality": "AUDIO", "tokenCount": 1}],
    "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 37}],
    "thoughtsTokenCount": 28,
}
USED = Usage(input_text=1196, input_audio=1, output_audio=37, output_reasoning=28)
ENDED = {"serverContent": {"turnComplete": True}}
MODEL = "gemini-2.5-flash-native-audio"


def opened(setup: object = SETUP) -> LiveSession:
    session = LiveSession(About("gemini"))
    sent(session, setup)
    assert received(session, {"setupComplete": {}}) is None
    assert session.open == 0
    return session


def received(session: LiveSession, message: object) -> Reading | None:
    return session.received(json.dumps(message).encode())


def sent(session: LiveSession, message: object) -> None:
    session.sent(json.dumps(message).encode())


def read(session: LiveSession, usage: object) -> Reading:
    received(session, AUDIO)
    reading = received(session, {**ENDED, "usageMetadata": usage})
    assert reading is not None
    return reading


def test_a_turn_ends_with_its_usage():
    session = opened()
    sent(session, ASKED)
    assert session.open == 1
    assert received(session, AUDIO) is None
    assert received(session, {**ENDED, "usageMetadata": USAGE}) == Reading((Line(USED),), "reported", MODEL)
    assert (session.open, session.pending()) == (0, ())


def test_every_turn_has_a_usage_of_its_own():
    session = opened()
    assert [read(session, USAGE).lines, read(session, USAGE).lines] == [(Line(USED),)] * 2


def test_vertex_says_candidates():
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15, "trafficType": "ON_DEMAND",
             "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}, {"modality": "AUDIO"}]}  # fmt: skip
    reading = read(opened({"setup": {"model": "publishers/google/models/gemini-live-2.5-flash"}}), usage)
    assert (reading.model, reading.lines) == (
        "gemini-live-2.5-flash", (Line(Usage(input_text=12, output_text=3)),)
    )  # fmt: skip
    assert reading.context == (("traffic_type", "ON_DEMAND"),)


def test_details_that_exceed_the_count_are_billed_and_noticed():
    details = [{"modality": "TEXT", "tokenCount": 535}, {"modality": "AUDIO", "tokenCount": 50}]
    usage = {"promptTokenCount": 50, "responseTokenCount": 10, "totalTokenCount": 60, "promptTokensDetails": details}
    reading = read(opened(), usage)
    assert reading.lines == (Line(Usage(input_text=535, input_audio=50, output_text=10)),)
    assert (reading.provenance, reading.flags) == ("reported", (INCONSISTENT,))


@pytest.mark.parametrize("total", [1234, 1262, 0, None])
def test_the_total_may_hold_the_thoughts_or_not(total: int | None):
    assert read(opened(), {**USAGE, "totalTokenCount": total}).flags == ()


def test_within_a_turn_the_last_usage_holds():
    session = opened()
    early = {"serverContent": {"generationComplete": True}, "usageMetadata": {**USAGE, "responseTokenCount": 5}}
    received(session, AUDIO)
    assert received(session, early) is None
    assert read(session, USAGE).lines == (Line(USED),)


def test_a_usage_may_come_after_the_turn():
    session = opened()
    received(session, AUDIO)
    assert received(session, ENDED) is None
    assert session.open == 1
    reading = received(session, {"usageMetadata": USAGE})
    assert reading is not None
    assert (reading.lines, session.open) == ((Line(USED),), 0)


def test_a_turn_that_ended_without_one_is_unknown_once_the_next_begins():
    session = opened()
    received(session, AUDIO)
    received(session, ENDED)
    assert received(session, AUDIO) == Reading(model=MODEL)
    assert session.open == 1


def test_a_usage_outside_of_any_turn_counts():
    reading = received(opened(), {"usageMetadata": USAGE})
    assert reading is not None
    assert reading.lines == (Line(USED),)


@pytest.mark.parametrize(("model", "billed"), [("gemini-3.8-live", 2), ("gemini-live-2.5-flash", 1)])
def test_searches_are_counted_once(model: str, billed: int):
    grounding = {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}
    session = opened({"setup": {"model": f"models/{model}"}})
    received(session, {"serverContent": {"modelTurn": {}, **grounding}})
    reading = received(session, {"serverContent": {"turnComplete": True, **grounding}, "usageMetadata": USAGE})
    assert reading is not None
    assert reading.lines[0].usage.web_searches == billed
    assert read(session, USAGE).lines[0].usage.web_searches == 0


def test_a_turn_that_was_cut_has_what_was_stated_of_it():
    session = opened()
    received(session, AUDIO)
    assert session.pending() == (Reading(model=MODEL),)
    received(session, {"toolCall": {}, "usageMetadata": USAGE})
    assert session.pending() == (Reading((Line(USED),), "partial", MODEL),)


def test_the_end_of_no_turn_is_nothing():
    assert received(opened(), ENDED) is None


@pytest.mark.parametrize("usage", [{"promptTokenCount": -1}, [], "x"])
def test_a_usage_that_makes_no_sense_is_none(usage: object):
    reading = read(opened(), usage)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", (INCONSISTENT,))


@pytest.mark.parametrize("setup", [{"setup": {}}, {"setup": {"model": "models/"}}, {"realtimeInput": {}}, [1]])
def test_a_model_that_was_not_named_is_not_known(setup: object):
    assert read(opened(setup), USAGE).model is None


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b'{"usageMetadata"', b'{"serverContent":5,"turnComplete"'])
def test_no_message_raises(payload: bytes):
    session = opened()
    session.sent(payload)
    assert session.received(payload) is None
