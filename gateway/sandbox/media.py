"""Owns pictures and sounds of the sandbox's own making, and how long a sound is. Knows no dialect."""

import hashlib
import struct
import zlib

# Signed 16-bit samples, one channel: what speech models write as `pcm`.
PCM_RATE_HZ = 24_000

# A frame of MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono, without its 413 bytes of sound.
_MP3_HEAD, _MP3_BYTES = b"\xff\xfb\x90\xc4", 417
# What else begins as its format does; the rest is noise.
_MAGIC = {
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "webp": b"RIFF\x40\x00\x00\x00WEBPVP8 ", "opus": b"OggS\x00\x02",
    "aac": b"\xff\xf1\x50\x80", "flac": b"fLaC\x00\x00\x00\x22",
}  # fmt: skip
# The marks of a picture, in the order they are looked for.
_PICTURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"RIFF", "webp"))


def _noise(seed: bytes, count: int) -> bytes:
    return hashlib.shake_128(seed).digest(count)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(seed: bytes, kind: str = "png") -> bytes:
    """A real PNG of eight by eight grey points; another kind only looks like one from its first bytes."""
    if kind in _MAGIC:
        return _MAGIC[kind] + _noise(seed, 64)
    points = _noise(seed, 64)
    rows = b"".join(b"\x00" + points[start : start + 8] for start in range(0, 64, 8))
    header = _png_chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _png_chunk(b"IDAT", zlib.compress(rows)) + _png_chunk(b"IEND", b"")


def picture_kind(data: bytes) -> str | None:
    return next((kind for mark, kind in _PICTURES if data.startswith(mark)), None)


def wav(samples: bytes, rate_hz: int = PCM_RATE_HZ) -> bytes:
    """A WAV file of these 16-bit samples of one channel."""
    form = struct.pack("<HHIIHH", 1, 1, rate_hz, rate_hz * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def sound(seed: bytes, kind: str, tokens: int) -> bytes:
    """Something to send for that many tokens of speech, fifty milliseconds each: real WAV and MP3 frames."""
    if kind == "mp3":
        frames = max(1, tokens * 2)
        return b"".join(_MP3_HEAD + _noise(seed + bytes((number & 255,)), _MP3_BYTES - 4) for number in range(frames))
    samples = _noise(seed, tokens * PCM_RATE_HZ // 10)
    if kind in _MAGIC:
        return _MAGIC[kind] + samples
    return wav(samples) if kind == "wav" else samples


def wav_duration_ms(data: bytes) -> int | None:
    """How long a WAV file plays, rounded up, by its own header; None if it is no such file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    byte_rate, at = 0, 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"fmt " and size >= 16:
            byte_rate = int.from_bytes(data[at + 16 : at + 20], "little")
        if kind == b"data" and byte_rate:
            present = min(size, len(data) - at - 8)
            return -(-present * 1000 // byte_rate)
        at += 8 + size + size % 2
    return None
