"""Owns a gateway in the test's own event loop, the provider behind it and its clients, all on raw sockets.

A test is a transcript: the client sends bytes, the provider sees bytes and sends bytes, the client sees bytes,
and when the gateway has stopped its journal says what it made of it. Nothing here answers by itself, and
nothing waits for time to pass: every wait ends with the event it is for.
"""

import asyncio
import contextlib
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateway.connect import LookUp, look_up
from gateway.contract.record import Record, decode_record
from gateway.journal.frame import FINAL, Frame
from gateway.journal.reader import SegmentReader
from gateway.logs import logger
from gateway.pipeline import CLOCK, Clock
from gateway.server import Server
from gateway.settings import Settings

TOKEN = "lk-test"
SECRET = "sk-of-the-policy"
# Every wait in a test ends within milliseconds; ten seconds on a busy machine is a hang.
WAIT_S = 10.0
_T = TypeVar("_T")
HEAD_END = b"\r\n\r\n"


async def soon(waited: Awaitable[_T]) -> _T:
    """What is awaited, or TimeoutError where it never comes."""
    async with asyncio.timeout(WAIT_S):
        return await waited


async def until(true: Callable[[], object]) -> None:
    """Returns once that is true, having looked in every turn of the event loop."""
    async with asyncio.timeout(WAIT_S):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


class Message(NamedTuple):
    """One HTTP message as it stood on the wire. `body` is what its framing delimits, `raw` is all of it."""

    first: bytes
    lines: list[bytes]  # the header lines, in order and case
    body: bytes
    raw: bytes

    @property
    def status(self) -> int:
        return int(self.first.split(b" ", 2)[1])

    def header(self, name: bytes) -> bytes | None:
        """The value of a header; None: it was not sent. Fails where there are two."""
        found = [line.partition(b":")[2].strip() for line in self.lines if line.lower().startswith(name + b":")]
        assert len(found) < 2, self.lines
        return found[0] if found else None


class Wire:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, *pieces: bytes) -> None:
        self._writer.write(b"".join(pieces))

    def extra(self, name: str) -> Any:
        """What the transport knows: its socket, the other end's certificate."""
        return self._writer.get_extra_info(name)

    async def sent(self) -> None:
        """Returns when most of what was sent is with the kernel."""
        await soon(self._writer.drain())

    async def some(self) -> bytes:
        """The next bytes, however many there are; b"" at the end."""
        return await soon(self._reader.read(1 << 20))

    async def exactly(self, count: int) -> bytes:
        return await soon(self._reader.readexactly(count))

    async def until(self, end: bytes) -> bytes:
        return await soon(self._reader.readuntil(end))

    async def rest(self) -> bytes:
        """All until the other end closes. Raises ConnectionError where it aborts."""
        return await soon(self._reader.read(-1))

    async def message(self, *, to_head: bool = False) -> Message:
        """One whole message, delimited as its head says; `to_head`: it answers a HEAD, and ends with its head."""
        head = await self.until(HEAD_END)
        first, *lines = head.removesuffix(HEAD_END).split(b"\r\n")
        message = Message(first, lines, b"", head)
        length = message.header(b"content-length")
        if to_head:
            raw = body = b""
        elif message.header(b"transfer-encoding") == b"chunked":
            raw, body = await self._chunks()
        elif length is not None:
            raw = body = await self.exactly(int(length))
        elif first.startswith(b"HTTP/") and message.status not in (100, 204, 304):
            raw = body = await self.rest()
        else:
            raw = body = b""
        return Message(first, lines, body, head + raw)

    async def chunk(self) -> tuple[bytes, bytes]:
        """One chunk: as it stood on the wire, and what is in it."""
        line = await self.until(b"\r\n")
        data = await self.exactly(int(line, 16) + 2)
        assert data.endswith(b"\r\n")
        return line + data, data[:-2]

    async def rest_of_body(self) -> bytes:
        """What is in the chunks that are left, up to the last."""
        return (await self._chunks())[1]

    async def _chunks(self) -> tuple[bytes, bytes]:
        raw, body = b"", b""
        while True:
            wire, data = await self.chunk()
            raw, body = raw + wire, body + data
            if not data:
                return raw, body

    def close(self) -> None:
        """Closes once what was sent has left."""
        self._writer.close()

    async def gone(self) -> None:
        """Closes, and returns when the connection is no more."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await soon(self._writer.wait_closed())

    def end(self) -> None:
        """Says that nothing more will be sent; still reads."""
        self._writer.write_eof()

    def abort(self) -> None:
        """Closes at once, with a reset."""
        self._writer.transport.abort()

    def pause(self) -> None:
        """Takes nothing from the kernel any more."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    def resume(self) -> None:
        """Takes what comes again."""
        self._writer.transport.resume_reading()  # type: ignore[attr-defined]

    async def closed(self) -> None:
        """Returns when the other end has closed or reset; fails if it sends anything before."""
        with contextlib.suppress(ConnectionError):
            assert await self.rest() == b""


