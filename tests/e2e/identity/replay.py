"""Owns replaying an exchange on raw sockets: a client and a provider whose every byte is known to the test."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import brotli
import zstandard

from tests.e2e.identity.exchanges import Exchange
from tests.support.data_plane import HEAD_END, Message, Wire, soon

# The client's own provider key, which the gateway passes through when the LensAI key is in the path.
_HEADERS = (
    b"HOST: gateway.example",
    b"User-Agent: OpenAI/Python 3.54.0",
    b"X-Stainless-Lang: python",
    b"AUTHORIZATION: Bearer the-client's-own",
    b"x-twice: 1",
    b"Accept:   */*",
    b"X-Twice: 2",
    b"content-TYPE: application/json",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
_ANSWER_HEADERS = (
    b"Date: Mon, 23 Nov 2026 06:00:00 GMT",
    b"x-Request-ID: req_1",
    b"Set-Cookie: a=1; Path=/",
    b"openai-processing-ms:12",
    b"set-cookie: b=2",
    b"X-RateLimit-Remaining-Tokens: 1",
)
# What is each hop's own: where a message goes, and how it is framed.
_HOP = (b"host", b"content-length", b"transfer-encoding", b"connection", b"x-lensai-request-id")


ENCODINGS = ("gzip", "gzip", "deflate", "br", "zstd")


class Manner(NamedTuple):
    """How an exchange travels this time; the content is the same in all of them."""

    chunked_request: bool
    encoding: str  # that the request accepts, or none
    insists: bool  # on it, even if the request that arrives does not accept it
    framing: str  # of the answer: length, chunked or close
    seed: int

    @classmethod
    def draw(cls, random: Random, encoding: str | None = None) -> "Manner":
        if encoding is None:
            encoding = random.choice(ENCODINGS) if random.random() < 0.6 else ""
        framing = random.choice(("length", "chunked", "chunked", "close"))
        insists = bool(encoding) and random.random() < 0.3
        return cls(random.random() < 0.3, encoding, insists, framing, random.getrandbits(32))


class Seen(NamedTuple):
    """One exchange as its two ends saw it."""

    received: Message  # the request, by the provider
    sent: bytes  # the answer's body as the provider sent it, encoded if it was
    answered: Message  # the answer, by the client


class Provider:
    """Answers each request with the exchange it was told, and keeps the last one it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self._exchange: Exchange | None = None
        self._manner: Manner | None = None
        self._received: Message | None = None
        self._sent = b""
        self._wires: list[Wire] = []

    async def replay(self, exchange: Exchange, manner: Manner, port: int, prefix: bytes) -> Seen:
        """The exchange through whatever listens on that port, which may be this provider itself."""
        self._exchange, self._manner, self._received = exchange, manner, None
        wire = Wire(*await soon(asyncio.open_connection("127.0.0.1", port, limit=1 << 24)))
        try:
            for piece in pieces(_request(exchange, manner, prefix), Random(manner.seed)):
                wire.send(piece)
                await wire.sent()
            answered = await wire.message()
        finally:
            wire.close()
        assert self._received is not None, answered.raw
        return Seen(self._received, self._sent, answered)

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        self._wires.append(wire)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            while True:
                self._received = await wire.message()
                if await self._answer(wire, self._received):
                    break
        wire.close()

    def close(self) -> None:
        for wire in self._wires:
            wire.close()

    async def _answer(self, wire: Wire, request: Message) -> bool:
        """Sends the answer in pieces; whether the connection ends with it."""
        exchange, manner = self._exchange, self._manner
        assert exchange is not None
        assert manner is not None
        random = Random(manner.seed)
        asked = exchange.asked is not None and b'"include_usage":true' in request.body.replace(b" ", b"")
        body = exchange.asked if asked and exchange.asked is not None else exchange.body
        accepted = (request.header(b"accept-encoding") or b"").decode().split(", ")
        encodes = manner.insists or (manner.encoding != "" and manner.encoding in accepted)
        written = _encoded(body, manner.encoding, random) if encodes else list(pieces(body, random))
        self._sent = b"".join(written)
        wire.send(_answer_head(exchange, manner, encodes, len(self._sent)))
        for piece in written:
            wire.send(_chunk(piece) if manner.framing == "chunked" else piece)
            await wire.sent()
            await asyncio.sleep(0)
        if manner.framing == "chunked":
            wire.send(b"0\r\n\r\n")
        await wire.sent()
        return manner.framing == "close"


