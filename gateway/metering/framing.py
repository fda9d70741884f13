"""Owns finding the parts of an answer that can carry usage, in each framing that providers use. Knows no provider.

The bytes come first: whatever goes wrong with the reading, they are passed on, and the reading says so.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.metering.counts import PROVIDER_ERROR
from gateway.metering.fold import UNREADABLE, Fold
from gateway.metering.reading import Reading
from gateway.wire import eventstream, sse
from gateway.wire.jsontext import Elements
from gateway.wire.splice import strip_nulls, strip_usage

METER_ERROR = "meter_error"
EVENT_TOO_LARGE = "event_too_large"
BODY_TOO_LARGE = "body_too_large"

# A model is named in the first event; on Azure in the second, after the results of the prompt's filter. A stream
# that has not named it in its first four chunks will not.
_NAMING_BLOCKS_MAX = 4

# An error in JSON is shorter; of audio as much is kept, for nothing.
_BEGINNING_BYTES_MAX = 4096

# No event without it carries usage, in any dialect: it opens the keys "usage" and "usageMetadata". A string that
# opens with the word has it too, so it is only worth a closer look; a quoted word inside a string has a backslash.
_MARK = b'"usage'
_NULL = b'"usage":null'
# A binary event-stream wraps a model's own events in base64 as {"bytes":"…"}, which no search looks into.
_BLOB = b'"bytes"'
_FAILURES = frozenset(("exception", "error"))  # what `:message-type` says of a stream that failed


class Framing(Protocol):
    """One answer's bytes on their way through."""

    def feed(self, data: bytes) -> bytes:
        """What to pass on now."""
        ...

    def flush(self) -> bytes:
        """What was held back, once no more comes."""
        ...

    def reading(self, complete: bool) -> Reading:
        """What was read, after `flush`."""
        ...


class Events:
    """Server-sent events. Of the common one nothing is read: one search for a few bytes says that it has no usage."""

    def __init__(self, fold: Fold, event_bytes_max: int, *, strip: bool) -> None:
        self._splitter = sse.Splitter(event_bytes_max)
        self._fold = fold
        self._strip = strip
        self._naming_blocks = _NAMING_BLOCKS_MAX  # how many more may be read for the model's name
        # An error or llama.cpp's timings come at the end; the last two blocks are kept instead of searching all.
        self._last, self._last_but_one = b"", b""
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        unsplit, block = self._splitter.feed(data)
        passed = self._pass(block) if block else block
        return unsplit + passed if unsplit else passed

    def flush(self) -> bytes:
        """The last event may lack its blank line; cut in its midst it is no JSON, and passed on as it is."""
        tail = self._splitter.flush()
        return self._pass(tail) if _is_json(sse.payload(tail)) else tail

    def reading(self, complete: bool) -> Reading:
        try:
            reading = self._fold.reading(complete)
            if reading.provenance != "reported":
                self._take_all(self._last_but_one + self._last)
                reading = self._fold.reading(complete)
        except Exception:  # As in `_pass`.
            reading, self._broken = Reading(), True
        return _flagged(reading, {METER_ERROR: self._broken, EVENT_TOO_LARGE: self._splitter.oversize})

    def _pass(self, block: bytes) -> bytes:
        self._last, self._last_but_one = block, self._last
        try:
            return self._strip_block(block) if self._strip else self._read_block(block)
        except Exception:  # A defect of ours must cost a number, never a stream.
            self._broken = True
            return block

    def _read_block(self, block: bytes) -> bytes:
        if self._naming_blocks or (_MARK in block and block.count(_MARK) > block.count(_NULL)):
            self._take_all(block)
        return block

    def _strip_block(self, block: bytes) -> bytes:
        slim = strip_nulls(block)
        if not self._naming_blocks and _MARK not in slim:
            return slim
        self._take_all(slim)
        return b"".join(kept for event in sse.split(slim) if (kept := strip_usage(event)) is not None)

    def _take_all(self, block: bytes) -> None:
        for event in sse.split(block):
            payload = sse.payload(event)
            if payload.lstrip().startswith(b"{"):
                self._fold.take(payload)
        if self._naming_blocks:
            self._naming_blocks = 0 if self._fold.is_named else self._naming_blocks - 1


class Array:
    """A JSON array that is streamed element by element, as Gemini does where `alt=sse` was not asked for."""

    def __init__(self, fold: Fold, element_bytes_max: int) -> None:
        self._elements = Elements(element_bytes_max)
        self._fold = fold
        self._broken = False

    def feed(self, data: bytes) -> bytes:
        try:
            for element in self._elements.feed(data):
                self._fold.take(element)
        except Exception:  # As in Events._pass.
            self._broken = True
        return data

    def flush(self) -> bytes:
        return b""

    def reading(self, complete: bool) -> Reading:
        flags = {METER_ERROR: self._broken, EVENT_TOO_LARGE: self._elements.oversize}
        return _flagged(self._fold.reading(complete), flags)


class Frames:
    """AWS's binary event-stream. Nothing in it is ever changed, so nothing is held back."""

    def __init__(self, fold: Fold, frame_bytes_max: int) -> None:
        self._splitter = eventstream.Splitter(frame_bytes_max)
        self._fold = fold
        self._failed = self._broken = False

    def feed(self, data: bytes) -> bytes:
        try:
            for frame in self._splitter.feed(data):
                self._read(frame)
        except Exception:  # As in Events._pass.
            self._broken = True
        return data

    def flush(self) -> bytes:
        return b""

    def reading(self, complete: bool) -> Reading:
        flags = {
            METER_ERROR: self._broken,
            EVENT_TOO_LARGE: self._splitter.oversize,
            UNREADABLE: self._splitter.malformed,
            PROVIDER_ERROR: self._failed,
        }
        return _flagged(self._fold.reading(complete and self._splitter.at_boundary and not self._failed), flags)

    def _read(self, frame: eventstream.Frame) -> None:
        if frame.headers.get(":message-type") in _FAILURES:
            self._failed = True
        elif _MARK in frame.payload or _BLOB in frame.payload:
            self._fold.take(frame.payload)


