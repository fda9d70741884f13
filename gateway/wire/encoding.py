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
# Members of one gzip body: senders make one, bgzip one for each 64 KiB. Each costs microseconds, however small.
MEMBERS_MAX = 4096
# Blocks of one zstd body: each but a flushed one holds 128 KiB (RFC 8878 §3.1.1.2.4), so these are 8 GiB.
BLOCKS_MAX = 64 * 1024
# Output is produced in pieces of this size, so that a bomb is noticed after one piece too many.
_STEP_BYTES = 64 * 1024
# A request's body is decoded in slices of this size, so that growth is judged where it happens.
_SLICE_BYTES = 16 * 1024
# What zlib has to see before it can say that a header is none.
_ZLIB_HEADER_BYTES = 2
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_BROTLI_ERROR = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]


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
        if self.left <= 0:
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


class _Sink:
    """What zstandard writes to, which is how a bomb is stopped half-way.

    An object of its own: zstandard's writer takes no part in garbage collection, so that one which wrote to who
    holds it would never be freed.
    """

    def __init__(self, room: _Room) -> None:
        self.pieces: list[bytes] = []
        self._room = room

    def write(self, out: bytes) -> int:
        self._room.take(len(out))
        self.pieces.append(bytes(out))
        return len(out)


class _Zstandard:
    def __init__(self, room: _Room) -> None:
        # A window above 8 MiB is never needed by an HTTP body: RFC 9659.
        decompressor = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)
        self._sink = _Sink(room)
        self._decoder = decompressor.stream_writer(cast("Any", self._sink), write_size=_STEP_BYTES, closefd=False)

    def feed(self, data: bytes) -> bytes:
        try:
            self._decoder.write(data)
        except zstandard.ZstdError as error:
            raise DecodeFault(str(error)) from None
        out = b"".join(self._sink.pieces)
        self._sink.pieces.clear()
        return out


def decoder(content_encoding: bytes, bytes_max: int = DECODED_BYTES_MAX) -> Decoder | None:
    """A decoder for one content-encoding; None for an unknown or stacked one."""
    return _decoder(content_encoding, _Room(bytes_max))


def decode_request(content_encoding: bytes, body: bytes, bytes_max: int) -> bytes | None:
    """A whole body decoded; None for an unknown or stacked encoding.

    Raises DecodeFault for one that ends early, is followed by bytes, or decodes to more than `bytes_max` or to
    more than an honest one would.
    """
    room = _Room(bytes_max, REQUEST_BURST_BYTES_MAX)
    decode = _decoder(content_encoding, room)
    if decode is None:
        return None
    if isinstance(decode, _Zstandard):
        _check_zstd_frame(body)
    out: list[bytes] = []
    for at in range(0, len(body), _SLICE_BYTES):
        piece = body[at : at + _SLICE_BYTES]
        room.earn(len(piece))
        out.append(decode.feed(piece))
    if not isinstance(decode, _Zstandard) and not decode.finished:
        raise DecodeFault("it ends early")
    return b"".join(out)


def _decoder(content_encoding: bytes, room: _Room) -> _Zlib | _Brotli | _Zstandard | None:
    match content_encoding.strip().lower():
        case b"gzip" | b"x-gzip":
            return _Zlib(zlib.MAX_WBITS | 16, room)
        case b"deflate":
            return _Zlib(zlib.MAX_WBITS, room)
        case b"br":
            return _Brotli(room)
        case b"zstd":
            return _Zstandard(room)
        case _:
            return None


def _check_zstd_frame(body: bytes) -> None:
    """Raises DecodeFault unless the body is one whole frame: its decoder does not say where it ends.

    RFC 8878 §3.1.1. Several frames, and skippable ones, are legal; but many decoders stop after the first.
    """
    try:
        at = zstandard.frame_header_size(body) if body.startswith(_ZSTD_MAGIC) else 0
        checksum_bytes = 4 if at and zstandard.get_frame_parameters(body).has_checksum else 0
    except zstandard.ZstdError as error:
        raise DecodeFault(str(error)) from None
    if not at:
        raise DecodeFault("it is no frame")
    for _ in range(BLOCKS_MAX):
        block = int.from_bytes(body[at : at + 3], "little")
        is_last, is_run, size = block & 1, block & 6 == 2, block >> 3
        at += 3 + (1 if is_run else size)
        if is_last or at > len(body):
            break
    if at + checksum_bytes != len(body):
        raise DecodeFault("it ends early, or bytes follow its end")