@contextlib.asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """A replaying provider on a free port."""
    there = Provider()
    async with await asyncio.start_server(there.met, "127.0.0.1", 0, limit=1 << 24) as server:
        there.port = server.sockets[0].getsockname()[1]
        yield there
        there.close()


def end_to_end(message: Message) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The first line, and the headers that must arrive as they were sent, in order and case.

    Blanks around a value are no part of it (RFC 9110 §5.5): the gateway writes heads anew.
    """
    headers = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in message.lines)]
    return message.first, [header for header in headers if header[0].lower() not in _HOP]


def decoded(message: Message) -> bytes:
    """The body without its content-encoding."""
    encoding = message.header(b"content-encoding")
    return _CODINGS[encoding.decode()][1](message.body) if encoding else message.body


def _request(exchange: Exchange, manner: Manner, prefix: bytes) -> bytes:
    body = exchange.request
    method = b"POST" if body else b"GET"
    framing = [b"Transfer-Encoding: chunked"] if manner.chunked_request else [b"Content-Length: %d" % len(body)]
    encoding = [b"Accept-Encoding: %b, identity" % manner.encoding.encode()] if manner.encoding else []
    lines = (b"%b %b%b HTTP/1.1" % (method, prefix, exchange.target), *_HEADERS, *encoding, *(framing if body else ()))
    if body and manner.chunked_request:
        body = b"".join(_chunk(piece) for piece in pieces(body, Random(manner.seed))) + b"0\r\n\r\n"
    return b"\r\n".join(lines) + HEAD_END + body


def _answer_head(exchange: Exchange, manner: Manner, encodes: bool, size_bytes: int) -> bytes:
    lines = [b"HTTP/1.1 %d Said So" % exchange.status, b"Content-Type: " + exchange.content_type, *_ANSWER_HEADERS]
    if encodes:
        lines.append(b"Content-Encoding: " + manner.encoding.encode())
    framing = {
        "length": b"Content-Length: %d" % size_bytes,
        "chunked": b"Transfer-Encoding: chunked",
        "close": b"Connection: close",
    }
    return b"\r\n".join((*lines, framing[manner.framing])) + HEAD_END


def pieces(data: bytes, random: Random) -> Iterator[bytes]:
    """The data whole, byte by byte or cut anywhere; never an empty piece."""
    chance = random.random()
    most = len(data) if chance < 0.2 else 1 if chance < 0.3 and len(data) < 1_000 else max(len(data) // 4, 2)
    while data:
        cut = random.randint(1, most)
        yield data[:cut]
        data = data[cut:]


def _encoded(body: bytes, encoding: str, random: Random) -> list[bytes]:
    """As streams have it: whatever went in can be read as soon as it is out. The wire cuts it elsewhere."""
    return list(pieces(b"".join(_CODINGS[encoding][0](pieces(body, random))), random))


def _deflated(bits: int) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    def encode(data: Iterator[bytes]) -> Iterator[bytes]:
        coder = zlib.compressobj(wbits=bits)
        for piece in data:
            yield coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH)
        yield coder.flush()

    return encode


def _brotli(data: Iterator[bytes]) -> Iterator[bytes]:
    coder = brotli.Compressor()
    for piece in data:
        yield coder.process(piece) + coder.flush()
    yield coder.finish()


def _zstandard(data: Iterator[bytes]) -> Iterator[bytes]:
    coder = zstandard.ZstdCompressor().compressobj()
    for piece in data:
        yield coder.compress(piece) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    yield coder.flush()


# How each content-encoding is written, and read.
_CODINGS: dict[str, tuple[Callable[[Iterator[bytes]], Iterator[bytes]], Callable[[bytes], Any]]] = {
    "gzip": (_deflated(31), lambda body: zlib.decompress(body, 31)),
    "deflate": (_deflated(zlib.MAX_WBITS), zlib.decompress),
    "br": (_brotli, brotli.decompress),
    "zstd": (_zstandard, lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body)),
}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
