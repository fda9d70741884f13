"""Owns the client side: one socket's HTTP/1.1, its limits and its patience.

Requests are read whole and judged at their head; one is in work at a time and those pipelined behind it
wait as bytes. Knows nothing of keys or providers: the pipeline opens and begins exchanges.
"""

import asyncio
import enum
from typing import TYPE_CHECKING, Protocol, cast

import httptools

from gateway.faults import Refusal
from gateway.forward import Exchange
from gateway.request import Request
from gateway.wire import http1
from gateway.wire.headers import OWN_PREFIX

if TYPE_CHECKING:
    from gateway.settings import Settings

_METHODS = frozenset(("GET", "POST", "DELETE"))
_READ_BY_NAME = frozenset((b"content-encoding", b"connection", b"expect"))
# A refused request's body is read and dropped up to here, so that the answer is not lost to a reset.
_DISCARDED_BYTES_MAX = 1024 * 1024


class Owner(Protocol):
    """What a connection asks of its server."""

    settings: "Settings"
    body_buffer_bytes: int  # request bodies held by all connections together

    def loop_time(self) -> float: ...
    def now_ns(self) -> int: ...
    def monotonic_ns(self) -> int: ...
    def connected(self, connection: "ClientConnection") -> bool: ...
    def disconnected(self, connection: "ClientConnection") -> None: ...
    def open(self, request: Request, client: "ClientConnection", refusal: Refusal | None = None) -> Exchange: ...
    def begin(self, exchange: Exchange) -> None: ...


class _State(enum.Enum):
    IDLE = enum.auto()  # between requests
    HEAD = enum.auto()
    BODY = enum.auto()
    BUSY = enum.auto()  # an exchange is answering
    DISCARD = enum.auto()  # answered; what still arrives is dropped until the client has read it
    CLOSED = enum.auto()


