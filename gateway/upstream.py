"""Owns the provider side: pooled keep-alive connections, connecting, TLS, strict reading of answers.

A connection serves one exchange at a time and tells it what arrived. Knows nothing of keys, prices or
clients; the exchange decides what bytes mean.
"""

import asyncio
import ssl
from collections import deque
from typing import Protocol, cast

import httptools

from gateway.background import Background
from gateway.route import Origin
from gateway.wire.headers import Header

# A head larger than this is no provider's: llhttp itself sets no bound.
RESPONSE_HEADER_BYTES_MAX = 256 * 1024


class Receiver(Protocol):
    """What an upstream connection reports to: one request's side of it."""

    payload: bytes
    wanted: bool  # False once it has ended: nothing is sent for it any more

    def dispatched(self, connection: "UpstreamConnection") -> None: ...
    def response_head(self, status: int, reason: bytes, headers: list[Header]) -> None: ...
    def response_data(self, data: bytes) -> None: ...
    def response_end(self) -> None: ...
    def turn(self) -> None:
        """All that this turn of the event loop brought has been reported."""

    def failed(self, code: str, message: str) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """One socket to a provider. `receiver` is whom the current answer is for; None while idle."""

    __slots__ = (
        "_close_delimited",
        "_complete",
        "_head_bytes",
        "_headers",
        "_parser",
        "_reason",
        "_retry",
        "idle_since",
        "pool",
        "receiver",
        "reused",
        "started",
        "transport",
    )

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.receiver: Receiver | None = None
        self.reused = False
        self.idle_since = 0.0
        self.started = False  # a byte of the current answer arrived
        self._complete = False
        self._close_delimited = False
        self._headers: list[Header] = []
        self._head_bytes = 0
        self._reason = b""
        self._parser = httptools.HttpResponseParser(self)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses

    def data_received(self, data: bytes) -> None:
        receiver = self.receiver
        if receiver is None:  # nobody asked: an answer split in two, or noise before closing
            self.close()
            return
        self.started = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail("upstream_broken", f"the provider broke HTTP: {type(error).__name__}")
            return
        receiver.turn()
        if self._complete:
            self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.pool.lost(self)
        receiver = self.receiver
        if receiver is None:
            return
        if self._close_delimited:
            receiver.response_end()
            self.receiver = None
            receiver.turn()
        elif self.reused and not self.started:
            # The provider closed while it was idle here; nothing of this request was answered.
            self.receiver = None
            self.pool.send_fresh(receiver)
        else:
            self._fail("upstream_broken", "the provider closed the connection before its answer was complete")

    # -- httptools callbacks

    def on_message_begin(self) -> None:
        if self._complete:  # a second answer to one request: none of it may reach anybody
            self._abandon()

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > RESPONSE_HEADER_BYTES_MAX:
            self._fail("upstream_broken", "the provider's head is too large")
        self._headers.append((name.lower(), name, value))

    def on_headers_complete(self) -> None:
        receiver = self.receiver
        if receiver is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            # 100 and 103 announce the real answer; 101 was never asked for.
            if status == 101:
                self._fail("upstream_broken", "the provider switched protocols unasked")
            return
        framed = any(lowered in (b"content-length", b"transfer-encoding") for lowered, _, _ in self._headers)
        self._close_delimited = not framed and status not in (204, 304)
        receiver.response_head(status, self._reason, self._headers)

    def on_body(self, body: bytes) -> None:
        if self.receiver is not None:
            self.receiver.response_data(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._reset()
        elif self.receiver is not None:
            self._complete = True
            self.receiver.response_end()

    # -- for the pool and the exchange

    def send(self, receiver: Receiver) -> None:
        """Writes the receiver's request; its answer is reported to it."""
        assert self.transport is not None
        self.receiver = receiver
        receiver.dispatched(self)
        self.transport.write(receiver.payload)

    def close(self) -> None:
        """Closes at once and reports nothing more."""
        self._abandon()

    def pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def _ended(self) -> None:
        self.receiver = None
        if self._parser.should_keep_alive() and self.transport is not None and not self.transport.is_closing():
            self._reset()
            self.pool.release(self)
        else:
            self._abandon()

    def _reset(self) -> None:
        self._complete = False
        self._close_delimited = False
        self._headers = []
        self._head_bytes = 0
        self._reason = b""

    def _fail(self, code: str, message: str) -> None:
        receiver = self.receiver
        self._abandon()
        if receiver is not None:
            receiver.failed(code, message)

    def _abandon(self) -> None:
        self.receiver = None
        if self.transport is not None:
            self.transport.abort()


class Pool:
    """The connections to one origin: idle ones, last used first, and a queue for when all are busy."""

    def __init__(self, owner: "Upstreams", origin: Origin) -> None:
        self._owner = owner
        self._origin = origin
        self._idle: list[UpstreamConnection] = []
        self._waiting: deque[Receiver] = deque()
        self.count = 0  # connections open or opening

    def send(self, receiver: Receiver) -> None:
        """Sends on an idle connection, else on a new one, else waits for one to become idle."""
        while self._idle:
            connection = self._idle.pop()
            transport = connection.transport
            if transport is not None and not transport.is_closing():
                connection.send(receiver)
                return
        self.send_fresh(receiver)

    def send_fresh(self, receiver: Receiver) -> None:
        """Sends on a new connection, waiting while the origin has as many as it may."""
        if self.count >= self._owner.connections_max:
            self._waiting.append(receiver)
            return
        self.count += 1
        self._owner.background.spawn(self._connect(receiver), "connect")

    def release(self, connection: UpstreamConnection) -> None:
        """Takes back a connection whose answer is complete, for the next receiver."""
        connection.reused = True
        connection.started = False
        while self._waiting:
            receiver = self._waiting.popleft()
            if receiver.wanted:
                connection.send(receiver)
                return
        connection.idle_since = self._owner.loop.time()
        self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection of this pool is gone."""
        if connection in self._idle:
            self._idle.remove(connection)
        self._freed()

    def _freed(self) -> None:
        self.count -= 1
        while self._waiting:
            receiver = self._waiting.popleft()
            if receiver.wanted:
                self.send_fresh(receiver)
                return

    def close_idle(self, before: float) -> None:
        """Closes what has been idle since before that time; the oldest stand first."""
        while self._idle and self._idle[0].idle_since < before:
            self._idle.pop(0).close()

    async def _connect(self, receiver: Receiver) -> None:
        try:
            connection = await self._owner.connect(self._origin, self)
        except (OSError, TimeoutError) as error:
            host = self._origin.host
            late = isinstance(error, TimeoutError)
            receiver.failed(
                "upstream_timeout" if late else "upstream_unreachable",
                f"no connection to {host} {'in time' if late else f'could be made ({type(error).__name__})'}",
            )
            self._freed()
            return
        if receiver.wanted:
            connection.send(receiver)
        else:
            self.release(connection)


class Upstreams:
    """Every pool of one process."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, background: Background, *, connections_max: int, connect_timeout_ms: int
    ) -> None:
        self.loop = loop
        self.background = background
        self.connections_max = connections_max
        self._connect_timeout_ms = connect_timeout_ms
        self._pools: dict[Origin, Pool] = {}
        self._contexts: dict[tuple[bool, str], ssl.SSLContext] = {}

    def pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(self, origin)
        return pool

    def sweep(self, idle_before: float) -> None:
        """Closes idle connections not used since that loop time, and forgets pools that are empty."""
        for origin, pool in list(self._pools.items()):
            pool.close_idle(idle_before)
            if not pool.count:
                del self._pools[origin]

    @property
    def connections(self) -> int:
        return sum(pool.count for pool in self._pools.values())

    async def connect(self, origin: Origin, pool: Pool) -> UpstreamConnection:
        """A new connection. Raises OSError (ssl.SSLError included) or TimeoutError."""
        timeout_ms = origin.connect_timeout_ms or self._connect_timeout_ms
        context = self._context(origin) if origin.tls else None
        async with asyncio.timeout(timeout_ms / 1000):
            _, connection = await self.loop.create_connection(
                lambda: UpstreamConnection(pool),
                origin.host,
                origin.port,
                ssl=context,
                server_hostname=origin.host if context else None,
            )
        return connection

    def _context(self, origin: Origin) -> ssl.SSLContext:
        wanted = (origin.tls_verify, origin.ca_file)
        context = self._contexts.get(wanted)
        if context is None:
            context = ssl.create_default_context(cafile=origin.ca_file or None)
            if not origin.tls_verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            self._contexts[wanted] = context
        return context
