"""Owns the simulated provider: answers chat requests at once, streams as the request's headers ask.

It keeps no bill and checks no key (`lensai sandbox` does); it is only cheap and steady.
Run it alone with `python -m bench.upstream --port 8081`.
"""

import argparse
import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import cast

import httptools
import uvloop

from bench.exchange import ANSWER, EVENTS_HEADER, INTERVAL_HEADER, Stream, answer_fields

_JSON_HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(ANSWER)}\r\n".encode()
_SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
_PLAIN, _WITH_USAGE = Stream(with_usage=False), Stream(with_usage=True)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Provider(asyncio.Protocol):
    """One connection. A request that arrives while a stream runs is not expected: our clients do not pipeline."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers  # of answers, shared by all connections
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._timer: asyncio.Handle | None = None
        self._events = self._left = self._interval_us = 0
        self._started_s = 0.0
        self._body = b""
        self._stream = _PLAIN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()

    def on_message_begin(self) -> None:
        self._body = b""
        self._events = self._interval_us = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if name == EVENTS_HEADER.encode():
            self._events = int(value)
        elif name == INTERVAL_HEADER.encode():
            self._interval_us = int(value)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if b'"stream":true' not in self._body:
            self._transport.write(_JSON_HEAD + answer_fields(next(self._numbers)) + ANSWER)
            return
        self._stream = _WITH_USAGE if b'"include_usage":true' in self._body else _PLAIN
        self._left = self._events
        self._started_s = self._loop.time()
        self._transport.write(_SSE_HEAD + answer_fields(next(self._numbers)))
        self._write_event()

    def _write_event(self) -> None:
        if self._left == 0:
            self._transport.write(_chunk(self._stream.ending) + b"0\r\n\r\n")
            self._timer = None
            return
        self._transport.write(_chunk(self._stream.content(time.monotonic_ns())))
        self._left -= 1
        if self._interval_us:
            # From the stream's start, so that a late turn does not push back the events after it.
            due_s = self._started_s + (self._events - self._left) * self._interval_us / 1e6
            self._timer = self._loop.call_at(due_s, self._write_event)
        else:
            self._timer = self._loop.call_soon(self._write_event)


async def listen(port: int) -> asyncio.Server:
    """Serve on loopback; port 0 takes a free one. The caller closes the server."""
    numbers = itertools.count()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Provider(numbers), "127.0.0.1", port, backlog=1024)


async def _serve(port: int) -> None:
    async with await listen(port) as server:
        await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description="A simulated OpenAI: JSON answers and SSE streams.")
    options.add_argument("--port", type=int, required=True)
    uvloop.run(_serve(options.parse_args().port))


if __name__ == "__main__":
    main()
