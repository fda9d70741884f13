"""Owns what of a stream may be passed on so that it ends with a whole event, in each framing that streams have.

A client acts on an event only when it is whole. To keep back the beginning of one until its end has come costs nobody
anything, and at any moment an error of ours may follow what was passed on. No byte is changed, and none changes places.
Knows no event's meaning.
"""

import re
from typing import ClassVar, Protocol

import msgspec

from gateway.wire import eventstream, sse
from gateway.wire.jsontext import Elements

# What is larger is passed on as it comes: a common event has some 300 bytes, and many streams are open at once.
KEPT_BYTES_MAX = 64 * 1024

_BLANKS = b"\xef\xbb\xbf \t\r\n"
# Lines of server-sent events that are no part of one: comments and empty lines.
_NO_FIELD = (b":", b"\n", b"\r")
_COMMENTS = re.compile(rb"(?:(?::[^\r\n]*)?[\r\n])+")


class Whole(Protocol):
    """One stream on its way to its client. At most `KEPT_BYTES_MAX` and one chunk are ever kept back."""

    bare: ClassVar[bool]
    """Whether an error in it is JSON alone, and no event."""

    def feed(self, data: bytes) -> bytes:
        """What to pass on now; `data` itself where it ends with a whole event and nothing was kept back."""
        ...

    def flush(self) -> bytes:
        """What was kept back, once the provider's body has ended."""
        ...

    @property
    def may_be_followed(self) -> bool:
        """Whether what was passed on ends with a whole event, so that one of ours may follow."""
        ...

    def ended_by(self, error: bytes) -> bytes:
        """The end of the body for what was passed on so far: the error, rendered bare or not, and what closes it."""
        ...


class WholeEvents:
    """Server-sent events. Comments, which keep a connection alive, are passed on line by line."""

    bare: ClassVar[bool] = False

    def __init__(self) -> None:
        self._kept = b""
        self._passing = False  # in the midst of an event that is too large to be kept
        self._between = True  # neither of both
        self._before = b""  # the last bytes of what was fed, with which a blank line may begin

    def feed(self, data: bytes) -> bytes:
        if self._between and data.endswith(sse.BLANK_LINES):
            return data
        end = sse.last_end(data) or self._end_across(data)
        if end:
            passed, kept, self._passing = self._kept + data[:end], data[end:], False
        elif self._passing:
            passed, kept = data, b""
        else:
            passed, kept = b"", self._kept + data
        if kept.startswith(_NO_FIELD) and (b"\n" in data or b"\r" in data):
            comments = _COMMENTS.match(kept)
            at = comments.end() if comments else 0
            passed, kept = passed + kept[:at], kept[at:]
        if len(kept) > KEPT_BYTES_MAX:
            passed, kept, self._passing = passed + kept, b"", True
        self._kept = kept
        self._between = not (kept or self._passing)
        self._before = b"" if self._between else (self._before + data)[-sse.OVERLAP_BYTES :]
        return passed

    def flush(self) -> bytes:
        kept, self._kept = self._kept, b""
        return kept

    @property
    def may_be_followed(self) -> bool:
        return not self._passing

    def ended_by(self, error: bytes) -> bytes:
        return error

    def _end_across(self, data: bytes) -> int:
        """Where in the data a blank line ends that began in the data before; 0: nowhere."""
        before = self._before
        return max(0, sse.last_end(before + data[: sse.OVERLAP_BYTES]) - len(before)) if before else 0


