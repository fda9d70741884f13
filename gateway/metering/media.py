"""Owns the sizes of pictures and sounds, read from the first bytes of their files. Knows no model and no token.

Strict: what is not certainly there is None. PNG (w3.org/TR/png 11.2.1), GIF (89a, 18), JPEG (ITU-T T.81 B.2.2),
WebP (RFC 9649) and WAV (the RIFF of Microsoft's and IBM's "Multimedia Programming Interface").
"""

from collections.abc import Callable
from typing import NamedTuple

# Beyond this no encoder makes an image, and no provider takes one; a larger number is a broken header.
_SIDE_MAX = 65_535
# JPEG's marker segments before its frame: metadata and colour profiles, each of 64 kB at most. Cameras write some.
_SEGMENTS_MAX = 64


class Size(NamedTuple):
    """Of an image, in pixels."""

    width: int
    height: int


class Sound(NamedTuple):
    """How long a recording plays."""

    milliseconds: int


Media = Size | Sound


def measure(data: bytes) -> Media | None:
    """What the file is, by its beginning; None for what is none of these, or says nothing of its size so far."""
    for magic, read in _FORMATS:
        if data.startswith(magic):
            return read(data)
    return None


def _png(data: bytes) -> Size | None:
    return _size(_big(data[16:20]), _big(data[20:24])) if data[12:16] == b"IHDR" and len(data) >= 24 else None


def _gif(data: bytes) -> Size | None:
    return _size(_little(data[6:8]), _little(data[8:10])) if len(data) >= 10 else None


def _jpeg(data: bytes) -> Size | None:
    """From the frame's header, wherever the segments before it end."""
    at = 2
    for _ in range(_SEGMENTS_MAX):
        while data[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        if data[at : at + 1] != b"\xff" or len(data) < at + 4:
            return None
        marker, length = data[at + 1], _big(data[at + 2 : at + 4])
        if marker in _FRAMES:
            return _size(_big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])) if len(data) >= at + 9 else None
        if length < 2:
            return None
        at += 2 + length
    return None


# Every "start of frame"; those between them are tables and a reserved marker.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _riff(data: bytes) -> Media | None:
    if data[8:12] == b"WAVE":
        return _wave(data)
    reads = _WEBP.get(data[12:16]) if data[8:12] == b"WEBP" else None
    return reads(data) if reads and len(data) >= 30 else None


def _lossy(data: bytes) -> Size | None:
    if data[23:26] != b"\x9d\x01\x2a":
        return None
    return _size(_little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF)


def _lossless(data: bytes) -> Size | None:
    bits = _little(data[21:25])
    return _size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1) if data[20] == 0x2F else None


def _extended(data: bytes) -> Size | None:
    return _size(_little(data[24:27]) + 1, _little(data[27:30]) + 1)


_WEBP: dict[bytes, Callable[[bytes], Size | None]] = {b"VP8 ": _lossy, b"VP8L": _lossless, b"VP8X": _extended}


# What stands for the length of samples that were written before it was known.
_UNSAID = frozenset((0, 0xFFFFFFFF))


def _wave(data: bytes) -> Sound | None:
    """The length of the samples over the bytes of a second, both as the header states them."""
    at, bytes_per_s = 12, 0
    for _ in range(_SEGMENTS_MAX):
        name, length = data[at : at + 4], _little(data[at + 4 : at + 8])
        if len(data) < at + 8:
            return None
        if name == b"fmt " and len(data) >= at + 20:
            bytes_per_s = _little(data[at + 16 : at + 20])
        if name == b"data":
            return Sound(length * 1000 // bytes_per_s) if bytes_per_s and length not in _UNSAID else None
        at += 8 + length + length % 2
    return None


_FORMATS: tuple[tuple[bytes, Callable[[bytes], Media | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"\xff\xd8", _jpeg),
    (b"GIF87a", _gif),
    (b"GIF89a", _gif),
    (b"RIFF", _riff),
)


def _size(width: int, height: int) -> Size | None:
    return Size(width, height) if 0 < width <= _SIDE_MAX and 0 < height <= _SIDE_MAX else None


def _big(number: bytes) -> int:
    return int.from_bytes(number, "big")


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")
