"""Owns framing recorded WebSocket messages in random ways, and passing both directions at once on raw wires."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncGenerator, Iterable, Iterator
from random import Random

from websockets.frames import Frame, Opcode

from tests.e2e.identity.replay import pieces
from tests.support.data_plane import HEAD_END, Wire, soon
from tests.support.sockets import agree, ask

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"
# What a sender of a compressed message leaves out: RFC 7692 §7.2.1.
_COMPRESSED = 0x40  # in a message's first octet
_TAIL = b"\x00\x00\xff\xff"


def framed(messages: Iterable[bytes], random: Random, *, mask: bool, deflate: bool) -> bytes:
    """One direction: each message in one frame or several, compressed or not, with pings between."""
    coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return b"".join(
        frame
        for message in messages
        for frame in _frames(message, random, mask, coder if deflate and random.random() < 0.8 else None)
    )


def _frames(message: bytes, random: Random, mask: bool, coder: "zlib._Compress | None") -> Iterator[bytes]:
    if coder is not None:
        message = (coder.compress(message) + coder.flush(zlib.Z_SYNC_FLUSH)).removesuffix(_TAIL)
    fragments = list(pieces(message, random)) if 0 < len(message) < 20_000 and random.random() < 0.5 else [message]
    for number, fragment in enumerate(fragments):
        opcode = Opcode.CONT if number else Opcode.TEXT
        head, *rest = Frame(opcode, fragment, fin=number == len(fragments) - 1).serialize(mask=mask)
        yield bytes((head | (_COMPRESSED if coder is not None and not number else 0), *rest))
        if random.random() < 0.05:
            yield Frame(Opcode.PING, random.randbytes(random.randrange(126))).serialize(mask=mask)


class Peer:
    """A provider that agrees to every handshake, and hands over the wire."""

    def __init__(self) -> None:
        self.port = 0
        self._wires: asyncio.Queue[Wire] = asyncio.Queue()

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        head = await wire.until(HEAD_END)
        wire.send(agree(*((DEFLATE,) if b"permessage-deflate" in head else ())))
        await self._wires.put(wire)

    async def session(self, port: int, path: str, *, deflate: bool) -> tuple[Wire, Wire]:
        """The client's wire and the provider's, behind a handshake with whatever listens on that port."""
        client = Wire(*await soon(asyncio.open_connection("127.0.0.1", port, limit=1 << 24)))
        client.send(ask(path, *((DEFLATE,) if deflate else ()), token="the-clients-own"))
        head = await client.until(HEAD_END)
        assert head.startswith(b"HTTP/1.1 101 "), head
        return client, await soon(self._wires.get())


@contextlib.asynccontextmanager
async def peer() -> AsyncGenerator[Peer]:
    """A provider of sockets on a free port."""
    there = Peer()
    async with await asyncio.start_server(there.met, "127.0.0.1", 0, limit=1 << 24) as server:
        there.port = server.sockets[0].getsockname()[1]
        yield there


async def passed(source: Wire, sink: Wire, data: bytes, random: Random) -> bytes:
    """What comes out of one wire when the data goes into the other in pieces; as many bytes as went in."""
    arriving = asyncio.ensure_future(sink.exactly(len(data)))
    for piece in pieces(data, random):
        source.send(piece)
        await source.sent()
        await asyncio.sleep(0)
    return await arriving
