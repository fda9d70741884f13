"""Owns content-encoding: decoding a copy of a body, step by step and bounded, so that it can be read.

Answers are decoded as they pass, as far as they go. Requests are decoded whole and strictly: what a provider might
read further than the gateway, or not as far, is a fault.
"""

import zlib
from typing import Any, Protocol, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]
import zstandard

# Decoded bytes of one body: above it the copy of an answer is given up, the stream is not.
DECODED_BYTES_MAX = 64 * 1024 * 1024
# What a request's body may decode to for each byte of it, and how much it may at any point be ahead of that. JSON
# and base64 grow 2 to 20 times, white space and repetition 100 times for a while; a gzip bomb grows 1000 times and the
# others more. So a bomb ends after 8 MiB, be there megabytes of noise before it, and an honest body of any size passes.
REQUEST_GROWTH_MAX = 100
REQUEST_BURST_BYTES_MAX = 8 * 1024 * 1024
# Members of one gzip body, frames of one zstd answer: senders make one, bgzip one for each 64 KiB. Each costs
# microseconds, however small.
MEMBERS_MAX = 4096
# Output is produced in pieces of this size, so that a bomb is noticed after one piece too many.
_STEP_BYTES = 64 * 1024
# A request's body is decoded in slices of this size, so that growth is judged where it happens.
_SLICE_BYTES = 16 * 1024
# What zlib has to see before it can say that a header is none.
_ZLIB_HEADER_BYTES = 2
# A window above 8 MiB is never needed by an HTTP body: RFC 9659.
_ZSTD_WINDOW_BYTES_MAX = 8 * 1024 * 1024
# Four bytes may decode to 128 KiB (a block of one repeated byte, RFC 8878 §3.1.1.2), so this is 8 MiB at most.
_ZSTD_SLICE_BYTES = 256

_BROTLI_ERROR = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]


# Names of no encoding that servers send: `none` keeps a compressing proxy off a stream, the last is a character set.
_PLAIN = frozenset((b"", b"identity", b"none", b"utf-8"))


