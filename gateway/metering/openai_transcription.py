"""Owns the reading of transcriptions and translations: seconds of audio, or tokens, of OpenAI, Groq and Mistral.

Shapes are provider_facts section 1 and openai 3.54.0, types/audio/transcription.py. Formats that are plain text
(text, srt, vtt) and translations state nothing.
"""

import msgspec

from gateway.metering.counts import (
    INCONSISTENT,
    PROVIDER_ERROR,
    Contradiction,
    Count,
    Seconds,
    check_total,
    draw,
    is_stated,
    milliseconds,
    text_or_none,
)
from gateway.metering.openai_usage import InputDetails
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens (gpt-4o-transcribe), seconds (Whisper), or Mistral's seconds, beside tokens that it does not bill."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    total_tokens: Count | None = None
    input_token_details: InputDetails | None = None
    seconds: Seconds | None = None
    prompt_audio_seconds: Seconds | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer or an event."""

    type: object = None
    model: object = None
    usage: msgspec.Raw = msgspec.Raw()
    duration: object = None  # verbose_json, as Groq and older models send it: without a usage; once a string
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)


def read(payload: bytes, about: About) -> Reading:
    """One answer or event; plain text is an answer that states nothing. Raises NotJson or msgspec.ValidationError."""
    if not payload.lstrip().startswith(b"{"):
        return Reading()
    answer = jsontext.decode(_answers, payload)
    usage, flags = transcription_usage(answer.usage)
    if usage is None and not flags:
        usage = _heard(answer.duration)
    if answer.error is not None or answer.type == "error":
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        model=text_or_none(answer.model),
        flags=flags,
    )


def _heard(duration: object) -> Usage | None:
    try:
        return Usage(input_audio_ms=milliseconds(msgspec.convert(duration, Seconds, strict=False)))
    except msgspec.ValidationError:
        return None


def transcription_usage(stated: msgspec.Raw) -> tuple[Usage | None, tuple[str, ...]]:
    """The buckets of a `usage` member, and flags; None where it states nothing or makes no sense."""
    if not is_stated(stated):
        return None, ()
    try:
        return _buckets(jsontext.decode_member(_usages, stated)), ()
    except (msgspec.ValidationError, Contradiction):
        return None, (INCONSISTENT,)


def _buckets(usage: _Usage) -> Usage:
    seconds = usage.seconds if usage.prompt_audio_seconds is None else usage.prompt_audio_seconds
    if seconds is not None:
        return Usage(input_audio_ms=milliseconds(seconds))
    if usage.input_tokens is None or usage.output_tokens is None:
        raise Contradiction("a usage of nothing")
    check_total(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    text, audio = _parts(usage.input_tokens, usage.input_token_details)
    return Usage(input_text=text, input_audio=audio, output_text=usage.output_tokens)


def _parts(total: int, details: InputDetails | None) -> tuple[int, int]:
    """Text and audio; what is heard is audio where nothing is said of it."""
    if details is None or details.audio_tokens is None:
        return 0, total
    text = [total]
    audio = draw(text, details.audio_tokens)[0]
    return text[0], audio
