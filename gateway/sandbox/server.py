"""Owns the sandbox as a whole: its bill, its memory of requests, its own endpoints and its connections."""

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import cast

import msgspec

from gateway.sandbox.bill import MODELS, Bill, Entry
from gateway.sandbox.call import FROZEN_S, Answer, Call, Piece, entry_of
from gateway.sandbox.controls import PROVIDER_HEADER, Controls, read_controls
from gateway.sandbox.delivery import Frame, frames, switching
from gateway.sandbox.dialects import Dialect, find_dialect
from gateway.sandbox.request import BadRequest, Request, RequestReader
from gateway.sandbox.routes import respond
from gateway.sandbox.socket_session import SocketSession
from gateway.sandbox.store import Store
from gateway.sandbox.websocket import accept_of, negotiate

# What GET /_sandbox/requests can show; enough for a test that compares what it sent with what came.
REQUESTS_KEPT_MAX = 1_000
# Requests a client may pipeline before its further bytes are left in the socket.
PIPELINED_MAX = 64


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One run's settings. `clock_s` gives seconds since the epoch."""

    controls: Controls = Controls()
    key_prefixes: tuple[str, ...] = ("sandbox-",)
    clock_s: Callable[[], float] = time.time


class Received(msgspec.Struct, frozen=True):
    """One request as it came in: the proof of what a gateway did and did not change."""

    connection: int
    method: str
    target: str
    head_base64: bytes  # base64 once it is JSON
    body_sha256: str
    body_bytes: int


class Plan(msgspec.Struct, frozen=True):
    """What is to be sent for one request, the bill's entry for it if it is billed, and what comes after a 101."""

    frames: Iterator[Frame]
    entry: Entry | None = None
    socket: SocketSession | None = None


