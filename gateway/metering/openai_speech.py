"""Owns the reading of speech: bytes of audio that state nothing, or events of which the last states tokens.

Models that are billed by the character (tts-1, and those of Groq) are billed by the `input` of the request, which
is counted exactly: such a reading is "reported". Shapes are provider_facts section 1.
"""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Contradiction, Count, check_total, is_stated
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# How the names of models begin that are billed by tokens of text and audio; all others are billed by the character.
_BY_TOKENS = "gpt-"


class _Request(msgspec.Struct, frozen=True, gc=False):
    model: str = ""
    input: str = ""
    stream_format: object = None


class _Usage(msgspec.Struct, frozen=True, gc=False):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """An event, or an error in place of audio."""

    type: object = None
    usage: msgspec.Raw = msgspec.Raw()
    error: object = None


_requests = msgspec.json.Decoder(_Request)
_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)


def is_binary(about: About) -> bool:
    """Whether the answer is audio as it is, which nothing can be read of."""
    request = _request(about)
    return request is None or request.stream_format != "sse"


def read(payload: bytes, about: About) -> Reading:
    """Audio, of which the beginning is enough: it is an error, or what the request says it costs."""
    if payload.startswith(b"{") and _is_error(payload):
        return Reading(flags=(PROVIDER_ERROR,))
    request = _request(about)
    if request is None or request.model.rpartition("/")[2].startswith(_BY_TOKENS):
        return Reading()
    return Reading(lines=(Line(Usage(input_characters=len(request.input))),), provenance="reported")


def read_event(payload: bytes, about: About) -> Reading:
    """One event. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_answers, payload)
    flags = (PROVIDER_ERROR,) if answer.error is not None or answer.type == "error" else ()
    if not is_stated(answer.usage):
        return Reading(flags=flags)
    try:
        usage = jsontext.decode_member(_usages, answer.usage)
        check_total(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    except (msgspec.ValidationError, Contradiction):
        return Reading(flags=(*flags, INCONSISTENT))
    buckets = Usage(input_text=usage.input_tokens, output_audio=usage.output_tokens)
    return Reading(lines=(Line(buckets),), provenance="reported", flags=flags)


def _request(about: About) -> _Request | None:
    try:
        return _requests.decode(about.request)
    except (ValueError, RecursionError):
        return None


def _is_error(payload: bytes) -> bool:
    try:
        return jsontext.decode(_answers, payload).error is not None
    except (jsontext.NotJson, msgspec.ValidationError):
        return False
