"""Owns server-sent-event framing: bytes in, whole events out, no byte changed. Knows no JSON and no provider.

The framing is the HTML standard's (https://html.spec.whatwg.org/multipage/server-sent-events.html):
lines end in LF, CRLF or CR, and a blank line ends an event.
"""

import re
from itertools import pairwise

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r")
# A lone CR at the end of a chunk may be half of a CRLF, so "\n\r" alone ends nothing yet.
BLANK_LINES = (b"\n\n", b"\n\r\n", b"\r\r")
# The most bytes of a blank line that an earlier chunk can hold.
OVERLAP_BYTES = 2
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Splitter:
    """Holds back the incomplete event at the end of what was fed, and nothing else.

    `oversize` turns true when an event outgrew `event_bytes_max`: its bytes are passed on unsplit up to its
    blank line. At most `event_bytes_max` and one chunk are ever held.
    """

    def __init__(self, event_bytes_max: int) -> None:
        self.oversize = False
        self._event_bytes_max = event_bytes_max
        self._tail = bytearray()
        self._passing = False  # inside an oversize event: everything up to its blank line goes unsplit

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What leaves now: first bytes of an oversize event, then a block of whole events; either may be empty.

        A chunk of whole events with nothing pending is the block itself, the same object.
        """
        if not self._tail and not self._passing and data.endswith(BLANK_LINES):
            return b"", data
        searched_from = max(0, len(self._tail) - OVERLAP_BYTES)
        if len(self._tail) > self._event_bytes_max:
            self.oversize = self._passing = True
        self._tail += data
        unsplit = self._pass(searched_from) if self._passing else b""
        return unsplit, self._cut(last_end(self._tail, 0 if unsplit else searched_from))

    def flush(self) -> bytes:
        """The incomplete event held back; nothing is held afterwards."""
        return self._cut(len(self._tail))

    def _pass(self, searched_from: int) -> bytes:
        found = _BLANK_LINE.search(self._tail, searched_from)
        self._passing = found is None
        return self._cut(found.end() if found else len(self._tail) - OVERLAP_BYTES)

    def _cut(self, end: int) -> bytes:
        if end <= 0:
            return b""
        head = bytes(self._tail[:end])
        del self._tail[:end]
        return head


def last_end(text: bytes | bytearray, start: int = 0) -> int:
    """Where the last event of the text ends; 0: none does. Most streams have no CR, and need one search."""
    if text.find(b"\r", start) < 0:
        at = text.rfind(b"\n\n", start)
        return at + 2 if at >= 0 else 0
    end = 0
    for blank in (b"\n\r\n", b"\n\n", b"\r\r"):  # the likeliest first: the others are searched for behind it
        at = text.rfind(blank, start)
        if at >= 0 and at + len(blank) > end:
            end = at + len(blank)
            start = end - OVERLAP_BYTES
    return end


def split(block: bytes) -> list[bytes]:
    """The events of a block, each with its blank line; they join to the block. A last one may be incomplete."""
    if b"\r" in block:
        return _split_any(block)
    *texts, rest = block.split(b"\n\n")
    events = [text + b"\n\n" for text in texts]
    return [*events, rest] if rest else events


def _split_any(block: bytes) -> list[bytes]:
    """As `split`, for every line ending of the standard."""
    ends = [blank.end() for blank in _BLANK_LINE.finditer(block)]
    return [event for start, end in pairwise((0, *ends, len(block))) if (event := block[start:end])]


def payload(event: bytes) -> bytes:
    """The event's `data`, its lines joined by LF; empty for comments, pings without data and blank lines."""
    if event.startswith(b"data:") and event.find(b"\n") == (end := len(event) - 2) and b"\r" not in event:
        return event[6:end] if event.startswith(b" ", 5) else event[5:end]
    return b"\n".join(_fields(event, b"data"))


def name(event: bytes) -> bytes:
    """The value of the event's `event` field; empty where it has none."""
    values = _fields(event, b"event")
    return values[-1] if values else b""


def _fields(event: bytes, field: bytes) -> list[bytes]:
    values: list[bytes] = []
    for line in event.removeprefix(_BYTE_ORDER_MARK).splitlines():
        key, _, value = line.partition(b":")
        if key == field:
            values.append(value.removeprefix(b" "))
    return values
