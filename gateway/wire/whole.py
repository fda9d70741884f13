"""Owns what of a stream may be passed on so that it ends with a whole event, in each framing that streams have.

A client acts on an event only when it is whole. To keep back the beginning of one until its end has come costs nobody
anything, and at any moment an error of ours may follow what was passed on. No byte is changed, and none changes places.
Knows no event's meaning.
"""

from typing import ClassVar, Protocol

from gateway.wire import eventstream, sse
from gateway.wire.jsontext import Elements

# What is larger is passed on as it comes: a common event has some 300 bytes, and many streams are open at once.
KEPT_BYTES_MAX = 64 * 1024

_BLANKS = b"\xef\xbb\xbf \t\r\n"


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
        self._splitter = sse.Splitter(KEPT_BYTES_MAX)

    def feed(self, data: bytes) -> bytes:
        unsplit, passed = self._splitter.feed(data)
        if unsplit:
            passed = unsplit + passed
        if passed is data or not (b"\n" in data or b"\r" in data):
            return passed
        return passed + self._splitter.comments()

    def flush(self) -> bytes:
        return self._splitter.flush()

    @property
    def may_be_followed(self) -> bool:
        return not self._splitter.passing

    def ended_by(self, error: bytes) -> bytes:
        return error


class WholeLines:
    """JSON objects, one a line. One object over several lines is passed on as it comes, and nothing may follow it."""

    bare: ClassVar[bool] = True

    def __init__(self) -> None:
        self._kept = bytearray()
        self._passing = False  # in the midst of a line that is too long to be kept
        self._has_begun = self._is_one = False

    def feed(self, data: bytes) -> bytes:
        end = 0 if self._is_one else data.rfind(b"\n") + 1
        passed = b""
        if end:
            passed = self.flush() + data[:end]
            self._passing = False
            if not self._has_begun:
                self._recognise(passed)
        self._kept += data[end:]
        if self._passing or self._is_one or len(self._kept) > KEPT_BYTES_MAX:
            self._passing = bool(self._kept)
            passed += self.flush()
        return passed

    def flush(self) -> bytes:
        kept = bytes(self._kept)
        self._kept.clear()
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
        self._kept = bytearray()
        self._left_bytes = 0  # of a frame that is too large to be kept
        self._malformed = False

    def feed(self, data: bytes) -> bytes:
        if self._malformed:
            return data
        kept = self._kept
        kept += data
        end = min(self._left_bytes, len(kept))
        self._left_bytes -= end
        try:
            while not self._left_bytes and len(kept) - end >= eventstream.PRELUDE_BYTES:
                frame_end = end + eventstream.frame_bytes(kept, end)
                if frame_end <= len(kept):
                    end = frame_end
                elif frame_end - end > KEPT_BYTES_MAX:
                    self._left_bytes, end = frame_end - len(kept), len(kept)
                else:
                    break
        except eventstream.Malformed:
            self._malformed, end = True, len(kept)
        if end == len(data) == len(kept):
            kept.clear()
            return data
        passed = bytes(kept[:end])
        del kept[:end]
        return passed

    def flush(self) -> bytes:
        kept = bytes(self._kept)
        self._kept.clear()
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
        self._kept = bytearray()
        self._is_array: bool | None = None  # None: nothing but blanks has come
        self._has_elements = False

    def feed(self, data: bytes) -> bytes:
        if self._is_array is None and (opening := data.lstrip(_BLANKS)[:1]):
            self._is_array = opening == b"["
        if not self._is_array:
            return data
        self._elements.feed(data)
        self._kept += data
        kept_bytes = self._elements.behind_bytes
        end = len(self._kept) - (kept_bytes if kept_bytes <= KEPT_BYTES_MAX else 0)
        passed = bytes(self._kept[:end])
        del self._kept[:end]
        self._has_elements = self._has_elements or end > 0
        return passed

    def flush(self) -> bytes:
        kept = bytes(self._kept)
        self._kept.clear()
        return kept

    @property
    def may_be_followed(self) -> bool:
        return self._is_array is not False and self._elements.behind_bytes <= KEPT_BYTES_MAX

    def ended_by(self, error: bytes) -> bytes:
        return (b",\r\n" if self._has_elements else b"[") + error + b"]"
