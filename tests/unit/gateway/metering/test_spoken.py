"""What speaking and listening cost by the request and the size of the answer, where nothing is stated."""

import json

import pytest

from gateway.metering.counts import OUTPUT_ESTIMATED
from gateway.metering.meter import Seen
from gateway.metering.spoken import speech, transcription
from pricing.usage import Usage
from tests.unit.gateway.metering.test_media import wav

TWO_SECONDS = wav(b"\0" * 96_000)
FORM = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + TWO_SECONDS + b"\r\n--x--\r\n"


def asked(**members: object) -> bytes:
    return json.dumps({"model": "gpt-4o-mini-tts", "input": "hello world", **members}).encode()


def test_what_is_spoken_is_five_times_and_a_half_the_text():
    usage = Usage(input_text=2, output_audio=11)
    assert speech("gpt-4o-mini-tts", asked(), Seen(b"", 4000)) == (usage, (OUTPUT_ESTIMATED,))


def test_instructions_are_read_and_not_spoken():
    usage = Usage(input_text=4, output_audio=11)
    assert speech("gpt-4o-mini-tts", asked(instructions="hello world"), Seen(b"", 0)) == (usage, (OUTPUT_ESTIMATED,))


@pytest.mark.parametrize("kind", ["wav", "pcm"])
def test_audio_that_is_not_compressed_tells_how_long_it_plays(kind: str):
    found = speech("gpt-4o-mini-tts", asked(response_format=kind), Seen(b"", 48_000 * 60))
    assert found == (Usage(input_text=2, output_audio=1250), (OUTPUT_ESTIMATED,))


@pytest.mark.parametrize("request_body", [b"", b"{", b'{"input":5}', b"[" * 10_000])
def test_what_is_no_request_tells_nothing(request_body: bytes):
    assert speech("gpt-4o-mini-tts", request_body, Seen(b"", 0)) is None


@pytest.mark.parametrize("model", ["whisper-1", "openai/whisper-large-v3", "my-deployment"])
def test_a_wav_is_billed_by_its_time(model: str):
    assert transcription(model, FORM, Seen(b"hello", 5)) == (Usage(input_audio_ms=2000), ())


@pytest.mark.parametrize("answer", [b'{"text":"hello world"}', b"hello world"])
def test_or_by_its_tokens(answer: bytes):
    usage = Usage(input_audio=20, output_text=2)
    assert transcription("gpt-4o-transcribe", FORM, Seen(answer, len(answer))) == (usage, (OUTPUT_ESTIMATED,))


@pytest.mark.parametrize("request_body", [b"", b"--x\r\n\r\nID3\x04", b"RIFF", b"RIFF\0\0\0\0WEBPVP8 "])
def test_of_other_formats_the_time_is_not_known(request_body: bytes):
    assert transcription("whisper-1", request_body, Seen(b"", 0)) is None
