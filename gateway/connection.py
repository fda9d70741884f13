"""Owns the client side: one socket's HTTP/1.1, its limits and its patience.

Requests are read whole and judged at their head; one is in work at a time and those pipelined behind it
wait as bytes. Knows nothing of keys or providers: the pipeline opens and begins exchanges.
"""

import asyncio
import enum
from typing import TYPE_CHECKING, Protocol, cast

from gateway.endpoints import METHODS
from gateway.faults import Refusal, render_answer
from gateway.forward import Exchange
from gateway.request import Request
from gateway.route import Plan
from gateway.tunnel import Tunnel
from gateway.wire import http1

if TYPE_CHECKING:
    from gateway.settings import Settings

# A refused request's body is read whole if it is this small, so that its connection can be used again.
_REFUSED_BODY_BYTES_MAX = 64 * 1024
# A larger one is dropped, so that the answer is not lost to a reset: many clients read it when they have sent all. So
# many times the largest that is taken, for as long as a head may take; to read and drop costs next to nothing.
_DISCARDED_BODIES_MAX = 2
# A client may take so long to say goodbye to TLS, where nothing else is under way.
CLOSING_S = 1.0
# While a client leaves so much untaken, what it has pipelined is not read on: a refusal is many times as long as the
# request that earns it. More than a provider's answer leaves, which is held back at the provider.
_UNTAKEN_BYTES_MAX = 1024 * 1024


class Owner(Protocol):
    """What a connection asks of its server."""

    settings: "Settings"
    request_reader: http1.RequestReader
    body_buffer_bytes: int  # request bodies held by all connections together

    @property
    def draining(self) -> bool: ...
    def loop_time(self) -> float: ...
    def now_ns(self) -> int: ...
    def monotonic_ns(self) -> int: ...
    def connected(self, connection: "ClientConnection") -> bool: ...
    def disconnected(self, connection: "ClientConnection") -> None: ...
    def open(
        self, request: Request, client: "ClientConnection", refusal: Refusal | None, plan: Plan | None
    ) -> Exchange: ...
    def begin(self, exchange: Exchange) -> None: ...
    def refused_unread(self, refusal: Refusal) -> None: ...


class _State(enum.Enum):
    IDLE = enum.auto()  # between requests
    HEAD = enum.auto()
    BODY = enum.auto()
    BUSY = enum.auto()  # an exchange is answering
    TUNNEL = enum.auto()  # it has become a WebSocket, and never becomes anything else again
    DISCARD = enum.auto()  # answered; what still arrives is dropped until the client has read it
    CLOSED = enum.auto()


