"""Owns the estimates of calls that speak or listen, where the provider stated nothing.

How long audio plays is told by its header or its size where it is not compressed; else by the words.
"""

import re

import msgspec

from gateway.metering import tokens
from gateway.metering.counts import OUTPUT_ESTIMATED
from gateway.metering.media import Sound, measure
from gateway.metering.meter import Seen
from pricing.usage import Usage

# OpenAI's own speech models speak 1250 tokens a minute: their price a minute over their price a token
# (platform.openai.com/docs/pricing, gpt-4o-mini-tts: $0.015 and $12 a million). Realtime's speak 1200.
_SPOKEN_PER_MINUTE = 1250
# Of what is spoken, to a token of the text: 4.3 to 5.4 in seven of eight recorded turns of Realtime, in percent.
_SPOKEN_PERCENT = 540
# 24 kHz of 16 bits, one channel (openai 3.54.0, resources/audio/speech.py), which wav only puts a header before.
_BYTES_PER_MINUTE = 24_000 * 2 * 60
_UNCOMPRESSED = frozenset(("pcm", "wav"))

_VOCABULARY = "o200k_base"

# A WAV says what it is before its samples; tags come after them as a rule.
_HEAD_BYTES = 65_536

# Transcribers that are billed by tokens; all others are billed by the time.
_BY_TOKENS = "gpt-4o"
_HEARD_PER_S = 10  # as in attachments.py
_TEXT = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)*)"')


class _Speech(msgspec.Struct, frozen=True, gc=False):
    input: str = ""
    instructions: str = ""
    response_format: str | None = None


_speeches = msgspec.json.Decoder(_Speech)


def speech(model: str, request: bytes, seen: Seen) -> tuple[Usage, tuple[str, ...]] | None:
    """Tokens of the text and of what was spoken; None for what is no request."""
    try:
        asked = _speeches.decode(request)
    except (ValueError, RecursionError):
        return None
    text = tokens.count(asked.input, _VOCABULARY)
    spoken = tokens.scale(text, _SPOKEN_PERCENT, 100)
    if asked.response_format in _UNCOMPRESSED:
        spoken = tokens.scale(seen.bytes_total, _SPOKEN_PER_MINUTE, _BYTES_PER_MINUTE)
    read = text + tokens.count(asked.instructions, _VOCABULARY)
    return Usage(input_text=read, output_audio=spoken), (OUTPUT_ESTIMATED,)


def transcription(model: str, request: bytes, seen: Seen) -> tuple[Usage, tuple[str, ...]] | None:
    """The time of a WAV in the request's form, or its tokens; None where there is none."""
    start = request.find(b"RIFF")
    sound = measure(request[start : start + _HEAD_BYTES]) if start >= 0 else None
    if not isinstance(sound, Sound):
        return None
    if not model.rpartition("/")[2].startswith(_BY_TOKENS):
        return Usage(input_audio_ms=sound.milliseconds), ()
    written = tokens.count(_written(seen.raw), _VOCABULARY)
    heard = tokens.scale(_HEARD_PER_S, sound.milliseconds, 1000)
    return Usage(input_audio=heard, output_text=written), (OUTPUT_ESTIMATED,)


def _written(answer: bytes) -> str:
    found = _TEXT.search(answer)
    return (found[1] if found else answer).decode("utf-8", "replace")
