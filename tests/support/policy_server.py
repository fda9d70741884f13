"""Owns a control plane of tests: a small HTTP server that publishes what it is told to, and hears reports. Strict.

It does nothing by itself but answer: what it publishes, and what goes wrong, is the test's to say.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from gateway.contract.policy import Key, Project
from gateway.contract.publishing import BODIES, GONE, ITEMS_MAX, Item, Kind, Part, Report, seal

TOKEN = "lgw_of-the-tests"
SECRET = b"secret-of-the-policy-of-the-tests"
POLICY_KEYS = f"k1:{SECRET.hex()}"
ORG = "org_a"
# By the structure of a row, the kind that it is published as.
KINDS: dict[type[msgspec.Struct], Kind] = {body: kind for kind, body in BODIES.items()}
HEAD_END = b"\r\n\r\n"


def settings_of(port: int, scheme: str = "http") -> dict[str, str]:
    """What a gateway must be told to obey it."""
    return {
        "control_plane_url": f"{scheme}://127.0.0.1:{port}",
        "control_plane_token": TOKEN,
        "policy_keys": POLICY_KEYS,
    }


def item(row: Any, version: int, id: str = "") -> Item:
    """A row as it is published; `id` for kinds whose rows have none."""
    return Item(KINDS[type(row)], id or row.id, version, msgspec.Raw(msgspec.json.encode(row)))


def project(id: str = "prj_a", org_id: str = ORG) -> Project:
    return Project(id, org_id=org_id)


def key(token: str, project_id: str = "prj_a", **fields: Any) -> Key:
    """A key that is called as its token."""
    return Key(**{"id": token, "project_id": project_id, "sha256": hashlib.sha256(token.encode()).hexdigest()} | fields)


class _Stream:
    """An answer that goes on."""

    def __init__(self, writer: asyncio.StreamWriter, nonce: str) -> None:
        self.writer, self.nonce, self.number = writer, nonce, 0


class Plane:
    """One control plane. `status` other than 200 is what it answers to everything."""

    def __init__(self) -> None:
        self.port = 0
        self.version = 0
        self.status = 200
        self.stream_status = 200
        self.buffers = False  # something in between keeps streams back
        self.report_status: Callable[[Report], int] = lambda _report: 202
        self.reports: list[Report] = []
        self.asked: list[str] = []  # paths, with how far those who asked had come
        self.items_sent = 0
        self._items: dict[tuple[Kind, str], Item] = {}
        self._streams: list[_Stream] = []
        self._writers: set[asyncio.StreamWriter] = set()

    # -- what the test says

    def put(self, *rows: Any, id: str = "") -> None:
        """Publishes rows, at one version."""
        self.version += 1
        self._publish([item(row, self.version, id) for row in rows])

    def put_raw(self, kind: Kind, id: str, body: bytes) -> None:
        """Publishes what may be no row at all."""
        self.version += 1
        self._publish([Item(kind, id, self.version, msgspec.Raw(body))])

    def drop(self, kind: Kind, id: str) -> None:
        self.version += 1
        self._publish([Item(kind, id, self.version, GONE)])

    def _publish(self, items: list[Item]) -> None:
        self._items.update({(one.kind, one.id): one for one in items})
        for stream in self._streams:
            self._send(stream, items, reset=False)

    def say(self, make: Callable[[str, int], bytes]) -> None:
        """Sends a line of the test's own, made of a stream's nonce and of the number that is next."""
        for stream in self._streams:
            _chunk(stream.writer, make(stream.nonce, stream.number))

    def hang_up(self) -> None:
        """Ends every connection."""
        for writer in self._writers:
            writer.transport.abort()

    @property
    def streams(self) -> int:
        return len(self._streams)

    # -- what it answers

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(reader, writer):
                    pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(HEAD_END)).removesuffix(HEAD_END).split(b"\r\n")
        method, target, _ = first.decode().split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        assert headers["x-lensai-node"], headers
        if headers["authorization"] != f"Bearer {TOKEN}":
            return _plain(writer, 401)
        if self.status != 200:
            return _plain(writer, self.status)
        url = urlsplit(target)
        query = parse_qs(url.query, strict_parsing=bool(url.query))
        match method, url.path:
            case "POST", "/v1/gateway/reports":
                return self._hear(writer, body)
            case "GET", "/v1/gateway/policy":
                return self._tell(writer, int(query["since"][0]), query["nonce"][0])
            case "GET", "/v1/gateway/policy/stream":
                assert headers["accept-encoding"] == "identity"
                return await self._stream(reader, writer, int(query["since"][0]), query["nonce"][0])
            case _:
                return _plain(writer, 404)

    def _hear(self, writer: asyncio.StreamWriter, body: bytes) -> bool:
        report = msgspec.json.decode(body, type=Report)
        status = self.report_status(report)
        if status == 202:
            self.reports.append(report)
        return _plain(writer, status)

    def _tell(self, writer: asyncio.StreamWriter, since: int, nonce: str) -> bool:
        self.asked.append(f"policy {since}")
        _begin(writer)
        self._catch_up(_Stream(writer, nonce), since)
        writer.write(b"0\r\n\r\n")
        return True

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, since: int, nonce: str) -> bool:
        self.asked.append(f"stream {since}")
        if self.stream_status != 200:
            return _plain(writer, self.stream_status)
        _begin(writer)
        stream = _Stream(writer, nonce)
        if not self.buffers:
            self._catch_up(stream, since)
            self._streams.append(stream)
        try:
            await reader.read(1)  # nothing comes but the end
        finally:
            if stream in self._streams:
                self._streams.remove(stream)
        return False

    def _catch_up(self, stream: _Stream, since: int) -> None:
        reset = since == 0 or since > self.version
        known = 0 if reset else since
        news = [one for one in self._items.values() if one.version > known and not (reset and one.gone)]
        self._send(stream, news, reset=reset)

    def _send(self, stream: _Stream, items: list[Item], *, reset: bool) -> None:
        lots = [tuple(items[at : at + ITEMS_MAX]) for at in range(0, len(items), ITEMS_MAX)] or [()]
        for place, lot in enumerate(lots):
            is_last = place == len(lots) - 1
            part = Part(stream.nonce, stream.number, self.version, reset and place == 0, is_last, lot)
            _chunk(stream.writer, seal(part, "k1", SECRET))
            stream.number += 1
            self.items_sent += len(lot)


def _begin(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n")


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def _plain(writer: asyncio.StreamWriter, status: int) -> bool:
    writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: 0\r\n\r\n" % status)
    return True


@contextlib.asynccontextmanager
async def control_plane(
    port: int = 0, *, plane: Plane | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Plane]:
    """One that listens, on a free port unless one is given."""
    there = plane or Plane()
    async with await asyncio.start_server(there.met, "127.0.0.1", port, ssl=tls) as server:
        there.port = server.sockets[0].getsockname()[1]
        try:
            yield there
        finally:
            server.close()
            there.hang_up()
