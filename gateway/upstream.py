"""Owns the provider side: pooled keep-alive connections, and strict reading of answers.

A connection serves one exchange at a time and tells it what arrived. Knows nothing of keys, prices or
clients; the exchange decides what bytes mean. How connections are made is gateway/connect.py's.
"""

import asyncio
import enum
import ssl
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

from gateway.background import Background
from gateway.connect import ConnectFault, Connector
from gateway.route import Origin
from gateway.wire import http1
from gateway.wire.headers import keeps_alive, response_reader
from gateway.wire.http1 import Framing, ResponseHead

# A head larger than this is no provider's.
RESPONSE_HEAD_BYTES_MAX = 256 * 1024
# One 100 and a few 103 come before an answer, if anything does; a provider could send them for ever.
INTERIM_HEADS_MAX = 16
# A connection that was closed while it was idle says so within a round trip, one lost packet included. Who hangs up
# later has had the request, and may have worked on it.
STALE_S = 2.0
# So that connections made in one burst do not all end in another: each lives up to a tenth less than it may.
AGE_SPREAD = 0.1


class Receiver(Protocol):
    """What an upstream connection reports to: one request's side of it."""

    payload: bytes
    wanted: bool  # False once it has ended: nothing is sent for it any more
    dispatches: int  # how often it was sent

    def dispatched(self, connection: "UpstreamConnection") -> None: ...
    def undone(self) -> bool:
        """The connection it was sent on was closed before that: whether it is still to be sent, on another."""
        ...

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
        "_interim_heads",
        "_keep_alive",
        "expires_at",
        "idle_since",
        "pool",
        "receiver",
        "reused",
        "sent_at",
        "started",
        "transport",
        "tunnel",
    )

    def __init__(self, pool: "Pool", expires_at: float) -> None:
        self.pool = pool
        self.expires_at = expires_at  # loop time from which on it is not kept
        self.transport: asyncio.Transport | None = None
        self.receiver: Receiver | None = None
        self.tunnel: Tunnel | None = None
        self.reused = False
        self.idle_since = 0.0
        self.sent_at = 0.0  # loop time of the request in work
        self.started = False  # a byte arrived, of the current answer or unasked
        self._body = _Body.HEAD
        self._body_left = 0
        self._chunks: http1.ChunkedReader | None = None
        self._held = bytearray()  # a head that is not complete
        self._interim_heads = 0
        self._keep_alive = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        if self.started:  # inside a proxy's tunnel bytes may come first
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.started = True
        if self.tunnel is not None:
            self.tunnel.provider_data(data)
            return
        receiver = self.receiver
        if receiver is None:  # nobody asked: a second answer, or noise before closing
            self.close()
            return
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
        if self.transport is None:  # inside a proxy's tunnel: it was never made
            return
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
        elif self._was_stale(receiver) and receiver.undone():
            self.receiver = None
            self.pool.send_fresh(receiver)
        else:
            why = f" ({exc.reason})" if isinstance(exc, ssl.SSLError) else ""
            self._fail("upstream_broken", f"the provider closed the connection before its answer was complete{why}")

    def _was_stale(self, receiver: Receiver) -> bool:
        """Whether the provider closed while it was idle here: no byte of an answer came. It is tried again once."""
        untouched = self.reused and not self.started and receiver.dispatches < 2
        return untouched and self.pool.now() - self.sent_at < STALE_S

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
        self.sent_at = self.pool.now()
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
            end = self._head_end(data)
            if not end:
                return False
            if self._held:
                data = bytes(self._held)
                self._held.clear()
            if self._read_head(receiver, data[:end]):
                return self._nothing_follows(data[end:])
            data = data[end:]
        if self.tunnel is not None:
            if data:
                self.tunnel.provider_data(data)
            return False
        return self._read_body(receiver, data) if data else False

    def _head_end(self, data: bytes) -> int:
        """Where the head ends in what is held and the data, which is then held too; 0 while it does not."""
        held, searched = self._held, 0
        text: bytes | bytearray = data
        if held:
            searched = max(len(held) - len(http1.HEAD_END), 0)  # not from its start for every byte that comes
            held += data
            text = held
        end = text.find(http1.HEAD_END, searched)
        if (end if end >= 0 else len(text)) > RESPONSE_HEAD_BYTES_MAX:
            raise http1.HttpFault("its head is too large")
        if end >= 0:
            return end + len(http1.HEAD_END)
        if not held:
            held += data
        return 0

    def _read_head(self, receiver: Receiver, data: bytes) -> bool:
        """Reports a head, unless it only announces one; whether the answer ends with it."""
        head = self.pool.head_reader.response(data)
        status = int(head.first[2])
        if status < 200:
            if status == 101:
                self._switch(receiver, head)
                return False
            self._interim_heads += 1
            if self._interim_heads > INTERIM_HEADS_MAX:
                raise http1.HttpFault("it announces its answer without end")
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
        transport = self.transport
        # A provider that answers before it has the whole request may not take the rest of it for one.
        if self._keep_alive and transport and not transport.is_closing() and not transport.get_write_buffer_size():
            self._body = _Body.HEAD
            self._chunks = None
            self._interim_heads = 0
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
        self._connections_max = origin.connections_max or owner.connections_max
        self.head_reader = response_reader()
        self.now = owner.loop.time
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
        if self.count >= self._connections_max:
            self._waiting.append(receiver)
            return
        self.count += 1
        self._owner.background.spawn(self._connect(receiver), "connect")

    def release(self, connection: UpstreamConnection) -> None:
        """Takes back a connection whose answer is complete, for the next receiver; closes one that is too old."""
        now = self.now()
        if now >= connection.expires_at:
            connection.close()
            return
        connection.reused = True
        connection.started = False
        while self._waiting:
            receiver = self._waiting.popleft()
            if receiver.wanted:
                connection.send(receiver)
                return
        connection.idle_since = now
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
            connection = await self._owner.connector.connect(self._origin, self._connection)
        except ConnectFault as fault:
            receiver.failed(fault.code, fault.message)
            self._freed()
            return
        if connection.transport is None or connection.transport.is_closing():
            # Whoever connects and speaks first, or hangs up. It is lost, or will be, so it is not freed here.
            receiver.failed("upstream_broken", "the provider answered or hung up before it was asked")
        elif receiver.wanted:
            connection.send(receiver)
        else:
            self.release(connection)

    def _connection(self) -> UpstreamConnection:
        return UpstreamConnection(self, self._owner.expiry())


class Upstreams:
    """Every pool of one process. `random` is a number from 0 to 1."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        background: Background,
        connector: Connector,
        *,
        connections_max: int,
        connection_age_ms: int,
        random: Callable[[], float],
    ) -> None:
        self.loop = loop
        self.background = background
        self.connector = connector
        self.connections_max = connections_max
        self._connection_age_s = connection_age_ms / 1000
        self._random = random
        self._pools: dict[Origin, Pool] = {}

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

    def expiry(self) -> float:
        """The loop time until which a connection made now is kept."""
        return self.loop.time() + self._connection_age_s * (1 - AGE_SPREAD * self._random())
