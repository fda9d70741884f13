"""Owns a proxy for tests that knows CONNECT and nothing else, takes no liberties with it, and remembers what it heard.

It leads only where the test says: a target is a name, and no name is looked up.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from tests.support.data_plane import HEAD_END

ESTABLISHED = b"HTTP/1.1 200 Connection established" + HEAD_END


@dataclass
class ConnectProxy:
    """`ways` are the targets it connects to, and at which port of which address each really is."""

    ways: Mapping[str, tuple[str, int]]
    credential: str = ""  # user:password; empty asks for none
    says: bytes | None = None  # sent for an answer whatever is asked; b"": nothing is
    port: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])

    @property
    def targets(self) -> list[str]:
        """What it was asked to connect to, in order."""
        return [head.split(b" ")[1].decode() for head in self.heads]

    def answer(self, head: bytes) -> bytes:
        """What it says to a request's head."""
        first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
        method, target, version = first.split(b" ")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        wanted = b"Basic " + base64.b64encode(self.credential.encode()) if self.credential else None
        if (method, version, headers.pop(b"host", None)) != (b"CONNECT", b"HTTP/1.1", target):
            return b"HTTP/1.1 400 Bad Request" + HEAD_END
        if headers.pop(b"proxy-authorization", None) != wanted:
            return b'HTTP/1.1 407 Who\r\nproxy-authenticate: Basic realm="x"\r\ncontent-length: 2' + HEAD_END + b"no"
        if headers:  # nothing of the request is for the proxy
            return b"HTTP/1.1 400 Bad Request" + HEAD_END
        return ESTABLISHED if target.decode() in self.ways else b"HTTP/1.1 502 Nowhere" + HEAD_END

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            head = await reader.readuntil(HEAD_END)
            self.heads.append(head)
            said = self.answer(head) if self.says is None else self.says
            if said == ESTABLISHED:
                await self._lead(self.ways[self.targets[-1]], reader, writer)
            elif said:
                writer.write(said)
            else:
                await reader.read()

    async def _lead(self, way: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*way)
        with contextlib.closing(there_writer):
            writer.write(ESTABLISHED)
            await asyncio.gather(_pour(reader, there_writer), _pour(there_reader, writer))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def connect_proxy(
    ways: Mapping[str, tuple[str, int]],
    *,
    credential: str = "",
    says: bytes | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ConnectProxy]:
    """A proxy on a free port of this machine; `tls` makes it an https one."""
    proxy = ConnectProxy(ways, credential, says)
    tasks: set[asyncio.Task[None]] = set()

    def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.met(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with await asyncio.start_server(met, "127.0.0.1", 0, ssl=tls) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