class Provider:
    """A provider that does nothing but what the test makes it do. Every byte it is sent is read by the test."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self._arrived: asyncio.Queue[Wire] = asyncio.Queue()
        self._wires: list[Wire] = []

    def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer)
        self._wires.append(wire)
        self._arrived.put_nowait(wire)

    async def accept(self) -> Wire:
        """The next connection that the gateway makes."""
        return await soon(self._arrived.get())

    async def called(self) -> tuple[Wire, Message]:
        """The next connection, and the first request on it."""
        wire = await self.accept()
        return wire, await wire.message()

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


@contextlib.asynccontextmanager
async def provider(
    host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Provider]:
    """A provider on a free port, unless one is given."""
    there = Provider()
    async with await asyncio.start_server(there.met, host, port, ssl=tls) as server:
        there.port = server.sockets[0].getsockname()[1]
        try:
            yield there
        finally:
            there.close()


class Gateway:
    """A running gateway. `stop` drains it, and says what it recorded."""

    def __init__(self, server: Server, running: asyncio.Task[None], ports: tuple[int, int], journal: Path) -> None:
        self.server = server
        self.port, self.admin_port = ports
        self._running = running
        self._journal = journal
        self._clients: list[Wire] = []

    async def client(self, *, limit: int = 1 << 24) -> Wire:
        """A new connection of a client; `limit` is how much it takes without being asked."""
        wire = Wire(*await soon(asyncio.open_connection("127.0.0.1", self.port, limit=limit)))
        self._clients.append(wire)
        return wire

    def begin_stop(self) -> None:
        self.server.stop()

    async def stopped(self) -> list[Record]:
        """Every record, once the gateway has ended."""
        await soon(self._running)
        return self.recorded()

    async def stop(self) -> list[Record]:
        """Closes the clients, drains, and returns every record in the order of its end."""
        self.close_clients()
        self.begin_stop()
        return await self.stopped()

    def recorded(self) -> list[Record]:
        """The ends of calls that are in the journal now."""
        return [decode_record(frame.payload) for frame in self.frames() if frame.kind == FINAL]

    def frames(self) -> list[Frame]:
        """All that is in the journal now."""
        segments = sorted(path for path in self._journal.iterdir() if path.suffix in (".seg", ".open"))
        return [frame for path in segments for frame in SegmentReader(path).frames()]

    async def page(self, path: str) -> Message:
        """A page of the admin listener."""
        wire = Wire(*await soon(asyncio.open_connection("127.0.0.1", self.admin_port)))
        wire.send(b"GET %b HTTP/1.0\r\n\r\n" % path.encode())
        try:
            return await wire.message()
        finally:
            wire.close()

    def reload(self, toml: str = "") -> None:
        """What SIGHUP does, with the policy as it is or with another."""
        if toml:
            _configure(Path(self.server.settings.data_dir), toml)
        self.server.reload()

    def close_clients(self) -> None:
        for wire in self._clients:
            wire.close()


class _Listening(logging.Handler):
    """Hears on which port the gateway listens, and keeps whatever it says of failures."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        self.failures: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == "listening" and not self.ports.done():
            self.ports.set_result((record.__dict__["port"], record.__dict__["admin_port"]))
        if record.levelno >= logging.ERROR and not record.getMessage().startswith("journal"):
            self.failures.append(logging.Formatter().format(record))


