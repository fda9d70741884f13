from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox
from tests.support.sdk_calls_others import recording


def transcribe(model: str, seconds: float = 2.5, audio: bytes | None = None, **more: Any) -> Told:
    """More are fields of the form, or controls."""
    path = "/v1/audio/transcriptions" if model.startswith("voxtral") else "/openai/v1/audio/transcriptions"
    controls = {name: more.pop(name) for name in tuple(more) if name.startswith("x_")}
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    parts = [head + (recording(seconds) if audio is None else audio)]
    for name, value in {"model": model, **more}.items():
        parts.append(f'--b\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}'.encode())
    body = b"\r\n".join([*parts, b"--b--\r\n"])
    return ask(new_sandbox(), path, body, content_type="multipart/form-data; boundary=b", **controls)


@pytest.mark.parametrize(("seconds", "amount_nanousd"), [(2.5, 308_333), (10, 308_333), (12, 370_000)])
def test_groq_bills_the_time_it_plays_ten_seconds_at_least(seconds: float, amount_nanousd: int):
    told = transcribe("whisper-large-v3", seconds)

    assert told.entry
    assert told.entry.tokens == Tokens(input_audio_ms=int(seconds * 1000))
    assert MODELS["whisper-large-v3"].amount_nanousd(told.entry.tokens) == amount_nanousd


def test_groq_says_how_long_it_played_only_if_asked_for_detail():
    plain, detailed = transcribe("whisper-large-v3"), transcribe("whisper-large-v3", response_format="verbose_json")

    assert set(plain.json) == {"text", "x_groq"}
    assert (detailed.json["duration"], detailed.json["text"]) == (2.5, plain.json["text"])
    assert transcribe("whisper-large-v3", response_format="text").body.decode() == plain.json["text"]
    assert transcribe("whisper-large-v3", response_format="srt").status == 400


def test_mistral_bills_the_whole_seconds_it_states():
    told = transcribe("voxtral-mini-2602", x_sandbox_tokens="3")

    usage = told.json["usage"]
    assert (usage["prompt_audio_seconds"], usage["completion_tokens"]) == (3, 3)
    assert usage["total_tokens"] > usage["prompt_tokens"] + usage["completion_tokens"]
    assert told.entry
    assert told.entry.tokens == Tokens(input=4, output=3, input_audio_ms=3000)


def test_mistral_streams_what_it_says_whole():
    whole = transcribe("voxtral-mini-2602", x_sandbox_tokens="3")
    *deltas, done = transcribe("voxtral-mini-2602", x_sandbox_tokens="3", stream="true").events

    assert "".join(delta["text"] for delta in deltas) == done["text"] == whole.json["text"]
    assert done["usage"] == whole.json["usage"]


@pytest.mark.parametrize("model", ["whisper-large-v3", "voxtral-mini-2602"])
def test_what_cannot_be_is_refused(model: str):
    provider = "mistral" if model.startswith("voxtral") else "groq"
    refused = 422 if provider == "mistral" else 400
    assert transcribe(model, audio=b"ID3").status == refused
    assert transcribe(model, colour="red").status == refused
    assert transcribe(model, x_sandbox_cached_tokens="5").status == 400
    path = "/v1/audio/transcriptions" if provider == "mistral" else "/openai/v1/audio/transcriptions"
    assert ask(new_sandbox(), path, {"model": model}, x_sandbox_provider=provider).status in (400, 422)