class ClientConnection(asyncio.Protocol):
    """One client's socket. The server creates it; it ends when the socket does."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._settings = owner.settings
        self._transport: asyncio.Transport | None = None
        self._state = _State.IDLE
        self._parser = httptools.HttpRequestParser(self)
        self._head: bytes = b""
        self._leftover = b""  # pipelined behind the request in work
        self._request = Request(arrived_ns=0, started_ns=0)
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._body_left = -1  # of a declared length; -1: chunked
        self._discarded_bytes = 0
        self._exchange: Exchange | None = None
        self._surplus = False  # bytes followed a chunked body: whose they are cannot be told
        self._fault: Refusal | None = None
        self._message_complete = False
        self._deadline = 0.0
        self._write_deadline = 0.0
        self.keep_alive = True

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        if not self._owner.connected(self):
            self._refuse_connection(Refusal("overloaded", "connections_max clients are connected", retry_after_s=1))

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state is _State.BUSY:
            self._leftover += data
            if len(self._leftover) > self._settings.header_bytes_max and self._transport is not None:
                self._transport.pause_reading()
        elif state is _State.DISCARD:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _DISCARDED_BYTES_MAX:
                self.abort()
        elif state is not _State.CLOSED:
            self._read(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._state = _State.CLOSED
        self._transport = None
        self._release_body()
        self._owner.disconnected(self)
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_gone()

    def pause_writing(self) -> None:
        self._write_deadline = self._owner.loop_time() + self._settings.write_timeout_ms / 1000
        if self._exchange is not None:
            self._exchange.client_paused()

    def resume_writing(self) -> None:
        self._write_deadline = 0.0
        if self._exchange is not None:
            self._exchange.client_resumed()

    # -- httptools callbacks: they note; what follows from it is decided after feed_data

    def on_message_begin(self) -> None:
        self._surplus = self._message_complete

    def on_url(self, url: bytes) -> None:
        if not self._surplus:
            self._request.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._surplus or self._message_complete or self._state is not _State.HEAD:
            return  # behind a chunked body: a trailer, which is dropped, or a request, which is not read
        request = self._request
        lowered = name.lower()
        request.headers.append((lowered, name, value))
        if lowered in _READ_BY_NAME:
            request.values[lowered] = value
        elif lowered.startswith(OWN_PREFIX):
            request.values[lowered] = value
            request.values[OWN_PREFIX] = b""  # says that there is any

    def on_headers_complete(self) -> None:
        if not self._surplus:
            self._request.method = self._parser.get_method().decode("ascii")
            self._request.http10 = self._parser.get_http_version() == "1.0"

    def on_body(self, body: bytes) -> None:
        if not self._surplus:
            self._body.append(body)
            self._hold_body(len(body))

    def on_message_complete(self) -> None:
        if not self._surplus:
            self._message_complete = True
            self.keep_alive = self._parser.should_keep_alive()

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
        if not self._message_complete:  # answered at the head: the body is still arriving
            self._discard()
            return
        self._release_body()
        if close or self._surplus or not self.keep_alive:
            self._state = _State.CLOSED
            transport.close()
            return
        self._state = _State.IDLE
        self._deadline = self._owner.loop_time() + self._settings.idle_timeout_ms / 1000
        if self._leftover:
            # In a turn of its own, so that a thousand pipelined requests are not a thousand frames deep.
            asyncio.get_running_loop().call_soon(self._read_leftover)

    def abort(self) -> None:
        if self._transport is not None:
            self._state = _State.CLOSED
            self._transport.abort()

    # -- for the server

    @property
    def idle(self) -> bool:
        """Whether it may be closed without anybody missing an answer."""
        return self._exchange is None and self._state in (_State.IDLE, _State.DISCARD, _State.CLOSED)

    def close(self) -> None:
        """Closes once what was written is sent."""
        if self._transport is not None:
            self._state = _State.CLOSED
            self._transport.close()

    def sweep(self, now: float) -> None:
        """Ends what has waited too long. Called a few times a second instead of a timer per request."""
        if self._write_deadline and now > self._write_deadline:
            self.abort()
        elif self._state in (_State.BUSY, _State.CLOSED) or now <= self._deadline:
            return
        elif self._state in (_State.IDLE, _State.DISCARD):
            self.close()
        else:
            self._refuse_connection(Refusal("request_timeout", "The request did not arrive in time"))

    # -- reading

    def _read_leftover(self) -> None:
        if self._state is _State.IDLE and self._leftover:
            data, self._leftover = self._leftover, b""
            if self._transport is not None:
                self._transport.resume_reading()
            self._read(data)

    def _read(self, data: bytes) -> None:
        if self._state is not _State.BODY:
            data = self._read_head(data)
        if self._state is _State.BODY:
            self._read_body(data)

    def _read_head(self, data: bytes) -> bytes:
        """Reads up to the empty line and opens the exchange; returns the bytes behind it. State BODY: it went well."""
        if self._head:
            data = self._head + data
        elif self._state is _State.IDLE:
            self._state = _State.HEAD
            self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        end = data.find(http1.HEAD_END) + len(http1.HEAD_END)
        if end < len(http1.HEAD_END):
            self._head = data
            if len(data) > self._settings.header_bytes_max:
                self._refuse_connection(Refusal("header_too_large", "The head is larger than header_bytes_max"))
            return b""
        self._head = b""
        head = data[:end] if end < len(data) else data
        request = self._request = Request(arrived_ns=self._owner.now_ns(), started_ns=self._owner.monotonic_ns())
        self._message_complete = self._surplus = False
        refusal = self._parse_head(head, request)
        if refusal is not None:
            self._refuse_connection(refusal)
            return b""
        self._open(request)
        return data[end:]

    def _parse_head(self, head: bytes, request: Request) -> Refusal | None:
        if len(head) > self._settings.header_bytes_max:
            return Refusal("header_too_large", "The head is larger than header_bytes_max")
        fault = http1.head_fault(head)
        if not fault:
            try:
                self._parser.feed_data(head)
            except httptools.HttpParserUpgrade:
                # An upgrade is not offered: the request is answered as if it had not asked for one.
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                fault = f"not HTTP/1.1: {type(error).__name__}"
        if not fault:
            fault = http1.target_fault(request.target) or http1.framing_fault(request.headers, http10=request.http10)
        if fault:
            return Refusal("malformed_request", f"The request is malformed: {fault}")
        if len(request.headers) > self._settings.header_count_max:
            return Refusal("header_too_large", "The request has more headers than header_count_max")
        if request.method not in _METHODS:
            return Refusal("method_not_allowed", f"{request.method} is not served here")
        return self._judge_length(request)

    def _judge_length(self, request: Request) -> Refusal | None:
        request.content_length = length = http1.content_length(request.headers)
        self._body_left = -1 if length is None else length
        if length is None:
            return None
        if length > self._settings.body_bytes_max:
            return Refusal("body_too_large", f"The body is larger than {self._settings.body_bytes_max} bytes")
        if self._owner.body_buffer_bytes + length > self._settings.body_buffer_bytes_max:
            return Refusal("overloaded", "body_buffer_bytes_max of request bodies are in flight", retry_after_s=1)
        return None

    def _open(self, request: Request) -> None:
        self._state = _State.BODY
        self._deadline = self._owner.loop_time() + self._settings.body_timeout_ms / 1000
        exchange = self._exchange = self._owner.open(request, self)
        if exchange.refusal is not None:
            return
        expects = request.values.get(b"expect")
        if expects is not None and expects.lower() == b"100-continue" and not self._message_complete:
            self.write(http1.CONTINUE)

    def _read_body(self, data: bytes) -> None:
        exchange, request = self._exchange, self._request
        assert exchange is not None
        if not self._message_complete:
            if self._body_left >= 0:
                self._leftover = data[self._body_left :]
                data = data[: self._body_left]
                self._body_left -= len(data)
            self._deadline = self._owner.loop_time() + self._settings.body_timeout_ms / 1000
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade:
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                if not self._message_complete:
                    fault = f"The request is malformed: {type(error).__name__}"
                    self._refuse_connection(Refusal("malformed_request", fault))
                    return
                self._surplus = True
        else:
            self._leftover += data
        if self._fault is not None:
            self._refuse_connection(self._fault)
        elif self._message_complete:
            self._state = _State.BUSY
            body = self._body
            request.body = body[0] if len(body) == 1 else b"".join(body)
            self._body = []
            self._owner.begin(exchange)
        elif exchange.refusal is not None:
            self._owner.begin(exchange)

    def _hold_body(self, size_bytes: int) -> None:
        self._body_bytes += size_bytes
        self._owner.body_buffer_bytes += size_bytes
        if self._body_bytes > self._settings.body_bytes_max:
            self._fault = Refusal("body_too_large", f"The body is larger than {self._settings.body_bytes_max} bytes")
        elif self._owner.body_buffer_bytes > self._settings.body_buffer_bytes_max:
            self._fault = Refusal(
                "overloaded", "body_buffer_bytes_max of request bodies are in flight", retry_after_s=1
            )

    def _release_body(self) -> None:
        self._owner.body_buffer_bytes -= self._body_bytes
        self._body_bytes = 0

    # -- endings

    def _refuse_connection(self, refusal: Refusal) -> None:
        """Answers bytes that are no request one can go on from, and closes."""
        self.keep_alive = False
        exchange = self._exchange
        if exchange is None:
            exchange = self._exchange = self._owner.open(self._request, self, refusal)
        exchange.refuse(refusal)

    def _discard(self) -> None:
        self._release_body()
        self._body, self._leftover = [], b""
        self._state = _State.DISCARD
        self._deadline = self._owner.loop_time() + self._settings.header_timeout_ms / 1000
        transport = self._transport
        if transport is not None and transport.can_write_eof():
            transport.write_eof()
