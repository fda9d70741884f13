"""Realtime: one reading for each response and each transcription, whatever else passes."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_realtime import UNNAMED_TRANSCRIBER, RealtimeSession
from gateway.metering.reading import About, Line, Reading
from pricing.usage import Usage

SESSION = {"type": "realtime", "id": "sess_1", "model": "gpt-realtime",
           "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}  # fmt: skip
USAGE = {
    "total_tokens": 200,
    "input_tokens": 139,
    "output_tokens": 61,
    "input_token_details": {
        "text_tokens": 43,
        "audio_tokens": 96,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 64, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 18, "audio_tokens": 43},
}
USED = Usage(input_text=43, input_audio=32, cache_read_audio=64, output_text=18, output_audio=43)
CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "usage": None}}
DONE = {"type": "response.done", "response": {"id": "resp_1", "status": "completed", "usage": USAGE}}
TRANSCRIBED = {"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_1",
               "transcript": "hello", "usage": {"type": "duration", "seconds": 3}}  # fmt: skip
TEXT = {"type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}}  # fmt: skip


def opened(provider: str = "openai", session: object = SESSION) -> RealtimeSession:
    opened = RealtimeSession(About(provider))
    assert received(opened, {"type": "session.created", "event_id": "event_1", "session": session}) is None
    return opened


def received(session: RealtimeSession, message: object) -> Reading | None:
    return session.received(json.dumps(message).encode())


def sent(session: RealtimeSession, message: object) -> None:
    session.sent(json.dumps(message).encode())


def test_a_response_states_its_own_usage_by_modality():
    session = opened()
    assert received(session, CREATED) is None
    assert received(session, DONE) == Reading((Line(USED),), "reported", "gpt-realtime", response_id="resp_1")
    assert session.open == 0


def test_every_response_is_a_reading_of_its_own():
    session = opened()
    readings = [received(session, DONE), received(session, {**DONE, "event_id": "event_9"})]
    assert [reading and reading.lines for reading in readings] == [(Line(USED),)] * 2


def test_deltas_are_no_answers():
    session = opened()
    audio = {"type": "response.output_audio.delta", "response_id": "resp_1", "delta": "A" * 20_000}
    assert received(session, audio) is None
    assert received(session, {"type": "rate_limits.updated", "rate_limits": []}) is None


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (TRANSCRIBED["usage"], Usage(input_audio_ms=3000)),
        (
            {"type": "tokens", "total_tokens": 35, "input_tokens": 26,
             "input_token_details": {"text_tokens": 0, "audio_tokens": 26}, "output_tokens": 9},
            Usage(input_audio=26, output_text=9),
        ),
    ],
)  # fmt: skip
def test_a_transcription_is_of_a_model_of_its_own(usage: object, expected: Usage):
    assert received(opened(), {**TRANSCRIBED, "usage": usage}) == Reading(
        (Line(expected),), "reported", "gpt-4o-transcribe", response_id="item_1"
    )


def test_a_transcription_that_states_nothing_is_part_of_another_price():
    assert received(opened(), {**TRANSCRIBED, "usage": None}) is None


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({"audio": {"input": {"transcription": {"model": "whisper-1"}}}}, "whisper-1"),
        ({"input_audio_transcription": {"model": "whisper-1"}}, "whisper-1"),
        ({"audio": {"output": {}}}, UNNAMED_TRANSCRIBER),
        ("no session", UNNAMED_TRANSCRIBER),
    ],
)
def test_the_transcriber_is_named_by_either_side(update: object, expected: str):
    session = opened(session={"model": "gpt-realtime"})
    sent(session, {"type": "session.update", "session": update})
    reading = received(session, TRANSCRIBED)
    assert reading is not None
    assert reading.model == expected


def test_what_the_provider_says_of_the_session_last_holds():
    session = opened()
    sent(session, {"type": "session.update", "session": {"model": "wished-for"}})
    # As xAI orders it.
    received(session, {"session": {"model": "grok-voice-2"}, "type": "session.updated"})
    reading = received(session, DONE)
    assert reading is not None
    assert reading.model == "grok-voice-2"


def test_answers_are_open_from_when_they_are_asked_for():
    session = opened()
    sent(session, {"type": "response.create", "response": {}})
    assert session.open == 1
    received(session, CREATED)
    assert session.pending() == (Reading(model="gpt-realtime", response_id="resp_1"),)
    sent(session, {"type": "response.create"})
    assert session.open == 2
    received(session, {"type": "error", "error": {"message": "no"}})
    received(session, DONE)
    assert (session.open, session.pending()) == (0, ())


def test_a_response_that_ends_without_a_usage_is_unknown_and_not_free():
    failed = {"type": "response.done", "response": {"id": "resp_1", "status": "failed", "usage": None}}
    assert received(opened(), failed) == Reading(model="gpt-realtime", response_id="resp_1", flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize("usage", [{**USAGE, "total_tokens": 1}, {"input_tokens": 1}])
def test_a_usage_that_makes_no_sense_is_none(usage: object):
    reading = received(opened(), {**DONE, "response": {"id": "resp_1", "usage": usage}})
    assert reading is not None
    assert (reading.lines, reading.flags) == ((), (INCONSISTENT,))


XAI_USAGE = {
    "input_tokens": 8,
    "output_tokens": 249,
    "total_tokens": 257,
    "output_token_details": {"text_tokens": 18, "audio_tokens": 231, "grok_tokens": 0},
    "output_audio_seconds": 4.6075,
    "billable_audio_seconds": 2,
}


def grok(seconds: float | None, answer_id: str = "a") -> dict[str, object]:
    return {"type": "response.done", "response": {"id": answer_id, "status": "completed", "usage": {}},
            "usage": {**XAI_USAGE, "billable_audio_seconds": seconds}}  # fmt: skip


def usage_of(reading: Reading | None) -> Usage:
    assert reading is not None
    [line] = reading.lines
    return line.usage


def test_xai_bills_messages_and_seconds_of_a_running_total():
    session = opened("xai", {"model": "grok-voice-think-fast-1.0"})
    for _ in range(3):
        sent(session, TEXT)
    assert usage_of(received(session, grok(2))) == Usage(output_audio_ms=2000, input_messages=3)
    assert usage_of(received(session, grok(5.5))) == Usage(output_audio_ms=3500)
    assert usage_of(received(session, grok(None))) == Usage()


def test_a_total_that_falls_is_none():
    session = opened("xai")
    received(session, grok(5))
    reading = received(session, grok(2))
    assert usage_of(reading) == Usage(output_audio_ms=2000)
    assert reading is not None
    assert reading.flags == (INCONSISTENT,)


@pytest.mark.parametrize(
    ("item", "messages"),
    [
        ({"type": "message", "content": [{"type": "input_text", "text": "hi"}]}, 1),
        ({"type": "message", "content": "hi"}, 1),
        ({"type": "function_call"}, 1),
        ({"type": "function_call_output", "output": "5"}, 0),
        ({"type": "message", "content": [{"type": "input_audio", "audio": "AAAA"}]}, 0),
    ],
)
def test_xai_bills_no_results_of_tools_and_no_audio_as_messages(item: object, messages: int):
    session = opened("xai")
    sent(session, {"type": "conversation.item.create", "item": item})
    assert usage_of(received(session, grok(0))).input_messages == messages


def test_messages_that_no_answer_came_after_are_billed_at_the_end():
    session = opened("xai", {"model": "grok-voice-2"})
    sent(session, TEXT)
    assert session.pending() == (Reading((Line(Usage(input_messages=1)),), "partial", "grok-voice-2"),)
    other = opened()
    sent(other, TEXT)
    assert other.pending() == ()


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b"\xff\xfe", b'{"type":5}', b'{"type":"response.done"'])
def test_no_message_raises(payload: bytes):
    session = opened()
    session.sent(payload)
    assert session.received(payload) is None
    assert session.received(b'{"type":"response.done"}') == Reading(model="gpt-realtime")
