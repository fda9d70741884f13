"""Owns content-encoding: decoding a copy of a body, step by step and bounded, so that it can be metered."""

import zlib
from typing import Any, Protocol, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]
import zstandard

# One step of input may grow this much and no more: above it the copy is given up, the stream is not.
DECODED_BYTES_MAX = 64 * 1024 * 1024
# Output is produced in pieces of this size, so that a bomb is noticed after one piece too many.
_STEP_BYTES = 64 * 1024
# What zlib has to see before it can say that a header is none.
_ZLIB_HEADER_BYTES = 2

_BROTLI_ERROR = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]


class DecodeFault(Exception):
    """The bytes are not what their content-encoding says, or decode to more than the limit."""


class Decoder(Protocol):
    def feed(self, data: bytes) -> bytes:
        """Decoded bytes, possibly none yet. Raises DecodeFault; nothing may be fed after that."""
        ...


class _Zlib:
    def __init__(self, window_bits: int, bytes_max: int) -> None:
        self._window_bits = window_bits
        self._decoder = zlib.decompressobj(window_bits)
        self._left = bytes_max
        self._started = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        if not self._started:
            data = self._held + data
            if len(data) < _ZLIB_HEADER_BYTES:
                self._held = data
                return b""
        try:
            out = self._decoder.decompress(data, self._left)
        except zlib.error as error:
            if self._started or self._window_bits != zlib.MAX_WBITS:
                raise DecodeFault(str(error)) from None
            # "deflate" is zlib-wrapped by RFC 9110 §8.4.1.2, raw from some servers.
            self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
            self._window_bits = -zlib.MAX_WBITS
            self._started = True
            return self.feed(data)
        self._started = True
        out = self._count(out)
        rest = self._decoder.unused_data
        if not rest:
            return out
        if self._window_bits <= zlib.MAX_WBITS:
            raise DecodeFault("bytes follow its end")
        # gzip is one member after another: RFC 1952 §2.2.
        self._decoder = zlib.decompressobj(self._window_bits)
        return out + self.feed(rest)

    def _count(self, out: bytes) -> bytes:
        self._left -= len(out)
        if self._left <= 0 or self._decoder.unconsumed_tail:
            raise DecodeFault("decodes to more than the limit")
        return out


class _Brotli:
    def __init__(self, bytes_max: int) -> None:
        self._decoder: Any = brotli.Decompressor()  # pyright: ignore[reportUnknownMemberType]
        self._left = bytes_max

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
        self._left -= len(out)
        if self._left <= 0:
            raise DecodeFault("decodes to more than the limit")
        return out


class _Zstandard:
    def __init__(self, bytes_max: int) -> None:
        # A window above 8 MiB is never needed by an HTTP body: RFC 9659.
        decompressor = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)
        self._decoder = decompressor.stream_writer(cast("Any", self), write_size=_STEP_BYTES, closefd=False)
        self._left = bytes_max
        self._out: list[bytes] = []

    def write(self, out: bytes) -> int:
        """Called by zstandard with each piece of output, which is how a bomb is stopped half-way."""
        self._left -= len(out)
        if self._left <= 0:
            raise DecodeFault("decodes to more than the limit")
        self._out.append(bytes(out))
        return len(out)

    def feed(self, data: bytes) -> bytes:
        try:
            self._decoder.write(data)
        except zstandard.ZstdError as error:
            raise DecodeFault(str(error)) from None
        out = b"".join(self._out)
        self._out.clear()
        return out


def decoder(content_encoding: bytes, bytes_max: int = DECODED_BYTES_MAX) -> Decoder | None:
    """A decoder for one content-encoding; None for an unknown or stacked one."""
    match content_encoding.strip().lower():
        case b"gzip" | b"x-gzip":
            return _Zlib(zlib.MAX_WBITS | 16, bytes_max)
        case b"deflate":
            return _Zlib(zlib.MAX_WBITS, bytes_max)
        case b"br":
            return _Brotli(bytes_max)
        case b"zstd":
            return _Zstandard(bytes_max)
        case _:
            return None
