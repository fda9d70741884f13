"""Owns the bytes of a segment: its header, its frames, and how damage among them is told apart. Does no I/O.

A segment is a header and then frames, all integers little-endian:

    header  "LENSAIJ\\n" · format u16 · reserved u16 · CRC32C u32 of the twelve bytes before
    frame   0xC1 0xC1 · CRC32C u32 of all that follows · payload length u32 · kind u8 · id length u8 · id · payload

The length is under the checksum, so a damaged length is damage and not a wrong payload. 0xC1 occurs in no
UTF-8 text and begins no msgpack value: text that a caller chose can never look like the start of a frame.
"""

import enum
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

import google_crc32c

# The package ships a marker but no types for this function.
crc32c = cast("Callable[[bytes], int]", google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]

FORMAT = 1
_MAGIC = b"LENSAIJ\n"
_HEADER = struct.Struct("<8sHH")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CRC.size

SYNC = b"\xc1\xc1"
_LEAD = struct.Struct("<2sI")
_BODY = struct.Struct("<IBB")
_FRAME_HEAD_BYTES = _LEAD.size + _BODY.size

# A record is a few hundred bytes and its caller-chosen parts are bounded by the header limits; a longer
# payload is our bug, and a longer length in a segment is damage that must not make a reader wait for it.
PAYLOAD_BYTES_MAX = 1 << 20
ID_BYTES_MAX = 255


class Kind(enum.IntEnum):
    """INTENT: a call is about to be dispatched, or holds more than before; the last one counts. FINAL: its end.

    PROBE: written to see whether the disk takes it. SIGNAL: a threshold was reached; its id is the counter's.
    """

    INTENT = 1
    FINAL = 2
    PROBE = 3
    SIGNAL = 4


INTENT, FINAL, PROBE, SIGNAL = int(Kind.INTENT), int(Kind.FINAL), int(Kind.PROBE), int(Kind.SIGNAL)


class Frame(NamedTuple):
    kind: int
    id: bytes
    payload: bytes


class SegmentTooNew(Exception):
    """A later version wrote this segment; reading it as ours would misread it."""


@dataclass(slots=True)
class Damage:
    """What a reader could not use. Bytes at the end are `torn`: a write that was cut, or all that follows one."""

    regions: int = 0
    skipped_bytes: int = 0
    torn_bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.regions or self.torn_bytes)


def header() -> bytes:
    """The first bytes of a segment of this version."""
    lead = _HEADER.pack(_MAGIC, FORMAT, 0)
    return lead + _CRC.pack(crc32c(lead))


def encode(kind: int, id: bytes, payload: bytes) -> bytes:
    """One frame. Raises ValueError for an id or a payload over its limit."""
    payload_bytes, id_bytes = len(payload), len(id)
    if payload_bytes > PAYLOAD_BYTES_MAX or id_bytes > ID_BYTES_MAX:
        raise ValueError(f"frame over its limit: id of {id_bytes} bytes, payload of {payload_bytes}")
    body = _BODY.pack(payload_bytes, kind, id_bytes) + id + payload
    return _LEAD.pack(SYNC, crc32c(body)) + body


def peek(frame: bytes) -> tuple[int, bytes]:
    """Kind and id of a frame that `encode` made."""
    _, kind, id_bytes = _BODY.unpack_from(frame, _LEAD.size)
    return kind, frame[_FRAME_HEAD_BYTES : _FRAME_HEAD_BYTES + id_bytes]


class _Verdict(enum.Enum):
    INCOMPLETE = enum.auto()
    DAMAGED = enum.auto()


def _parse(buffer: bytes, at: int) -> tuple[Frame, int] | _Verdict:
    """The frame at an offset and the offset behind it, or why there is none."""
    body_at = at + _LEAD.size
    if not SYNC.startswith(buffer[at : at + 2]):
        return _Verdict.DAMAGED
    if len(buffer) < at + _FRAME_HEAD_BYTES:
        return _Verdict.INCOMPLETE
    payload_bytes, kind, id_bytes = _BODY.unpack_from(buffer, body_at)
    if payload_bytes > PAYLOAD_BYTES_MAX:
        return _Verdict.DAMAGED
    payload_at = at + _FRAME_HEAD_BYTES + id_bytes
    end = payload_at + payload_bytes
    if end > len(buffer):
        return _Verdict.INCOMPLETE
    if crc32c(buffer[body_at:end]) != _LEAD.unpack_from(buffer, at)[1]:
        return _Verdict.DAMAGED
    return Frame(kind, buffer[at + _FRAME_HEAD_BYTES : payload_at], buffer[payload_at:end]), end


class Decoder:
    """Turns the bytes of one segment, fed in pieces, into frames; steps over damage and counts it.

    Holds at most one unfinished frame between calls. `damage` is complete after `finish`.
    """

    def __init__(self) -> None:
        self.damage = Damage()
        self._buffer = b""
        self._header_due = True
        self._gap_bytes = 0  # unusable bytes since the last good frame

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete with these bytes. Raises SegmentTooNew."""
        self._buffer += data
        if self._header_due and not self._take_header():
            return []
        return self._drain(ended=False)

    def finish(self) -> list[Frame]:
        """The frames left behind an unfinished one, at the segment's end; what remains after them was torn."""
        frames = self._drain(ended=True)
        self.damage.torn_bytes = self._gap_bytes
        return frames

    def _take_header(self) -> bool:
        if len(self._buffer) < HEADER_BYTES:
            return False
        self._header_due = False
        lead = self._buffer[: _HEADER.size]
        magic, version, _ = _HEADER.unpack(lead)
        (crc,) = _CRC.unpack_from(self._buffer, _HEADER.size)
        if magic != _MAGIC or crc != crc32c(lead):
            return True  # damaged: the bytes are stepped over like any that are no frame
        if version > FORMAT:
            raise SegmentTooNew(f"segment format {version} is newer than {FORMAT}, the newest this version reads")
        self._buffer = self._buffer[HEADER_BYTES:]
        return True

    def _drain(self, *, ended: bool) -> list[Frame]:
        frames: list[Frame] = []
        buffer, at = self._buffer, 0
        while at < len(buffer):
            parsed = _parse(buffer, at)
            if isinstance(parsed, tuple):
                self._close_gap()
                frames.append(parsed[0])
                at = parsed[1]
            elif parsed is _Verdict.INCOMPLETE and not ended:
                break
            else:
                at = self._step_over(buffer, at)
        self._buffer = buffer[at:]
        return frames

    def _step_over(self, buffer: bytes, at: int) -> int:
        """The next offset where a frame may begin."""
        found = buffer.find(SYNC[:1], at + 1)
        end = found if found >= 0 else len(buffer)
        self._gap_bytes += end - at
        return end

    def _close_gap(self) -> None:
        if self._gap_bytes:
            self.damage.regions += 1
            self.damage.skipped_bytes += self._gap_bytes
            self._gap_bytes = 0
