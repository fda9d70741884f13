"""Owns real Redis servers for tests: children of the test on free ports, their files in a directory of the test's."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

PROGRAM = shutil.which("redis-server")
STARTS_WITHIN_S = 20.0
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One redis-server. It keeps its port and its files over `kill` and `start`."""

    def __init__(self, directory: Path, *options: str) -> None:
        if PROGRAM is None:
            pytest.skip("no redis-server: apt-get install redis-server")
        directory.mkdir(exist_ok=True)
        self.directory, self.options = directory, options
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        assert PROGRAM is not None
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", "")
        command = [PROGRAM, *where, *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_s = time.monotonic() + STARTS_WITHIN_S
        with self.client() as client:
            while time.monotonic() < until_s:
                with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                    client.ping()
                    return
        raise AssertionError("redis-server does not answer")

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def ask(self, *command: str) -> object:
        with self.client() as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def running_redis(directory: Path) -> Iterator[Server]:
    """One that keeps on disk what it is told."""
    server = Server(directory, *DURABLE)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Address:
    """One address that leads to whichever server is the primary now, as a proxy or a service name does."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        finally:
            self._server.close()
            self.cut()

    def cut(self) -> None:
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        both = (writer, onward)
        self._open.update(both)
        await asyncio.gather(_copy(reader, onward), _copy(onward_reader, writer))
        self._open.difference_update(both)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
