"""Owns the two entry points of metering, and the table of which reader reads which answer.

A reader makes a Reading of one answer or one event; a fold makes one of a stream. See
docs/internals/metering.md for the rules.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from gateway.metering import anthropic, embeddings, gemini, openai_chat, openai_responses
from gateway.metering.fold import Fold, LastWins
from gateway.metering.framing import METER_ERROR, Array, Body, Events, Framing
from gateway.metering.reading import About, Reading
from gateway.wire.jsontext import NotJson

BODY_UNREADABLE = "body_unreadable"

_BLANKS = b"\xef\xbb\xbf \t\r\n"


class _Reader(NamedTuple):
    """How one API's answers are read: whole, or one by one as the events of a stream."""

    read: Callable[[bytes, About], Reading]
    fold: Callable[[About], Fold]


def _by_provider(read: Callable[[bytes, str], Reading], fold: Callable[[str], Fold]) -> _Reader:
    """A reader that needs to know no more of an answer than whose it is."""

    def read_about(payload: bytes, about: About) -> Reading:
        return read(payload, about.provider)

    def fold_about(about: About) -> Fold:
        return fold(about.provider)

    return _Reader(read_about, fold_about)


def _last_wins(read: Callable[[bytes, str], Reading]) -> _Reader:
    """The same, for a family whose every usage is cumulative."""
    return _by_provider(read, lambda provider: LastWins(lambda payload: read(payload, provider)))


# By the `reader` of an endpoint in gateway/endpoints.py.
READERS: dict[str, _Reader] = {
    "openai.chat": _last_wins(openai_chat.read),
    "openai.completions": _last_wins(openai_chat.read),
    "openai.responses": _last_wins(openai_responses.read),
    "openai.embeddings": _last_wins(embeddings.read),
    "anthropic.messages": _by_provider(anthropic.read, anthropic.fold),
    "gemini.generate": _last_wins(gemini.read),
    "gemini.embeddings": _last_wins(gemini.read),
}


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
    return msgspec.structs.replace(reading, provenance="reported") if reading.provenance == "partial" else reading


class StreamMeter:
    """Reads one answer while it passes. Fed decoded bytes, it says which go to the client.

    Server-sent events are expected. An answer that opens with `[` is read as a streamed JSON array and
    one that opens with `{` as a whole body, since providers fall back to both. Nothing here raises.
    """

    def __init__(self, reader: str, about: About, *, strip: bool, event_bytes_max: int, text_bytes_max: int) -> None:
        """`strip` undoes `splice.ask_for_usage`. `event_bytes_max` bounds what is held back, and a whole body."""
        self._reader, self._about = reader, about
        self._strip = strip
        self._event_bytes_max = event_bytes_max
        self._text_bytes_max = text_bytes_max
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
        match opening:
            case b"{":
                return Body(lambda body: read_body(self._reader, self._about, body), self._event_bytes_max)
            case b"[":
                return Array(reader.fold(self._about), self._event_bytes_max)
            case _:
                return Events(reader.fold(self._about), self._event_bytes_max, strip=self._strip)
