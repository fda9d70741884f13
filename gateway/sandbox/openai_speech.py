"""Owns speech, OpenAI's and Azure's: text in, the bytes of a sound out, or events with its pieces."""

import base64
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.sandbox.bill import Model, Tokens
from gateway.sandbox.call import Answer, Call, Charge, Fault, Piece, prompt_tokens, read_body
from gateway.sandbox.media import sound
from gateway.sandbox.openai import ERROR_EVENT, Json, event_of, refuse, refuse_control, refuse_fault, resolve
from gateway.sandbox.text import count_tokens, seed_of

# https://platform.openai.com/docs/api-reference/audio/createSpeech
FIELDS = frozenset(("input", "model", "voice", "instructions", "response_format", "speed", "stream_format"))
# What the longest input is read in, at the slowest speed; a sound is held in memory whole.
TOKENS_MAX = 16_384

CONTENT_TYPES = {
    "mp3": "audio/mpeg", "opus": "audio/ogg", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
    "pcm": "audio/pcm",
}  # fmt: skip
# Bytes of one write, or of one event.
CHUNK_BYTES = 4_096


class Voice(msgspec.Struct, frozen=True):
    id: str


class SpeechRequest(msgspec.Struct, frozen=True):
    input: Annotated[str, Meta(min_length=1, max_length=4096)]
    voice: Annotated[str, Meta(min_length=1)] | Voice
    model: str = ""
    instructions: str = ""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] = "mp3"
    speed: Annotated[float, Meta(ge=0.25, le=4.0)] = 1.0
    stream_format: Literal["audio", "sse"] = "audio"


def speech(call: Call) -> Answer:
    request = read_body(SpeechRequest, call.request.body, FIELDS)
    if isinstance(request, Fault):
        return refuse_fault(request)
    model = resolve(call, request.model, "speech")
    if isinstance(model, Answer):
        return model
    if "input_characters" in model.rates and request.stream_format == "sse":
        message = f"stream_format 'sse' is not supported with model '{model.name}'."
        return refuse(400, message, "unsupported_value", "stream_format")
    if call.controls.tokens > TOKENS_MAX:
        return refuse_control(call, f"x-sandbox-tokens: speech has at most {TOKENS_MAX}")
    return _answer(call, request, model)


def _answer(call: Call, request: SpeechRequest, model: Model) -> Answer:
    spoken = sound(seed_of(model.name, request.input, request.voice), request.response_format, call.controls.tokens)
    tokens = _tokens(call, request, model)
    sse = request.stream_format == "sse"
    return Answer(
        200,
        _events(spoken, tokens) if sse else _bytes(spoken),
        content_type="text/event-stream; charset=utf-8" if sse else CONTENT_TYPES[request.response_format],
        stream=True,
        charge=Charge(model, tokens, call.endpoint),
        error_event=ERROR_EVENT if sse else b"",
    )


def _tokens(call: Call, request: SpeechRequest, model: Model) -> Tokens:
    """All of it at once: a sound is made whole. The older models count characters."""
    if "input_characters" in model.rates:
        return Tokens(input_characters=len(request.input))
    counted = prompt_tokens(call.controls, count_tokens(request.input) + count_tokens(request.instructions))
    return msgspec.structs.replace(counted, output=call.controls.tokens)


def _chunks(spoken: bytes) -> Iterator[bytes]:
    return (spoken[start : start + CHUNK_BYTES] for start in range(0, len(spoken), CHUNK_BYTES))


def _bytes(spoken: bytes) -> Iterator[Piece]:
    return map(Piece, _chunks(spoken))


def _events(spoken: bytes, tokens: Tokens) -> Iterator[Piece]:
    for chunk in _chunks(spoken):
        yield Piece(event_of({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()}))
    usage: Json = {
        "input_tokens": tokens.prompt,
        "output_tokens": tokens.output,
        "total_tokens": tokens.prompt + tokens.output,
    }
    yield Piece(event_of({"type": "speech.audio.done", "usage": usage}))
