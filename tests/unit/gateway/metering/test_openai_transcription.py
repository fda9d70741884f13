"""Transcriptions: seconds or tokens, of OpenAI, Groq and Mistral; plain text states nothing."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_transcription import read
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

ABOUT = About("openai")
TOKENS = {
    "type": "tokens",
    "input_tokens": 30,
    "input_token_details": {"text_tokens": 4, "audio_tokens": 26},
    "output_tokens": 9,
    "total_tokens": 39,
}


def read_whole(**members: object) -> Reading:
    return read(json.dumps({"text": "hello", **members}).encode(), ABOUT)


def test_whisper_states_seconds():
    assert read_whole(usage={"type": "duration", "seconds": 7}) == Reading(
        (Line(Usage(input_audio_ms=7000)),), "reported"
    )


def test_newer_models_state_tokens():
    usage = Usage(input_text=4, input_audio=26, output_text=9)
    assert read_whole(usage=TOKENS).lines == (Line(usage),)


def test_tokens_without_details_were_heard():
    [line] = read_whole(usage={**TOKENS, "input_token_details": None}).lines
    assert line.usage == Usage(input_audio=30, output_text=9)


def test_the_last_event_of_a_stream_states_them():
    event = {"type": "transcript.text.done", "text": "hello", "usage": TOKENS}
    assert read(json.dumps(event).encode(), ABOUT).provenance == "reported"
    delta = {"type": "transcript.text.delta", "delta": "he"}
    assert read(json.dumps(delta).encode(), ABOUT) == Reading()


def test_mistral_bills_seconds_and_names_its_model():
    usage = {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264}
    reading = read_whole(model="voxtral-mini-2602", usage=usage)
    assert (reading.model, reading.lines) == ("voxtral-mini-2602", (Line(Usage(input_audio_ms=203_000)),))


def test_a_verbose_answer_tells_how_long_the_audio_was():
    assert read_whole(duration=36.709999084472656, x_groq={"id": "req_1"}).lines == (
        Line(Usage(input_audio_ms=36_710)),
    )


@pytest.mark.parametrize(("duration", "expected"), [("36.71", 36_710), ("x", None), (-1, None), ([], None)])
def test_a_duration_is_a_number_in_whatever_form(duration: object, expected: int | None):
    lines = () if expected is None else (Line(Usage(input_audio_ms=expected)),)
    assert read_whole(duration=duration).lines == lines


def test_what_is_billed_goes_before_how_long_it_was():
    assert read_whole(duration=36.7, usage={"type": "duration", "seconds": 37}).lines == (
        Line(Usage(input_audio_ms=37_000)),
    )


@pytest.mark.parametrize("body", [b"", b"hello\n", b"1\n00:00:00,000 --> 00:00:02,000\nhello\n", b"WEBVTT\n\n"])
def test_plain_text_states_nothing(body: bytes):
    assert read(body, ABOUT) == Reading()


def test_a_translation_states_nothing():
    assert read_whole() == Reading()


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"type": "duration", "seconds": -1},
        {"type": "duration", "seconds": "7"},
        {**TOKENS, "total_tokens": 40},
        {**TOKENS, "output_tokens": None},
    ],
)
def test_a_usage_that_makes_no_sense_is_none(usage: dict[str, object]):
    assert read_whole(usage=usage, duration=3) == Reading(flags=(INCONSISTENT,))


def test_an_error_is_noticed():
    assert read(b'{"error":{"message":"no"}}', ABOUT) == Reading(flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize("payload", [b"{", b'{"usage":1', b"{}x"])
def test_json_that_is_broken_raises(payload: bytes):
    with pytest.raises(NotJson):
        read(payload, ABOUT)
