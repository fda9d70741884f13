"""Owns the provider side: pooled keep-alive connections, connecting, TLS, strict reading of answers.

A connection serves one exchange at a time and tells it what arrived. Knows nothing of keys, prices or
clients; the exchange decides what bytes mean.
"""

import asyncio
import enum
import ssl
from collections import deque
from typing import Protocol, cast

from gateway.background import Background
from gateway.route import Origin
from gateway.wire import http1
from gateway.wire.headers import keeps_alive, response_reader
from gateway.wire.http1 import Framing, ResponseHead

# A head larger than this is no provider's.
RESPONSE_HEAD_BYTES_MAX = 256 * 1024


class Receiver(Protocol):
    """What an upstream connection reports to: one request's side of it."""

    payload: bytes
    wanted: bool  # False once it has ended: nothing is sent for it any more
    dispatches: int  # how often it was sent

    def dispatched(self, connection: "UpstreamConnection") -> None: ...
    def response_head(self, status: int, head: ResponseHead, framing: Framing, *, has_body: bool) -> None: ...
    def response_data(self, data: bytes) -> None: ...
    def response_end(self) -> None: ...
    def turn(self) -> None:
        """All that this turn of the event loop brought has been reported."""

    def failed(self, code: str, message: str) -> None: ...

    websocket: bool  # it asks to switch protocols

    def switched(self, connection: "UpstreamConnection", head: ResponseHead) -> None:
        """The provider has switched: hands the connection over to a tunnel. Raises HttpFault, and it is closed."""


class Tunnel(Protocol):
    """Whom a connection belongs to that has switched protocols; it never returns to its pool."""

    def provider_data(self, data: bytes) -> None: ...
    def provider_gone(self) -> None: ...
    def provider_paused(self) -> None:
        """More than enough waits to be taken by the provider."""

    def provider_resumed(self) -> None: ...


class _Body(enum.Enum):
    HEAD = enum.auto()  # none yet
    LENGTH = enum.auto()
    CHUNKED = enum.auto()
    UNTIL_CLOSE = enum.auto()