class Sandbox:
    """A provider with its bill. It decides; its connections send."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.bill = Bill()
        self.store = Store()
        self.received: deque[Received] = deque(maxlen=REQUESTS_KEPT_MAX)
        self.requests_count = 0
        self.connections_count = 0
        self.connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._calls_count = 0

    async def listen(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self, loop), host, port)

    @property
    def port(self) -> int:
        assert self._listener is not None
        return self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        assert self._listener is not None
        self._listener.close()
        for connection in tuple(self.connections):
            connection.abort()
        await self._listener.wait_closed()

    def plan(self, request: Request, connection: int, reused: bool) -> Plan | None:
        """How to answer; None: close without a byte. A billed call is on the bill when this returns."""
        if request.path.startswith("/_sandbox/"):
            return Plan(frames(self._own(request), Controls(), (), request.keep_alive))
        self._remember(request, connection)
        asked = request.headers.get(PROVIDER_HEADER, self.options.controls.provider)
        dialect = find_dialect(request, asked)
        controls = read_controls(request.headers, self.options.controls)
        call = self._call(request, dialect, self.options.controls if isinstance(controls, str) else controls)
        if call.controls.drop == "always" or (call.controls.drop == "reused" and reused):
            return None
        if isinstance(controls, str):
            answer = dialect.refuse_control(call, controls)
        else:
            answer = respond(dialect, call, self.options.key_prefixes)
        headers = self._headers(dialect, call, answer)
        self._bill_settled(answer)
        if answer.talk:
            return self._plan_socket(request, call, answer, headers)
        return Plan(frames(answer, call.controls, headers, request.keep_alive), self._open_entry(call, answer))

    def _plan_socket(self, request: Request, call: Call, answer: Answer, headers: tuple[tuple[str, str], ...]) -> Plan:
        """The head of the handshake, and the session behind it."""
        assert answer.talk is not None
        accepted = ("sec-websocket-accept", accept_of(request.headers["sec-websocket-key"]))
        deflate = negotiate(request) if call.controls.websocket_deflate else None
        agreed = (("sec-websocket-extensions", deflate.header),) if deflate else ()
        head = switching(answer, call.controls, (accepted, *agreed, *headers))
        return Plan(iter((head,)), socket=SocketSession(answer.talk, call, self.bill, deflate))

    def _remember(self, request: Request, connection: int) -> None:
        self.requests_count += 1
        digest = hashlib.sha256(request.body).hexdigest()
        self.received.append(
            Received(connection, request.method, request.target, request.head, digest, len(request.body))
        )

    def _call(self, request: Request, dialect: Dialect, controls: Controls) -> Call:
        self._calls_count += 1
        now_s = self.options.clock_s()
        return Call(
            request,
            controls,
            dialect.name,
            created_s=FROZEN_S if controls.frozen else int(now_s),
            serial=self._calls_count,
            now_s=now_s,
            store=self.store,
        )

    def _headers(self, dialect: Dialect, call: Call, answer: Answer) -> tuple[tuple[str, str], ...]:
        date = ("date", formatdate(call.created_s, usegmt=True))
        if not dialect.id_header:
            return (date, *dialect.headers)
        identifier = call.request_id if answer.charge else call.refusal_id
        return (date, (dialect.id_header, identifier), *dialect.headers)

    def _open_entry(self, call: Call, answer: Answer) -> Entry | None:
        """The entry of a charged call. What does not stream was written whole before its first byte: billed at once."""
        if answer.charge is None:
            return None
        entry = entry_of(call, answer.charge, answer.stream)
        if not answer.stream:
            for piece in answer.pieces:
                entry.count(piece.output, piece.reasoning)
        self.bill.open(entry)
        return entry

    def _bill_settled(self, answer: Answer) -> None:
        for call, charge, output, reasoning in answer.settled:
            entry = entry_of(call, charge, stream=False)
            entry.count(output, reasoning)
            entry.state = "completed"
            self.bill.open(entry)

    def _own(self, request: Request) -> Answer:
        """The endpoints no provider has: the bill, the requests as received, and a clean slate."""
        act = _OWN_ENDPOINTS.get((request.method, request.path))
        if act is None:
            return _document({"error": "no such endpoint", "endpoints": [" ".join(key) for key in _OWN_ENDPOINTS]}, 404)
        return act(self)

    def show_bill(self) -> Answer:
        return _document({"prices": MODELS, "totals": self.bill.totals(), "lines": self.bill.lines()})

    def show_requests(self) -> Answer:
        return _document(
            {"count": self.requests_count, "connections": self.connections_count, "requests": list(self.received)}
        )

    def reset(self) -> Answer:
        self.bill.reset()
        self.store.clear()
        self.received.clear()
        self.requests_count = 0
        return _document({"reset": True})


def _document(value: object, status: int = 200) -> Answer:
    return Answer(status, (Piece(msgspec.json.encode(value)),))


_OWN_ENDPOINTS: dict[tuple[str, str], Callable[[Sandbox], Answer]] = {
    ("GET", "/_sandbox/bill"): Sandbox.show_bill,
    ("GET", "/_sandbox/requests"): Sandbox.show_requests,
    ("POST", "/_sandbox/reset"): Sandbox.reset,
}

_BROKEN = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"


class Connection(asyncio.Protocol):
    """One client. Answers its requests in order, one at a time, as fast as it reads."""

    def __init__(self, sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
        self._sandbox = sandbox
        self._loop = loop
        self._reader = RequestReader()
        self._waiting: deque[Request] = deque()
        self._plan: Plan | None = None
        self._socket: SocketSession | None = None  # from a 101 on
        self._timer: asyncio.Handle | None = None
        self._paused = False
        self._over = False
        self._broken = ""  # why what came after the waiting requests is not HTTP
        self._answered_count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods, not the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._sandbox.connections_count += 1
        self._number = self._sandbox.connections_count
        self._sandbox.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._over or self._broken:
            return
        if self._socket:
            self._socket.receive(data)
            self._run()
            return
        try:
            self._waiting.extend(self._reader.feed(data))
        except BadRequest as error:
            self._broken = str(error)
        self._run()
        if len(self._waiting) > PIPELINED_MAX:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._run()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was still to be written stays unwritten and unbilled."""
        self._over = True
        if self._timer:
            self._timer.cancel()
        if self._plan and self._plan.entry and self._plan.entry.state == "open":
            self._plan.entry.state = "client_left"
        if self._socket:
            self._socket.lost()
        self._sandbox.connections.discard(self)

    def abort(self) -> None:
        self._transport.abort()

    def _run(self) -> None:
        """Send until there is nothing to send, or a wait, or a client that reads too slowly."""
        while not (self._paused or self._over or self._timer):
            frame = self._socket.next_frame() if self._socket else self._next_frame()
            if frame is None:
                return
            if frame.wait_ms is None:
                self._send(frame)
            else:
                self._timer = self._loop.call_later(frame.wait_ms / 1000, self._wake, frame)

    def _next_frame(self) -> Frame | None:
        if self._plan is None and not self._take_request():
            return None
        assert self._plan is not None
        return next(self._plan.frames)

    def _wake(self, frame: Frame) -> None:
        self._timer = None
        self._send(frame)
        self._run()

    def _take_request(self) -> bool:
        """Plan the next waiting request; False: there is none, or it is dropped and the connection with it."""
        if not self._waiting:
            if self._broken:
                self._refuse(self._broken)
            return False
        request = self._waiting.popleft()
        if len(self._waiting) == PIPELINED_MAX:
            self._transport.resume_reading()
        self._plan = self._sandbox.plan(request, self._number, reused=self._answered_count > 0)
        if self._plan is None:
            self._close()
            return False
        return True

    def _send(self, frame: Frame) -> None:
        self._transport.write(frame.data)
        if self._socket:
            self._socket.sent(frame)
            self._end(frame)
            return
        assert self._plan is not None
        entry = self._plan.entry
        if entry:
            entry.wire_bytes += len(frame.data)
            if entry.stream:
                entry.count(frame.output, frame.reasoning)
        if frame.end:
            self._finish(frame, entry)

    def _finish(self, frame: Frame, entry: Entry | None) -> None:
        if entry:
            entry.state = "completed" if frame.end in ("keep", "close") else "cut"
        assert self._plan is not None
        self._socket, self._plan = self._plan.socket, None
        self._answered_count += 1
        self._end(frame)

    def _end(self, frame: Frame) -> None:
        """The connection's end, where this frame is one."""
        if frame.end == "stall":
            self._over = True
        elif frame.end in ("close", "cut"):
            self._close()

    def _close(self) -> None:
        self._over = True
        self._transport.close()

    def _refuse(self, reason: str) -> None:
        self._transport.write(_BROKEN % (len(reason), reason.encode("ascii", "replace")))
        self._close()


async def serve(host: str = "127.0.0.1", port: int = 0, options: Options | None = None) -> Sandbox:
    """A listening Sandbox; port 0 takes a free one. `await sandbox.close()` ends it."""
    sandbox = Sandbox(options or Options())
    await sandbox.listen(host, port)
    return sandbox
