import base64
from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.media import wav_duration_ms
from tests.support.sandbox_calls import Told, ask, new_sandbox


def speak(model: str = "tts-1", more: dict[str, Any] | None = None, **headers: Any) -> Told:
    asked = {"model": model, "voice": "alloy", "input": "nine byte", **(more or {})}
    return ask(new_sandbox(), "/v1/audio/speech", asked, **headers)


def test_the_older_models_are_paid_by_the_character():
    told = speak(more={"input": "größer"})

    assert (told.status, told.headers["content-type"]) == (200, "audio/mpeg")
    assert told.headers["transfer-encoding"] == "chunked"
    assert told.body.startswith(b"\xff\xfb")
    assert told.entry
    assert told.entry.tokens == Tokens(input_characters=6)


def test_the_newer_one_is_paid_by_the_token_and_says_so_in_its_events():
    told = speak("gpt-4o-mini-tts", {"stream_format": "sse", "response_format": "wav"}, x_sandbox_tokens="20")

    *deltas, done = told.events
    sent = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert wav_duration_ms(sent) == 1000
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 3, "output_tokens": 20, "total_tokens": 23},
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=3, output=20)


def test_without_events_the_bytes_alone_come_and_cost_the_same():
    told = speak("gpt-4o-mini-tts", {"response_format": "pcm", "instructions": "Whisper."}, x_sandbox_tokens="20")

    assert (told.headers["content-type"], len(told.body)) == ("audio/pcm", 48_000)
    assert told.entry
    assert told.entry.tokens == Tokens(input=5, output=20)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"stream_format": "sse"}, "stream_format"),
        ({"response_format": "mp4"}, "response_format"),
        ({"input": ""}, "input"),
        ({"speed": 9}, "speed"),
        ({"tone": "low"}, "tone"),
    ],
)
def test_what_it_does_not_take_is_refused(more: dict[str, Any], param: str):
    told = speak(more=more)

    assert (told.status, told.json["error"]["param"], told.entry) == (400, param, None)


def test_more_sound_than_there_can_be_is_refused():
    assert speak(x_sandbox_tokens="20000").json["error"]["code"] == "invalid_sandbox_control"
    assert speak("gpt-4o").status == 404
