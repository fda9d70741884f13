"""Speech: the characters of the request where those are billed, the tokens of the last event where it states them."""

import json

import msgspec
import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.openai_speech import is_binary, read, read_event
from gateway.metering.reading import About, Line, Reading
from gateway.wire.jsontext import NotJson
from pricing.usage import Usage

MP3 = b"\xff\xf3\xe4\xc4" * 100
DONE = {
    "type": "speech.audio.done",
    "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115},
}


def about(model: str, **members: object) -> About:
    return About("openai", request=json.dumps({"model": model, "input": "na\u00efve \U0001f600", **members}).encode())


@pytest.mark.parametrize("model", ["tts-1", "tts-1-hd", "canopylabs/orpheus-v1-english", "my-deployment"])
def test_characters_are_counted_exactly(model: str):
    assert read(MP3, about(model)) == Reading((Line(Usage(input_characters=7)),), "reported")


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "openai/gpt-4o-mini-tts-2025-12-15"])
def test_of_models_that_bill_tokens_audio_says_nothing(model: str):
    assert read(MP3, about(model)) == Reading()


@pytest.mark.parametrize("request_body", [b"", b"{", b"[1]", b'{"input":5}'])
def test_without_a_request_nothing_is_known(request_body: bytes):
    assert read(MP3, About("openai", request=request_body)) == Reading()
    assert is_binary(About("openai", request=request_body))


def test_an_error_in_place_of_audio_is_one():
    assert read(b'{"error":{"message":"no"}}', about("tts-1")) == Reading(flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize("audio", [b"{\0\1\2", b"{}", b"", b'{"error":'])
def test_samples_that_begin_like_json_are_audio(audio: bytes):
    assert read(audio, about("tts-1")).provenance == "reported"


def test_events_are_what_was_asked_for():
    assert not is_binary(about("gpt-4o-mini-tts", stream_format="sse"))
    assert is_binary(about("gpt-4o-mini-tts", stream_format="audio"))


def test_the_last_event_states_tokens_of_text_and_of_audio():
    reading = read_event(json.dumps(DONE).encode(), about("gpt-4o-mini-tts"))
    assert reading == Reading((Line(Usage(input_text=14, output_audio=101)),), "reported")
    assert read_event(b'{"type":"speech.audio.delta","audio":"AAAA"}', about("gpt-4o-mini-tts")) == Reading()


@pytest.mark.parametrize("usage", [{"input_tokens": 1}, {"input_tokens": 1, "output_tokens": 2, "total_tokens": 4}])
def test_a_usage_that_makes_no_sense_is_none(usage: dict[str, int]):
    event = json.dumps({**DONE, "usage": usage}).encode()
    assert read_event(event, about("gpt-4o-mini-tts")) == Reading(flags=(INCONSISTENT,))


def test_an_error_event_is_noticed():
    assert read_event(b'{"type":"error","message":"no"}', about("tts-1")) == Reading(flags=(PROVIDER_ERROR,))


@pytest.mark.parametrize(("payload", "fault"), [(b"{", NotJson), (b"[1]", msgspec.ValidationError)])
def test_what_is_no_event_raises(payload: bytes, fault: type[Exception]):
    with pytest.raises(fault):
        read_event(payload, about("tts-1"))