class UpstreamConnection(asyncio.Protocol):
    """One socket to a provider. `receiver` is whom the current answer is for; None while idle."""

    __slots__ = (
        "_body",
        "_body_left",
        "_chunks",
        "_held",
        "_keep_alive",
        "idle_since",
        "pool",
        "receiver",
        "reused",
        "started",
        "transport",
        "tunnel",
    )

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.receiver: Receiver | None = None
        self.tunnel: Tunnel | None = None
        self.reused = False
        self.idle_since = 0.0
        self.started = False  # a byte of the current answer arrived
        self._body = _Body.HEAD
        self._body_left = 0
        self._chunks: http1.ChunkedReader | None = None
        self._held = b""  # a head that is not complete
        self._keep_alive = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses

    def data_received(self, data: bytes) -> None:
        if self.tunnel is not None:
            self.tunnel.provider_data(data)
            return
        receiver = self.receiver
        if receiver is None:  # nobody asked: a second answer, or noise before closing
            self.close()
            return
        self.started = True
        try:
            complete = self._read(receiver, data)
        except http1.HttpFault as fault:
            self._fail("upstream_broken", f"the provider broke HTTP: {fault}")
            return
        if complete:
            self.receiver = None
            receiver.response_end()
            # Before the turn, so that the next request may already go out on this connection.
            self._ended()
        receiver.turn()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.pool.lost(self)
        if self.tunnel is not None:
            self.tunnel.provider_gone()
        receiver = self.receiver
        if receiver is None:
            return
        if self._body is _Body.UNTIL_CLOSE and exc is None:
            self.receiver = None
            receiver.response_end()
            receiver.turn()
        elif self.reused and not self.started and receiver.dispatches < 2:
            # The provider closed while it was idle here; nothing of this request was answered. Tried again once.
            self.receiver = None
            self.pool.send_fresh(receiver)
        else:
            self._fail("upstream_broken", "the provider closed the connection before its answer was complete")

    def pause_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.provider_paused()

    def resume_writing(self) -> None:
        if self.tunnel is not None:
            self.tunnel.provider_resumed()

    # -- for the pool and the exchange

    def send(self, receiver: Receiver) -> None:
        """Writes the receiver's request; its answer is reported to it."""
        assert self.transport is not None, "the pool hands out open connections"
        self.receiver = receiver
        receiver.dispatched(self)
        self.transport.write(receiver.payload)

    def close(self) -> None:
        """Closes at once and reports nothing more."""
        self.receiver = self.tunnel = None
        if self.transport is not None:
            self.transport.abort()

    # -- for the tunnel

    def hand_over(self, tunnel: Tunnel) -> None:
        """From here on its bytes are the tunnel's."""
        self.receiver, self.tunnel = None, tunnel

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def abort(self) -> None:
        self.close()

    def finish(self) -> None:
        """Closes once what was written is sent, and reports nothing more."""
        self.receiver = self.tunnel = None
        if self.transport is not None:
            self.transport.close()

    def pause(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    # -- reading

    def _read(self, receiver: Receiver, data: bytes) -> bool:
        """Reports what the data holds; whether the answer is complete. Raises HttpFault."""
        while self._body is _Body.HEAD:
            if self._held:
                data, self._held = self._held + data, b""
            end = data.find(http1.HEAD_END) + len(http1.HEAD_END)
            if end < len(http1.HEAD_END):
                self._held = data
                if len(data) > RESPONSE_HEAD_BYTES_MAX:
                    raise http1.HttpFault("its head is too large")
                return False
            if self._read_head(receiver, data[:end]):
                return self._nothing_follows(data[end:])
            data = data[end:]
        if self.tunnel is not None:
            if data:
                self.tunnel.provider_data(data)
            return False
        return self._read_body(receiver, data) if data else False

    def _read_head(self, receiver: Receiver, data: bytes) -> bool:
        """Reports a head, unless it only announces one; whether the answer ends with it."""
        head = self.pool.head_reader.response(data)
        status = int(head.first[2])
        if status < 200:
            if status == 101:
                self._switch(receiver, head)
            return False
        framing = http1.framing(head)
        self._keep_alive = keeps_alive(head, http10=head.first[1] == b"0")
        has_body = status not in (204, 304)
        if not has_body or framing.length == 0:
            receiver.response_head(status, head, framing, has_body=has_body)
            return True
        if framing.chunked:
            self._body, self._chunks = _Body.CHUNKED, http1.ChunkedReader()
        elif framing.length is not None:
            self._body, self._body_left = _Body.LENGTH, framing.length
        else:
            self._body, self._keep_alive = _Body.UNTIL_CLOSE, False
        receiver.response_head(status, head, framing, has_body=True)
        return False

    def _switch(self, receiver: Receiver, head: ResponseHead) -> None:
        if not receiver.websocket:
            raise http1.HttpFault("it switched protocols unasked")
        self._body, self._keep_alive = _Body.UNTIL_CLOSE, False
        receiver.switched(self, head)

    def _read_body(self, receiver: Receiver, data: bytes) -> bool:
        if self._chunks is not None:
            for piece in self._chunks.feed(data):
                receiver.response_data(piece)
            return self._chunks.done and self._nothing_follows(self._chunks.rest)
        if self._body is _Body.UNTIL_CLOSE:
            receiver.response_data(data)
            return False
        left = self._body_left = self._body_left - len(data)
        receiver.response_data(data if left >= 0 else data[:left])
        return left <= 0 and self._nothing_follows(data[left:] if left else b"")

    def _nothing_follows(self, rest: bytes) -> bool:
        """True; but a connection on which more than one answer came for one request is not used again."""
        if rest:
            self._keep_alive = False
        return True

    def _ended(self) -> None:
        if self._keep_alive and self.transport is not None and not self.transport.is_closing():
            self._body = _Body.HEAD
            self._chunks = None
            self.pool.release(self)
        else:
            self.close()

    def _fail(self, code: str, message: str) -> None:
        receiver = self.receiver
        self.close()
        if receiver is not None:
            receiver.failed(code, message)


class Pool:
    """The connections to one origin: idle ones, last used first, and a queue for when all are busy."""

    def __init__(self, owner: "Upstreams", origin: Origin) -> None:
        self._owner = owner
        self._origin = origin
        self.head_reader = owner.head_reader
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
        except (OSError, TimeoutError, UnicodeError) as error:  # the last from a name that DNS cannot hold
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
        self.head_reader = response_reader()
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
