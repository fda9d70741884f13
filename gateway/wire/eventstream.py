"""Owns AWS's binary event-stream framing: bytes in, whole frames out, and frames to write. Knows no event's meaning.

A frame is three 32-bit numbers (its length, that of its headers, the CRC-32 of those eight bytes), headers,
a payload, and the CRC-32 of everything before it:
https://smithy.io/2.0/aws/amazon-eventstream.html. Both checksums and every length are checked.
"""

import struct
from collections.abc import Mapping
from typing import NamedTuple
from zlib import crc32

# The most that AWS's SDKs take (botocore 1.44, eventstream.py); what claims more is no frame.
HEADERS_BYTES_MAX = 128 * 1024
PAYLOAD_BYTES_MAX = 24 * 1024 * 1024

_PRELUDE = struct.Struct("!III")
_NUMBER = struct.Struct("!I")
_SHORT = struct.Struct("!H")
PRELUDE_BYTES = _PRELUDE.size
_FRAME_BYTES_MIN = _PRELUDE.size + _NUMBER.size

# By the type's number; a timestamp is milliseconds since the epoch.
_INTEGERS = {2: struct.Struct("!b"), 3: struct.Struct("!h"), 4: struct.Struct("!i"), 5: struct.Struct("!q")}
_INTEGERS[8] = _INTEGERS[5]
_BOOLEANS = {0: True, 1: False}
_BYTES, _STRING, _UUID = 6, 7, 9
_UUID_BYTES = 16

Value = bool | int | str | bytes


class Frame(NamedTuple):
    """One message. `:event-type` and its like are headers; a UUID is its sixteen bytes."""

    headers: Mapping[str, Value]
    payload: bytes


class Malformed(ValueError):
    """The bytes are no frame."""


class Splitter:
    """Holds the incomplete frame at the end of what was fed, and nothing else. Never raises.

    `malformed` turns true at the first bytes that are no frame: where the next would begin is then unknown, and
    nothing more is read. `oversize` turns true when a frame is larger than `frame_bytes_max`; it alone is skipped.
    """

    def __init__(self, frame_bytes_max: int) -> None:
        self.malformed = self.oversize = False
        self._frame_bytes_max = frame_bytes_max
        self._held = bytearray()
        self._skipping_bytes = 0  # how much of an oversize frame has not come yet
        self._wanted_bytes = _PRELUDE.size  # until that much is held there is nothing to do
        # Nearly every frame of a stream has the headers of the one before it, and reading them costs the most.
        self._headers_before: tuple[bytes, dict[str, Value]] = (b"", {})

    @property
    def at_boundary(self) -> bool:
        """Whether what was fed ends with a whole frame; false for good once it was malformed."""
        return not (self._held or self._skipping_bytes or self.malformed)

    def feed(self, data: bytes) -> list[Frame]:
        """The frames complete now. A byte is copied once, whatever the chunks."""
        if self.malformed:
            return []
        self._held += data
        frames: list[Frame] = []
        try:
            while self._skip() and len(self._held) >= self._wanted_bytes:
                self._advance(frames)
        except Malformed:
            self.malformed = True
            self._held.clear()
        return frames

    def _skip(self) -> bool:
        """Drops what is held of an oversize frame; whether all of it is gone."""
        if self._skipping_bytes:
            dropped = min(self._skipping_bytes, len(self._held))
            del self._held[:dropped]
            self._skipping_bytes -= dropped
        return not self._skipping_bytes

    def _advance(self, frames: list[Frame]) -> None:
        """One step: a prelude says how much is wanted, or a frame is whole."""
        if self._wanted_bytes == _PRELUDE.size:
            self._wanted_bytes = frame_bytes(self._held)
            if self._wanted_bytes > self._frame_bytes_max:
                self.oversize = True
                self._skipping_bytes, self._wanted_bytes = self._wanted_bytes, _PRELUDE.size
            return
        frames.append(self._parse(bytes(self._held[: self._wanted_bytes])))
        del self._held[: self._wanted_bytes]
        self._wanted_bytes = _PRELUDE.size

    def _parse(self, text: bytes) -> Frame:
        end = len(text) - _NUMBER.size
        if _NUMBER.unpack_from(text, end)[0] != crc32(text[:end]):
            raise Malformed("a message's checksum")
        headers_end = _PRELUDE.size + _NUMBER.unpack_from(text, _NUMBER.size)[0]
        block = text[_PRELUDE.size : headers_end]
        if block != self._headers_before[0]:
            self._headers_before = (block, _headers(block))
        return Frame(self._headers_before[1], text[headers_end:end])


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """The frame with these headers, all of them strings, and this payload."""
    lines = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    assert len(lines) <= HEADERS_BYTES_MAX, "headers are ours and short"
    assert len(payload) <= PAYLOAD_BYTES_MAX, "payloads are ours and short"
    lengths = struct.pack("!II", _FRAME_BYTES_MIN + len(lines) + len(payload), len(lines))
    unsigned = lengths + _NUMBER.pack(crc32(lengths)) + lines + payload
    return unsigned + _NUMBER.pack(crc32(unsigned))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + bytes((_STRING,)) + _SHORT.pack(len(value)) + value


def frame_bytes(text: bytes | bytearray, at: int = 0) -> int:
    """The length of the frame that opens there, of which `PRELUDE_BYTES` are needed. Raises Malformed."""
    total, headers, checksum = _PRELUDE.unpack_from(text, at)
    if checksum != crc32(text[at : at + _PRELUDE.size - _NUMBER.size]):
        raise Malformed("a prelude's checksum")
    payload = total - headers - _FRAME_BYTES_MIN
    if headers > HEADERS_BYTES_MAX or not 0 <= payload <= PAYLOAD_BYTES_MAX:
        raise Malformed("a length")
    return total


def _headers(block: bytes) -> dict[str, Value]:
    headers: dict[str, Value] = {}
    at = 0
    while at < len(block):
        try:
            name_end = at + 1 + block[at]
            name = block[at + 1 : name_end].decode()
            value, at = _value(block, name_end + 1, block[name_end])
        except (struct.error, IndexError, UnicodeDecodeError):
            raise Malformed("a header") from None
        if name in headers:
            raise Malformed("a header twice")
        headers[name] = value
    if at != len(block):
        raise Malformed("a header cut short")
    return headers


def _value(block: bytes, at: int, kind: int) -> tuple[Value, int]:
    """A header's value and where it ends."""
    if kind in (_STRING, _BYTES):
        start = at + _SHORT.size
        end = start + _SHORT.unpack_from(block, at)[0]
        return (block[start:end].decode() if kind == _STRING else block[start:end]), end
    if kind in _BOOLEANS:
        return _BOOLEANS[kind], at
    if kind in _INTEGERS:
        number = _INTEGERS[kind]
        return number.unpack_from(block, at)[0], at + number.size
    if kind == _UUID:
        return block[at : at + _UUID_BYTES], at + _UUID_BYTES
    raise Malformed("a header's type")