class ClientConnection(asyncio.Protocol):
    """One client's socket. The server creates it; it ends when the socket does."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._settings = owner.settings
        self._transport: asyncio.Transport | None = None
        self._state = _State.IDLE
        self._held: bytes = b""  # a head that is not complete, or what is pipelined behind the request in work
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_left = 0
        self._chunks: http1.ChunkedReader | None = None
        # The request before this one, and what was planned for it: both may hold for the next.
        self._earlier: tuple[Request, http1.RepeatedHead] | None = None
        self._plan: Plan | None = None
        self._waits = False  # for "100 Continue" before it sends the body
        self._discarded_bytes = 0
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None  # in the exchange's place, from the provider's 101 on
        self._deadline = 0.0
        self._write_deadline = 0.0
        self.keep_alive = True
        self.paused = False  # it takes no more for now

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        if not self._owner.connected(self):
            self._refuse(Refusal("overloaded", "connections_max clients are connected", retry_after_s=1))

    def data_received(self, data: bytes) -> None:
        state = self._state
        if self._tunnel is not None:
            self._tunnel.client_data(data)
        elif state is _State.BUSY:
            self._held += data
            if len(self._held) > self._settings.header_bytes_max and self._transport is not None:
                self._transport.pause_reading()
        elif state is _State.DISCARD:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _DISCARDED_BODIES_MAX * self._settings.body_bytes_max:
                self.abort()
        elif state is not _State.CLOSED:
            self._read(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _State.CLOSED
        self._transport = None
        self._release_body()
        self._owner.disconnected(self)
        served, self._exchange, self._tunnel = self._served, None, None
        if served is not None:
            served.client_gone()

    def pause_writing(self) -> None:
        self.paused = True
        self._write_deadline = self._owner.loop_time() + self._settings.write_timeout_ms / 1000
        if self._served is not None:
            self._served.client_paused()

    def resume_writing(self) -> None:
        self.paused = False
        self._write_deadline = 0.0
        if self._served is not None:
            self._served.client_resumed()
        elif self._state is _State.IDLE:
            self._deadline = self._owner.loop_time() + self._settings.idle_timeout_ms / 1000
            if self._held:
                self._read_held()

    @property
    def _served(self) -> Exchange | Tunnel | None:
        return self._tunnel or self._exchange

    # -- for the exchange

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def answered(self, *, close: bool) -> None:
        """The exchange is over: closes, or reads on."""
        self._exchange = None
        transport = self._transport
        if transport is None:
            return
        self._release_body()
        if self._state is not _State.BUSY:  # answered before the request was complete
            self._discard(transport)
        elif close or not self.keep_alive:
            self.close()
        else:
            self._state = _State.IDLE
            self._deadline = self._owner.loop_time() + self._settings.idle_timeout_ms / 1000
            if self._held:
                # In a turn of its own, so that a thousand pipelined requests are not a thousand frames deep; and more
                # is read when these are, so that they do not pile up.
                self.pause()
                asyncio.get_running_loop().call_soon(self._read_held)

    def switch(self, tunnel: Tunnel) -> None:
        """The exchange has answered 101: from here on what it reads is the tunnel's, and what it has read early."""
        self._exchange, self._tunnel = None, tunnel
        self._state = _State.TUNNEL
        early, self._held = self._held, b""
        self.resume()
        if early:
            tunnel.client_data(early)

    def abort(self) -> None:
        if self._transport is not None:
            self._state = _State.CLOSED
            self._transport.abort()

    # -- for the tunnel

    def pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def finish(self) -> None:
        self.close()

    # -- for the server

    @property
    def idle(self) -> bool:
        """Whether it may be closed without anybody missing an answer."""
        return self._exchange is None and self._state in (_State.IDLE, _State.DISCARD, _State.CLOSED)

    def close(self) -> None:
        """Closes once what was written is sent, for which a client has `write_timeout_ms`."""
        if self._transport is not None:
            self._state = _State.CLOSED
            self._deadline = self._owner.loop_time() + self._settings.write_timeout_ms / 1000
            self._transport.close()

    def part(self) -> None:
        """Closes, unless it is closing, and waits no longer for a client that takes no answer any more."""
        if self._state is not _State.CLOSED:
            self.close()
            self._deadline = self._owner.loop_time() + CLOSING_S

    def sweep(self, now: float) -> None:
        """Ends what has waited too long. Called a few times a second instead of a timer per request."""
        if self._write_deadline:  # nothing else is asked of who has yet to take an answer
            if now > self._write_deadline:
                self.abort()
        elif self._state in (_State.BUSY, _State.TUNNEL) or now <= self._deadline:
            return
        elif self._state is _State.CLOSED:
            self.abort()
        elif self._state in (_State.IDLE, _State.DISCARD):
            self.part()
        else:
            self._refuse(Refusal("request_timeout", "The request did not arrive in time"))

    # -- reading

    def _read_held(self) -> None:
        transport = self._transport
        if self._state is not _State.IDLE or transport is None or transport.is_closing():
            return
        if not self.paused or transport.get_write_buffer_size() <= _UNTAKEN_BYTES_MAX:
            transport.resume_reading()
            self._read(b"")

    def _read(self, data: bytes) -> None:
        """Reads one request at most; what follows it is held until it is answered."""
        try:
            if self._state is not _State.BODY:
                data = self._read_head(data)
            if self._state is _State.BODY:
                self._read_body(data)
        except http1.HttpFault as fault:
            self._refuse(Refusal("malformed_request", f"The request is malformed: {fault}"))

    def _read_head(self, data: bytes) -> bytes:
        """Reads up to the empty line and opens the exchange; returns what is behind it. State BODY: it went well."""
        if self._held:
            data, self._held = self._held + data, b""
        if self._state is _State.IDLE:
            data = data.removeprefix(b"\r\n")  # RFC 9112 §2.2: an old client's surplus empty line
            if data in (b"", b"\r"):
                self._held = data
                return b""
        end = data.find(http1.HEAD_END) + len(http1.HEAD_END)
        if end < len(http1.HEAD_END):
            self._held = data
            end = len(data)
            if self._state is _State.IDLE:
                self._state = _State.HEAD
                self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        if end > self._settings.header_bytes_max:
            self._refuse(Refusal("header_too_large", "The head is larger than header_bytes_max"))
        elif not self._held:
            self._open(data[:end])
        return data[end:]

    def _open(self, data: bytes) -> None:
        owner = self._owner
        request = self._read_request(data)
        framing = request.framing
        # What follows a handshake that is refused may be meant as frames, and must not be read as a request.
        self.keep_alive = request.keep_alive and not owner.draining and not request.websocket
        self._body_left = framing.length or 0
        self._chunks = http1.ChunkedReader() if framing.chunked else None
        self._waits = not request.http10 and (request.value(b"expect") or b"").lower() == b"100-continue"
        exchange = self._exchange = owner.open(request, self, self._judge(request), self._plan)
        self._state = _State.BODY
        self._deadline = owner.loop_time() + self._settings.body_timeout_ms / 1000
        if exchange.refusal is not None:
            self._earlier = None
            return
        self._plan = exchange.plan
        if self._earlier is None and not framing.chunked and not request.websocket:
            # A copy: the request itself will hold a body.
            self._earlier = request.again(0, arrived_ns=0, started_ns=0), http1.RepeatedHead(data)
        self._hold_body(self._body_left)
        if self._waits:
            self.write(http1.CONTINUE)

    def _read_request(self, data: bytes) -> Request:
        """The request of a head, which is seldom another than the one before it on the connection."""
        now_ns, monotonic_ns = self._owner.now_ns(), self._owner.monotonic_ns()
        if self._earlier is not None:
            request, repeated = self._earlier
            length = repeated.length(data)
            if length is not None:
                return request.again(length, arrived_ns=now_ns, started_ns=monotonic_ns)
        self._earlier = self._plan = None
        return Request.read(self._owner.request_reader.request(data), arrived_ns=now_ns, started_ns=monotonic_ns)

    def _judge(self, request: Request) -> Refusal | None:
        if self._earlier is None:  # a repeated head was judged
            if len(request.head.headers) > self._settings.header_count_max:
                return Refusal("header_too_large", "The request has more headers than header_count_max")
            if request.method not in METHODS:
                return Refusal("method_not_allowed", f"{request.method} is not served here")
        return self._judge_body(self._body_left)

    def _judge_body(self, more_bytes: int) -> Refusal | None:
        settings = self._settings
        if self._body_bytes + more_bytes > settings.body_bytes_max:
            return Refusal("body_too_large", f"The body is larger than body_bytes_max, {settings.body_bytes_max} bytes")
        if more_bytes and self._owner.body_buffer_bytes + more_bytes > settings.body_buffer_bytes_max:
            return Refusal("overloaded", "body_buffer_bytes_max of request bodies are in flight", retry_after_s=1)
        return None

    def _read_body(self, data: bytes) -> None:
        exchange, chunks = self._exchange, self._chunks
        assert exchange is not None, "a body has an exchange"
        if exchange.refusal is not None and (chunks or self._waits or self._body_left > _REFUSED_BODY_BYTES_MAX):
            self.keep_alive = False
            self._owner.begin(exchange)
            return
        if chunks is not None:
            complete = self._take_chunks(chunks, data) and chunks.done
        else:
            left = self._body_left - len(data)
            if left < 0:
                data, self._held = data[:left], data[left:]
            self._body.append(data)
            self._body_left = left
            complete = left <= 0
        if complete:
            self._state = _State.BUSY
            body, self._body = self._body, []
            exchange.request.body = body[0] if len(body) == 1 else b"".join(body)
            self._owner.begin(exchange)

    def _take_chunks(self, chunks: http1.ChunkedReader, data: bytes) -> bool:
        """Whether there was room for what the data holds; if not, the request has been refused."""
        piece = b"".join(chunks.feed(data))  # of a thousand chunks of two bytes each would take fifty
        refusal = self._judge_body(len(piece))
        if refusal is not None:
            self._refuse(refusal)
            return False
        self._hold_body(len(piece))
        self._body.append(piece)
        self._held = chunks.rest
        return True

    def _hold_body(self, size_bytes: int) -> None:
        self._body_bytes += size_bytes
        self._owner.body_buffer_bytes += size_bytes

    def _release_body(self) -> None:
        self._owner.body_buffer_bytes -= self._body_bytes
        self._body_bytes = 0
        self._body = []

    # -- endings

    def _refuse(self, refusal: Refusal) -> None:
        """Answers what cannot be served or read on from, and closes."""
        self.keep_alive = False
        if self._exchange is not None:
            self._exchange.refuse(refusal)
        elif self._transport is not None:
            self._owner.refused_unread(refusal)
            self._transport.write(render_answer(refusal, "openai", "", close=True))
            self._discard(self._transport)

    def _discard(self, transport: asyncio.Transport) -> None:
        """The answer must not be lost to a reset: says it is the last, and drops what the client still sends."""
        self._held = b""
        self._state = _State.DISCARD
        self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        if transport.can_write_eof():
            transport.write_eof()
