"""Owns the two entry points of metering, and the table of which reader reads which answer.

A reader makes a Reading of one answer or one event; a fold makes one of a stream. See
docs/internals/metering.md for the rules.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.metering import (
    anthropic,
    anthropic_batch,
    bedrock_converse,
    bedrock_invoke,
    cohere,
    embeddings,
    gemini,
    gemini_interactions,
    mistral_ocr,
    ollama,
    openai_chat,
    openai_images,
    openai_responses,
    openai_speech,
    openai_transcription,
    openai_work,
    vertex_predict,
)
from gateway.metering.counts import INPUT_NOT_COUNTED
from gateway.metering.fold import Fold, LastWins
from gateway.metering.framing import METER_ERROR, Array, Body, Events, Frames, Framing, Lines, Opaque, Records
from gateway.metering.reading import About, Reading
from gateway.wire.jsontext import NotJson

BODY_UNREADABLE = "body_unreadable"

_BLANKS = b"\xef\xbb\xbf \t\r\n"


class _Reader(msgspec.Struct, frozen=True, kw_only=True):
    """How one API's answers are read: whole, or one by one as the events of a stream.

    `lines`: its streams are JSON objects, one a line, which open as a body does; `every_line`: each of them counts.
    `is_binary`, where an answer can be: it is then not kept, and `read` gets no more than its beginning.
    """

    read: Callable[[bytes, About], Reading]
    fold: Callable[[About], Fold]
    is_binary: Callable[[About], bool] | None = None
    lines: bool = False
    every_line: bool = False


def _last_event(read: Callable[[bytes, About], Reading], *, lines: bool = False) -> _Reader:
    """A reader of one answer or event, of which the last holds."""
    return _Reader(read=read, fold=lambda about: LastWins(lambda payload: read(payload, about)), lines=lines)


def _last_wins(read: Callable[[bytes, str], Reading], *, lines: bool = False) -> _Reader:
    """The same, where it needs to know no more of an answer than its provider."""
    return _last_event(lambda payload, about: read(payload, about.provider), lines=lines)


# By the `reader` of an endpoint in gateway/endpoints.py.
READERS: dict[str, _Reader] = {
    "openai.chat": _last_wins(openai_chat.read),
    "openai.completions": _last_wins(openai_chat.read),
    "openai.responses": _last_wins(openai_responses.read),
    "openai.embeddings": _last_wins(embeddings.read),
    "anthropic.messages": _Reader(
        read=lambda payload, about: anthropic.read(payload, about.provider),
        fold=lambda about: anthropic.fold(about.provider),
    ),
    "gemini.generate": _last_wins(gemini.read),
    "gemini.embeddings": _last_wins(gemini.read),
    "gemini.interactions": _last_event(gemini_interactions.read),
    "bedrock.converse": _last_wins(bedrock_converse.read),
    "bedrock.invoke": _Reader(read=bedrock_invoke.read, fold=bedrock_invoke.InvokeFold),
    "cohere.chat": _last_wins(cohere.read, lines=True),
    "cohere.embed": _last_wins(cohere.read),
    "cohere.rerank": _last_wins(cohere.read),
    "mistral.ocr": _last_event(mistral_ocr.read),
    "ollama.chat": _last_wins(ollama.read, lines=True),
    "ollama.embed": _last_wins(ollama.read_embedding),
    "rerank": _last_wins(embeddings.read),  # bills what was read, and answers in the same words
    "vertex.predict": _last_wins(vertex_predict.read),
    "openai.images": _last_event(openai_images.read),
    "openai.transcription": _last_event(openai_transcription.read),
    "openai.speech": _Reader(
        read=openai_speech.read,
        fold=lambda about: LastWins(lambda payload: openai_speech.read_event(payload, about)),
        is_binary=openai_speech.is_binary,
    ),
    "openai.batch": _last_event(openai_work.read_batch),
    "openai.fine_tuning": _last_event(openai_work.read_job),
    "anthropic.batch": _Reader(read=anthropic_batch.read, fold=anthropic_batch.fold, every_line=True),
}


def is_never_kept(reader: str) -> bool:
    """Whether such answers are to be metered as they pass, stream or not: they are large as a rule."""
    return READERS[reader].is_binary is not None or READERS[reader].every_line


class Seen(NamedTuple):
    """The beginning of an answer as it came, and how long all of it was: what an estimate is made from."""

    raw: bytes
    bytes_total: int


def read_body(reader: str, about: About, body: bytes) -> Reading:
    """The reading of a complete answer that is one JSON value; unknown, and flagged, if it cannot be read."""
    try:
        reading = READERS[reader].read(body, about)
    except (NotJson, msgspec.ValidationError):
        return Reading(flags=(BODY_UNREADABLE,))
    except Exception:  # A defect of ours must cost a number, never an answer.
        return Reading(flags=(METER_ERROR,))
    if reading.provenance != "partial" or INPUT_NOT_COUNTED in reading.flags:
        return reading
    return msgspec.structs.replace(reading, provenance="reported")


class StreamMeter:
    """Reads one answer while it passes. Fed decoded bytes, it says which go to the client.

    Server-sent events are expected. An answer that opens with `[` is read as a streamed JSON array, one that opens
    with `{` as a whole body, or as lines where the API sends those, and one that opens with a zero byte, the first
    of a frame's length, as a binary event-stream. Nothing here raises.
    """

    def __init__(self, reader: str, about: About, *, strip: bool, event_bytes_max: int, text_bytes_max: int) -> None:
        """`strip` undoes `splice.ask_for_usage`. `event_bytes_max` bounds what is held back, and a whole body."""
        self._reader, self._about = reader, about
        tells = READERS[reader].is_binary
        self._is_binary = tells is not None and tells(about)
        self._strip = strip
        self._event_bytes_max = event_bytes_max
        self._text_bytes_max = 0 if self._is_binary else text_bytes_max
        self._text: list[bytes] = []
        self._bytes_total = 0
        self._framing: Framing | None = None

    def feed(self, data: bytes) -> bytes:
        """What to pass on now: `data` itself unless something is stripped or, when stripping, held back."""
        if self._bytes_total < self._text_bytes_max:
            self._text.append(data)
        self._bytes_total += len(data)
        if self._framing is None:
            opening = data.lstrip(_BLANKS)[:1]
            if not opening:
                return data  # OpenRouter sends blank lines while it waits for a JSON answer
            self._framing = self._recognise(opening)
        passed = self._framing.feed(data)
        return passed if self._strip else data

    def flush(self) -> bytes:
        """The incomplete event held back, to be passed on when the stream has ended."""
        held = self._framing.flush() if self._framing else b""
        return held if self._strip else b""

    def finish(self, complete: bool) -> Reading:
        """The reading; `complete` says that the upstream's body came to its end. Call it once, after `flush`."""
        return self._framing.reading(complete) if self._framing else Reading()

    @property
    def seen(self) -> Seen:
        """The first `text_bytes_max` bytes of the answer, and at most one chunk more."""
        return Seen(b"".join(self._text), self._bytes_total)

    def _recognise(self, opening: bytes) -> Framing:
        reader = READERS[self._reader]
        if self._is_binary:
            return Opaque(lambda beginning: read_body(self._reader, self._about, beginning))
        match opening:
            case b"\0":
                return Frames(reader.fold(self._about), self._event_bytes_max)
            case b"{" if reader.every_line:
                return Records(reader.fold(self._about), self._event_bytes_max)
            case b"{" if reader.lines:
                return Lines(reader.fold(self._about), self._event_bytes_max)
            case b"{":
                return Body(lambda body: read_body(self._reader, self._about, body), self._event_bytes_max)
            case b"[":
                return Array(reader.fold(self._about), self._event_bytes_max)
            case _:
                return Events(reader.fold(self._about), self._event_bytes_max, strip=self._strip)