class Lines:
    """JSON objects, one a line (Ollama, Cohere's first version). Nothing in them is changed or held back.

    The last line tells of the usage, or of an error: the first lines, for the model's name, and the last two are
    all that is read. An answer whose first line is no JSON is one object over several lines.
    """

    def __init__(self, fold: Fold, line_bytes_max: int) -> None:
        self._fold = fold
        self._line_bytes_max = line_bytes_max
        self._held = bytearray()
        self._naming_lines = _NAMING_BLOCKS_MAX  # how many more may be read for the model's name
        self._last, self._last_but_one = b"", b""
        self._is_one: bool | None = None  # one object over several lines; None before the first has ended
        self._skipping = self._oversize = self._broken = False

    def feed(self, data: bytes) -> bytes:
        first, *others = data.split(b"\n")
        self._hold(first)
        for part in others:
            self._break_line()
            self._hold(part)
        return data

    def flush(self) -> bytes:
        """The last line may lack its end; cut in its midst it is no JSON."""
        if _is_json(bytes(self._held)):
            self._end_line()
        return b""

    def reading(self, complete: bool) -> Reading:
        for line in (self._last_but_one, self._last):
            self._read(line)
        flags = {METER_ERROR: self._broken, EVENT_TOO_LARGE: self._oversize}
        return _flagged(self._fold.reading(complete), flags)

    def _hold(self, part: bytes) -> None:
        if len(self._held) + len(part) > self._line_bytes_max:
            self._oversize = self._skipping = True
            self._held.clear()
        elif not self._skipping:
            self._held += part

    def _break_line(self) -> None:
        if self._is_one is None and self._held.strip():
            self._is_one = not _is_json(bytes(self._held))
        if self._is_one:
            self._hold(b"\n")
        else:
            self._end_line()

    def _end_line(self) -> None:
        line = bytes(self._held).strip()
        self._held.clear()
        if line and not self._skipping:
            self._last_but_one, self._last = self._last, line
            if self._naming_lines:
                self._read(line)
                self._naming_lines = 0 if self._fold.is_named else self._naming_lines - 1
        self._skipping = False

    def _read(self, line: bytes) -> None:
        try:
            if line.startswith(b"{"):
                self._fold.take(line)
        except Exception:  # As in Events._pass.
            self._broken = True


class Body:
    """One JSON value, kept until it is whole; one of more than `body_bytes_max` is not read."""

    def __init__(self, read: Callable[[bytes], Reading], body_bytes_max: int) -> None:
        self._read = read
        self._body_bytes_max = body_bytes_max
        self._body = bytearray()
        self._oversize = False

    def feed(self, data: bytes) -> bytes:
        if len(self._body) + len(data) > self._body_bytes_max:
            self._oversize = True
            self._body.clear()
        elif not self._oversize:
            self._body += data
        return data

    def flush(self) -> bytes:
        return b""

    def reading(self, complete: bool) -> Reading:
        if self._oversize or not self._body:
            return _flagged(Reading(), {BODY_TOO_LARGE: self._oversize})
        return self._read(bytes(self._body))


class Records:
    """JSON objects, one a line, each of which counts (the results of a batch). Only an incomplete line is held."""

    def __init__(self, fold: Fold, line_bytes_max: int) -> None:
        self._fold = fold
        self._line_bytes_max = line_bytes_max
        self._held = bytearray()
        self._skipping = self._oversize = self._broken = False

    def feed(self, data: bytes) -> bytes:
        first, *others = data.split(b"\n")
        self._hold(first)
        for part in others:
            self.flush()
            self._hold(part)
        return data

    def flush(self) -> bytes:
        line, is_whole = bytes(self._held).strip(), not self._skipping
        self._held.clear()
        self._skipping = False
        if line and is_whole:
            try:
                self._fold.take(line)
            except Exception:  # As in Events._pass.
                self._broken = True
        return b""

    def reading(self, complete: bool) -> Reading:
        self.flush()  # the last line may lack its end
        flags = {METER_ERROR: self._broken, EVENT_TOO_LARGE: self._oversize}
        return _flagged(self._fold.reading(complete), flags)

    def _hold(self, part: bytes) -> None:
        if len(self._held) + len(part) > self._line_bytes_max:
            self._oversize = self._skipping = True
            self._held.clear()
        elif not self._skipping:
            self._held += part


class Opaque:
    """An answer that is no text, such as audio. What is kept of it tells an error from it, and nothing else."""

    def __init__(self, read: Callable[[bytes], Reading]) -> None:
        self._read = read
        self._beginning = b""

    def feed(self, data: bytes) -> bytes:
        if len(self._beginning) < _BEGINNING_BYTES_MAX:
            self._beginning += data[: _BEGINNING_BYTES_MAX - len(self._beginning)]
        return data

    def flush(self) -> bytes:
        return b""

    def reading(self, complete: bool) -> Reading:
        return self._read(self._beginning)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _flagged(reading: Reading, flags: dict[str, bool]) -> Reading:
    raised = tuple(flag for flag, is_raised in flags.items() if is_raised)
    return msgspec.structs.replace(reading, flags=reading.flags + raised) if raised else reading