class WholeLines:
    """JSON objects, one a line. One object over several lines is passed on as it comes, and nothing may follow it."""

    bare: ClassVar[bool] = True

    def __init__(self) -> None:
        self._kept = b""
        self._passing = False  # in the midst of a line that is too long to be kept
        self._has_begun = self._is_one = False

    def feed(self, data: bytes) -> bytes:
        end = 0 if self._is_one else data.rfind(b"\n") + 1
        passed = b""
        if end:
            passed, self._kept, self._passing = self._kept + data[:end], b"", False
            if not self._has_begun:
                self._recognise(passed)
        kept = self._kept + data[end:]
        if kept and (self._passing or self._is_one or len(kept) > KEPT_BYTES_MAX):
            passed, kept, self._passing = passed + kept, b"", True
        self._kept = kept
        return passed

    def flush(self) -> bytes:
        kept, self._kept = self._kept, b""
        return kept

    @property
    def may_be_followed(self) -> bool:
        return not (self._passing or self._is_one)

    def ended_by(self, error: bytes) -> bytes:
        return error + b"\n"

    def _recognise(self, passed: bytes) -> None:
        """An object that goes on in the next line does not end with its first."""
        first = passed.strip().partition(b"\n")[0]
        if first:
            self._has_begun, self._is_one = True, not first.rstrip().endswith(b"}")


class WholeFrames:
    """AWS's binary event-stream. What is none is passed on as it comes, and nothing may follow it."""

    bare: ClassVar[bool] = False

    def __init__(self) -> None:
        self._kept = b""
        self._left_bytes = 0  # of a frame that is too large to be kept
        self._malformed = False

    def feed(self, data: bytes) -> bytes:
        if self._malformed:
            return data
        text = self._kept + data
        end = min(self._left_bytes, len(text))
        self._left_bytes -= end
        try:
            while not self._left_bytes and len(text) - end >= eventstream.PRELUDE_BYTES:
                frame_end = end + eventstream.frame_bytes(text, end)
                if frame_end <= len(text):
                    end = frame_end
                elif frame_end - end > KEPT_BYTES_MAX:
                    self._left_bytes, end = frame_end - len(text), len(text)
                else:
                    break
        except eventstream.Malformed:
            self._malformed, end = True, len(text)
        self._kept = text[end:]
        return text[:end]

    def flush(self) -> bytes:
        kept, self._kept = self._kept, b""
        return kept

    @property
    def may_be_followed(self) -> bool:
        return not (self._malformed or self._left_bytes)

    def ended_by(self, error: bytes) -> bytes:
        return error


class WholeElements:
    """A JSON array that is streamed element by element. What is no array is passed on as it comes.

    The comma behind an element comes with the next one, and the closing bracket when the body has ended.
    """

    bare: ClassVar[bool] = True

    def __init__(self) -> None:
        self._elements = Elements(KEPT_BYTES_MAX)
        self._kept = b""
        self._is_array: bool | None = None  # None: nothing but blanks has come
        self._has_elements = False

    def feed(self, data: bytes) -> bytes:
        if self._is_array is None and (opening := data.lstrip(_BLANKS)[:1]):
            self._is_array = opening == b"["
        if not self._is_array:
            return data
        text = self._kept + data
        if self._is_between and _is_one_more(text):
            self._kept, self._elements.behind_bytes = b"", 0
            return text
        self._elements.feed(data)
        kept_bytes = self._elements.behind_bytes
        end = len(text) - (kept_bytes if kept_bytes <= KEPT_BYTES_MAX else 0)
        self._kept = text[end:]
        self._has_elements = self._has_elements or end > 0
        return text[:end]

    def flush(self) -> bytes:
        kept, self._kept = self._kept, b""
        return kept

    @property
    def may_be_followed(self) -> bool:
        return self._is_array is not False and self._elements.behind_bytes <= KEPT_BYTES_MAX

    def ended_by(self, error: bytes) -> bytes:
        return (b",\r\n" if self._has_elements else b"[") + error + b"]"

    @property
    def _is_between(self) -> bool:
        """Whether there has been an element, and of the next one or the closing bracket not a byte."""
        kept_bytes = self._elements.behind_bytes
        return self._has_elements and kept_bytes == len(self._kept) and not self._kept.strip(b", \t\r\n")


def _is_one_more(text: bytes) -> bool:
    """Whether it is a comma and a whole object, as a common chunk is: the decoder says so faster than a search."""
    comma, _, element = text.partition(b",")
    if comma.strip() or not element.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(element, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