def call(path: str, body: bytes = b"", *lines: bytes, token: str = TOKEN) -> bytes:
    """A client's whole POST with that body, or GET without one; further header lines as given."""
    key = [b"authorization: Bearer " + token.encode()] if token else []
    sized = [b"content-length: %d" % len(body)] if body else []
    first = b"%b %b HTTP/1.1" % (b"POST" if body else b"GET", path.encode())
    return b"\r\n".join((first, b"host: gateway", *key, *sized, *lines)) + HEAD_END + body


def answer(body: bytes = b"", *lines: bytes, status: int = 200) -> bytes:
    """A provider's whole answer with a length."""
    head = (b"HTTP/1.1 %d Said" % status, b"content-length: %d" % len(body), *lines)
    return b"\r\n".join(head) + HEAD_END + body


def stream_head(*lines: bytes) -> bytes:
    """The head of a provider's event stream in chunks."""
    head = (b"HTTP/1.1 200 OK", b"content-type: text/event-stream", b"transfer-encoding: chunked", *lines)
    return b"\r\n".join(head) + HEAD_END


def chunk(data: bytes) -> bytes:
    """One chunk as it stands on the wire; an empty one is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def policy(upstreams: str, key: str = "", token: str = TOKEN) -> str:
    """A policy's TOML: one project, one key whose further fields are `key`, and the upstreams."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[projects.web]\n{upstreams}\n[[keys]]\nid = "test"\nproject_id = "web"\nsha256 = "{digest}"\n{key}\n'


def upstreams_at(port: int, *names: str) -> str:
    """Upstreams of those providers' names, all at one port, with a credential."""
    return "\n".join(
        f'[credentials.{name}]\nsecret = "{SECRET}"\n[upstreams.{name}]\norigin = "http://127.0.0.1:{port}"'
        for name in names
    )


def _configure(directory: Path, toml: str) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "lensai.toml").write_text(toml)


@contextlib.asynccontextmanager
async def serving(
    directory: Path, toml: str, *, look_up: LookUp = look_up, clock: Clock = CLOCK, **settings: Any
) -> AsyncIterator[Gateway]:
    """A gateway with that policy, on a free port. Fails if its log tells of an error that is no journal's."""
    _configure(directory, toml)
    heard = _Listening()
    logger.addHandler(heard)
    level = logger.level
    logger.setLevel(logging.INFO)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: heard.failures.append(repr(context)))
    values: dict[str, Any] = {
        "listen_port": 0,
        "admin_port": 0,
        "segment_age_ms": 3_600_000,
        "shutdown_timeout_ms": 500,
    }
    known = Settings(data_dir=str(directory), **values | settings)
    server = Server(known, {"LENSAI_DATA_DIR": str(directory)}, 0, look_up=look_up, clock=clock)
    running = loop.create_task(server.run())
    await soon(asyncio.wait({heard.ports, running}, return_when=asyncio.FIRST_COMPLETED))
    if running.done():
        running.result()  # raises what kept it from serving
    gateway = Gateway(server, running, heard.ports.result(), directory / "journal" / "worker-0")
    try:
        yield gateway
    finally:
        gateway.close_clients()
        gateway.begin_stop()
        await soon(running)
        logger.removeHandler(heard)
        logger.setLevel(level)
    assert not heard.failures, "\n".join(heard.failures)
