from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from gateway.sandbox.media import wav
from tests.support.sandbox_calls import Told, ask_form, new_sandbox

# 2.51 seconds.
SPEECH = wav(bytes(48 * 2510))


def hear(
    model: str, *parts: tuple[str, Any], task: str = "transcriptions", data: bytes = SPEECH, **headers: Any
) -> Told:
    given = (("model", model), ("file", ("a.wav", data)), *parts)
    return ask_form(new_sandbox(), f"/v1/audio/{task}", *given, **headers)


def test_whisper_is_paid_by_the_begun_second():
    told = hear("whisper-1")

    assert told.json["usage"] == {"type": "duration", "seconds": 3}
    assert len(told.json["text"].split()) == 16
    assert told.entry
    assert told.entry.tokens == Tokens(input_audio_ms=3000)


def test_the_newer_ones_are_paid_by_the_token():
    told = hear("gpt-4o-transcribe", ("prompt", "eightish"), x_sandbox_tokens="4")

    assert told.json["usage"] == {
        "type": "tokens",
        "input_tokens": 28,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 26},
        "output_tokens": 4,
        "total_tokens": 32,
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=2, input_audio=26, output=4)


def test_a_stream_ends_with_the_usage():
    told = hear("gpt-4o-mini-transcribe", ("stream", "true"), x_sandbox_tokens="3")

    *deltas, done = told.events
    assert "".join(event["delta"] for event in deltas) == done["text"]
    assert (done["type"], done["usage"]["output_tokens"]) == ("transcript.text.done", 3)
    assert told.entry
    assert told.entry.tokens == Tokens(input_audio=26, output=3)


def test_whisper_does_not_stream():
    assert hear("whisper-1", ("stream", "true")).json["usage"]["seconds"] == 3


def test_words_and_segments_have_their_times():
    both = (("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment"))
    told = hear("whisper-1", ("response_format", "verbose_json"), *both, x_sandbox_tokens="2").json

    assert (told["duration"], told["segments"][0]["end"], told["usage"]["seconds"]) == (2.51, 2.51, 3)
    assert [(word["start"], word["end"]) for word in told["words"]] == [(0.0, 1.255), (1.255, 2.51)]


@pytest.mark.parametrize(
    ("response_format", "body"),
    [
        ("text", "{}\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:02,510\n{}\n\n\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:02.510\n{}\n\n"),
    ],
)
def test_plain_formats_say_no_usage_and_cost_the_same(response_format: str, body: str):
    told = hear("whisper-1", ("response_format", response_format))

    assert told.body.decode() == body.format(hear("whisper-1").json["text"])
    assert told.headers["content-type"] == "text/plain; charset=utf-8"
    assert told.entry
    assert told.entry.tokens.input_audio_ms == 3000


def test_a_translation_says_no_usage():
    told = hear("whisper-1", task="translations")

    assert list(told.json) == ["text"]
    assert told.entry
    assert (told.entry.endpoint, told.entry.tokens.input_audio_ms) == ("audio.translations", 3000)
    verbose = hear("whisper-1", ("response_format", "verbose_json"), task="translations").json
    assert (verbose["task"], "usage" in verbose) == ("translate", False)


def test_what_it_does_not_take_is_refused():
    assert hear("gpt-4o-transcribe", ("response_format", "srt")).json["error"]["param"] == "response_format"
    assert hear("gpt-4o-transcribe", task="translations").json["error"]["param"] == "model"
    assert hear("whisper-1", data=b"ID3").json["error"]["param"] == "file"
    assert hear("whisper-1", ("language", "en"), task="translations").json["error"]["param"] == "language"
    assert hear("whisper-1", ("temperature", "2")).status == 400
    assert hear("gpt-4o").status == 404
    told = ask_form(new_sandbox(), "/v1/audio/transcriptions", ("model", "whisper-1"))
    assert told.json["error"]["param"] == "file"