class DecodeFault(Exception):
    """The bytes are not what their content-encoding says, or decode to more than a limit."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> bytes:
        """Decoded bytes, possibly none yet. Raises DecodeFault; nothing may be fed after that."""
        ...


class _Room:
    """How many decoded bytes there is still room for: in all and, where growth is bounded, at this point."""

    def __init__(self, bytes_max: int, burst_bytes_max: int | None = None) -> None:
        self._total = bytes_max + 1  # zlib takes 0 for "no limit"
        self._burst_max = self._total if burst_bytes_max is None else burst_bytes_max
        self._burst = self._burst_max

    @property
    def left(self) -> int:
        return min(self._total, self._burst)

    def earn(self, encoded_bytes: int) -> None:
        self._burst = min(self._burst_max, self._burst + encoded_bytes * REQUEST_GROWTH_MAX)

    def take(self, decoded_bytes: int) -> None:
        self._total -= decoded_bytes
        self._burst -= decoded_bytes
        if self._total <= 0 or self._burst <= 0:
            raise DecodeFault("it decodes to more than the limit, or grows more than honest bodies do")


class _Zlib:
    def __init__(self, window_bits: int, room: _Room) -> None:
        self._window_bits = window_bits
        self._decoder = zlib.decompressobj(window_bits)
        self._room = room
        self._members_left = MEMBERS_MAX
        self._started = False
        self._held = b""

    @property
    def finished(self) -> bool:
        return self._decoder.eof

    def feed(self, data: bytes) -> bytes:
        if not self._started:
            data = self._held + data
            if len(data) < _ZLIB_HEADER_BYTES:
                self._held = data
                return b""
        out: list[bytes] = []
        while data:
            out.append(self._member(data))
            data = self._decoder.unused_data
            if data:
                self._begin_member()
        return b"".join(out)

    def _member(self, data: bytes) -> bytes:
        try:
            out = self._decoder.decompress(data, self._room.left)
        except zlib.error as error:
            if self._started or self._window_bits != zlib.MAX_WBITS:
                raise DecodeFault(str(error)) from None
            # "deflate" is zlib-wrapped by RFC 9110 §8.4.1.2, raw from some servers.
            self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
            self._window_bits = -zlib.MAX_WBITS
            return self._member(data)
        self._started = True
        self._room.take(len(out))
        return out

    def _begin_member(self) -> None:
        if self._window_bits <= zlib.MAX_WBITS:
            raise DecodeFault("bytes follow its end")
        # gzip is one member after another: RFC 1952 §2.2.
        self._members_left -= 1
        if self._members_left < 0:
            raise DecodeFault("it has too many members")
        self._decoder = zlib.decompressobj(self._window_bits)


class _Brotli:
    def __init__(self, room: _Room) -> None:
        self._decoder: Any = brotli.Decompressor()  # pyright: ignore[reportUnknownMemberType]
        self._room = room

    @property
    def finished(self) -> bool:
        return self._decoder.is_finished()

    def feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        try:
            piece = self._step(data)
            # It may take all of its input and still hold output back.
            while piece and not self._decoder.is_finished():
                out.append(piece)
                piece = self._step(b"")
            out.append(piece)
        except _BROTLI_ERROR as error:
            raise DecodeFault(str(error)) from None
        return b"".join(out)

    def _step(self, data: bytes) -> bytes:
        out: bytes = self._decoder.process(data, output_buffer_limit=_STEP_BYTES)
        self._room.take(len(out))
        return out


class _Zstandard:
    """Feeds zstandard's own push decoder, whose output no argument bounds, by slices too short to hold a bomb.

    Not its stream_writer: that calls back, and leaks its buffers where the callback raises, or all of itself where
    that belongs to who holds the writer, since the garbage collector does not see it (zstandard 0.25).
    """

    def __init__(self, room: _Room, *, one_frame: bool) -> None:
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
        self._decoder = self._decompressor.decompressobj(write_size=_STEP_BYTES)
        self._room = room
        self._frames_left = 0 if one_frame else MEMBERS_MAX

    @property
    def finished(self) -> bool:
        return self._decoder.eof

    def feed(self, data: bytes) -> bytes:
        out: list[bytes] = []
        at = 0
        try:
            while at < len(data):
                if self._decoder.eof:
                    self._begin_frame()
                at += _ZSTD_SLICE_BYTES
                if text := self._decoder.decompress(data[at - _ZSTD_SLICE_BYTES : at]):
                    self._room.take(len(text))
                    out.append(text)
                if self._decoder.eof:
                    at = min(at, len(data)) - len(self._decoder.unused_data)
        except zstandard.ZstdError as error:
            raise DecodeFault(str(error)) from None
        return b"".join(out)

    def _begin_frame(self) -> None:
        self._frames_left -= 1
        if self._frames_left < 0:
            raise DecodeFault("bytes follow its end")
        self._decoder = self._decompressor.decompressobj(write_size=_STEP_BYTES)


def is_plain(content_encoding: bytes) -> bool:
    """Whether what an answer says of its encoding is that it has none."""
    return content_encoding.lower() in _PLAIN


def decoder(content_encoding: bytes, bytes_max: int = DECODED_BYTES_MAX) -> Decoder | None:
    """A decoder for one content-encoding; None for an unknown or stacked one."""
    return _decoder(content_encoding, _Room(bytes_max), one_frame=False)


def decode_request(content_encoding: bytes, body: bytes, bytes_max: int) -> bytes | None:
    """A whole body decoded; None for an unknown or stacked encoding.

    Raises DecodeFault for one that ends early, is followed by bytes, or decodes to more than `bytes_max` or to
    more than an honest one would. Of gzip there may be several members, which all readers know; of zstd one frame
    alone, since many readers stop behind the first.
    """
    room = _Room(bytes_max, REQUEST_BURST_BYTES_MAX)
    decode = _decoder(content_encoding, room, one_frame=True)
    if decode is None:
        return None
    out: list[bytes] = []
    for at in range(0, len(body), _SLICE_BYTES):
        piece = body[at : at + _SLICE_BYTES]
        room.earn(len(piece))
        out.append(decode.feed(piece))
    if not decode.finished:
        raise DecodeFault("it ends early")
    return b"".join(out)


def _decoder(content_encoding: bytes, room: _Room, *, one_frame: bool) -> _Zlib | _Brotli | _Zstandard | None:
    match content_encoding.strip().lower():
        case b"gzip" | b"x-gzip":
            return _Zlib(zlib.MAX_WBITS | 16, room)
        case b"deflate":
            return _Zlib(zlib.MAX_WBITS, room)
        case b"br":
            return _Brotli(room)
        case b"zstd":
            return _Zstandard(room, one_frame=one_frame)
        case _:
            return None
