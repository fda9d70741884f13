"""Owns the load generator: a fleet of kept-alive connections, driven closed-loop or open-loop.

Closed-loop (each connection sends when it has its answer) is for CPU per call. Open-loop is for latency: calls are
due at times fixed beforehand, and a call that finds every connection busy is late from its due time on, so a stall
of the server is charged to every call it delays (no coordinated omission).
"""

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, cast

import httptools

from bench.alarm import Alarm
from bench.exchange import stamp_ns
from bench.samples import Samples

# A load that has not drained by then is stuck: the longest stream here takes two seconds.
_DRAIN_TIMEOUT_S = 30.0


class Connection(asyncio.Protocol):
    """One call at a time. `on_free` is called after each answer; a call that breaks counts as an error."""

    def __init__(self) -> None:
        self.samples = Samples()
        self.on_free: Callable[[Connection], None] = lambda _: None
        self.closed = False
        self.status = 0  # of the last answer; 0: it broke
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def send(self, request: bytes, due_ns: int) -> None:
        self._due_ns, self._busy, self.status = due_ns, True, 0
        self._first_ns = self._content_ns = 0
        self._partial = b""
        self._transport.write(request)

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._now_ns = time.monotonic_ns()
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._busy:
            self.samples.errors += 1
            self._finish()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self._is_stream = value.startswith(b"text/event-stream")

    def on_body(self, body: bytes) -> None:
        self._first_ns = self._first_ns or self._now_ns
        if self._is_stream:
            *events, self._partial = (self._partial + body).split(b"\n\n")
            for event in events:
                self._take(event)

    def on_message_complete(self) -> None:
        samples = self.samples
        samples.calls += 1
        self.status = self._parser.get_status_code()
        if self.status != 200:
            samples.errors += 1
        samples.ttft.add(self._first_ns - self._due_ns)
        samples.total.add(self._now_ns - self._due_ns)
        self._finish()

    def _take(self, event: bytes) -> None:
        self.samples.events += 1
        written_ns = stamp_ns(event)
        if written_ns is None:
            self.samples.usages += b'"usage":{' in event
            return
        self.samples.travel.add(self._now_ns - written_ns)
        if self._content_ns:
            self.samples.gap.add(self._now_ns - self._content_ns)
        self._content_ns = self._now_ns

    def _finish(self) -> None:
        self._busy = False
        self.on_free(self)


class Fleet:
    """Connections to one address, opened before the measurement and closed after it.

    async with Fleet("127.0.0.1", port, connections=64) as fleet:
        samples = await fleet.closed_loop([request], duration_s=1.0)
    """

    def __init__(self, host: str, port: int, *, connections: int) -> None:
        self._host, self._port, self._count = host, port, connections
        self._connections: list[Connection] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for _ in range(self._count):
            _, connection = await loop.create_connection(Connection, self._host, self._port)
            self._connections.append(connection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()

    async def closed_loop(self, requests: Iterable[bytes], *, duration_s: float) -> Samples:
        """Every connection busy until the time is up, with the requests in turn; returns when the last answer is in."""
        endless = itertools.cycle(requests)
        end_ns = time.monotonic_ns() + int(duration_s * 1e9)
        drained = asyncio.get_running_loop().create_future()
        left = len(self._connections)

        def on_free(connection: Connection) -> None:
            nonlocal left
            now_ns = time.monotonic_ns()
            if now_ns < end_ns and not connection.closed:
                connection.send(next(endless), now_ns)
                return
            left -= 1
            if left == 0 and not drained.done():
                drained.set_result(None)

        for connection in self._connections:
            connection.samples, connection.on_free = Samples(), on_free
            on_free(connection)
        await asyncio.wait_for(drained, duration_s + _DRAIN_TIMEOUT_S)
        return self._collect()

    async def open_loop(self, requests: Iterable[bytes], *, rate: float, duration_s: float, seed: int) -> Samples:
        """Poisson arrivals at `rate` calls a second; the same seed gives the same arrivals."""
        endless = itertools.cycle(requests)
        due_ns = _arrivals(time.monotonic_ns(), rate, duration_s, random.Random(seed))
        calls = len(due_ns)
        drained = asyncio.get_running_loop().create_future()
        free = deque(self._connections)
        done = 0

        def dispatch() -> None:
            now_ns = time.monotonic_ns()
            while free and due_ns and due_ns[0] <= now_ns:
                free.popleft().send(next(endless), due_ns.popleft())
            if due_ns and due_ns[0] > now_ns:
                alarm.set(due_ns[0])

        def on_free(connection: Connection) -> None:
            nonlocal done
            done += 1
            if not connection.closed:
                free.append(connection)
                dispatch()
            if done == calls and not drained.done():
                drained.set_result(None)

        alarm = Alarm(asyncio.get_running_loop(), dispatch)
        try:
            for connection in self._connections:
                connection.samples, connection.on_free = Samples(), on_free
            dispatch()
            await asyncio.wait_for(drained, duration_s + _DRAIN_TIMEOUT_S)
        finally:
            alarm.close()
        return self._collect()

    def _collect(self) -> Samples:
        whole = Samples()
        for connection in self._connections:
            whole.merge(connection.samples)
        return whole


def _arrivals(start_ns: int, rate: float, duration_s: float, chance: random.Random) -> deque[int]:
    """When each call is due, ascending; at least one, so that a load always ends."""
    due_ns = deque([start_ns])
    while (next_ns := due_ns[-1] + int(chance.expovariate(rate) * 1e9)) < start_ns + duration_s * 1e9:
        due_ns.append(next_ns)
    return due_ns
