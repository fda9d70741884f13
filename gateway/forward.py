"""Stage 5: copy. Owns the Exchange: one request in flight, its client, its provider and the meter between.

Bytes go to the client first, in the turn they arrived, then to the meter; of a stream's event, when its end has come.
What they mean is the meter's; what they cost is a later stage's. A client that leaves does not stop the meter.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol

import msgspec

from gateway.contract.record import Outcome, Record
from gateway.endpoints import Dialect
from gateway.enforce import Admission, Waiting
from gateway.examine import Call
from gateway.faults import NUMBERED, Refusal, render_answer, render_stream_error
from gateway.identify import Caller
from gateway.metering.flowing import Flow
from gateway.metering.reading import About
from gateway.metering.sessions import session
from gateway.request import Request
from gateway.route import Plan, Route
from gateway.session_tap import Measured, SessionTap
from gateway.settings import Settings
from gateway.tap import Tap
from gateway.tunnel import Tunnel
from gateway.upstream import UpstreamConnection
from gateway.wire import upgrade
from gateway.wire.encoding import DecodeFault, is_plain
from gateway.wire.headers import REQUEST_ID_HEADERS, response_head, without_secret
from gateway.wire.http1 import HEAD_END, LAST_CHUNK, Framing, ResponseHead
from gateway.wire.whole import Whole, WholeElements, WholeEvents, WholeFrames, WholeLines
from pricing.catalog import Catalog

# Streams by their content-type: beside server-sent events, Ollama's and Cohere's lines of JSON, Bedrock's frames.
_STREAMS: dict[bytes, Callable[[], Whole]] = {
    b"text/event-stream": WholeEvents,
    b"application/x-ndjson": WholeLines,
    b"application/stream+json": WholeLines,
    b"application/vnd.amazon.eventstream": WholeFrames,
}
_JSON = b"application/json"
# A request id is some 36 characters; what is longer is none, and is stored with every event.
UPSTREAM_REQUEST_ID_CHARS_MAX = 128
# openai-python hangs up when it has seen this, while the provider's last chunk is still on its way.
_STREAM_ENDS = (b"[DONE]\n\n", b"[DONE]\r\n\r\n")
_TAIL_BYTES = 10
# Where an event of the Responses API says which one it is. Inside a string the quotes have backslashes before them.
_NUMBER_NAME = b'"sequence_number"'
_NUMBER = re.compile(_NUMBER_NAME + rb"\s*:\s*(\d{1,18})")
_NUMBER_BYTES_MAX = 48
# While a client is slow the provider is not read, and goes on writing into buffers of megabytes: as much as it may.
_UNSEEN_TOKENS = 1 << 62


class Client(Protocol):
    """The client's connection, as the exchange needs it."""

    keep_alive: bool
    paused: bool  # more than enough waits to be taken, perhaps since the answer before

    def write(self, data: bytes) -> None: ...
    def answered(self, *, close: bool) -> None:
        """The answer is complete: the next request may be read, or the connection closed."""

    def abort(self) -> None:
        """Closes without completing the answer, which the client must be able to notice."""

    def switch(self, tunnel: Tunnel) -> None:
        """The answer was 101: the tunnel takes over."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def finish(self) -> None: ...


class Owner(Protocol):
    """Whom an exchange reports its end to, and asks for the time."""

    settings: Settings

    def monotonic_ns(self) -> int: ...
    def measured(self, exchange: "Exchange", measured: Measured) -> None:
        """One response of its session is complete."""

    def renamed(self, exchange: "Exchange", model: str) -> bool:
        """Its session's client is about to name another model: whether it may; if not, the session was ended."""
        ...

    def flowed(self, exchange: "Exchange", tokens_max: int) -> None:
        """A stream that pays as it goes has brought so much; it may be stopped for that."""

    def ended(self, exchange: "Exchange") -> None: ...


class Exchange:
    """One request from its head to its record. What stands in the class is so until something is known."""

    dialect: Dialect = "openai"
    # Filled by the stages as they are passed.
    caller: Caller | None = None
    route: Route | None = None
    plan: Plan | None = None
    call: Call | None = None
    intent: Record | None = None
    refusal: Refusal | None = None
    admitted = False
    waits = False  # for what its quotas hold elsewhere
    # None: no quota touches it. A session has that of the response to come, also while nothing is held of it (yet).
    admission: Admission | None = None
    waiting: Waiting | None = None  # the hold for a session's next response, for what lies elsewhere
    catalog: Catalog | None = None  # the prices it was admitted at
    counters: dict[str, int] | None = None  # what they were charged
    ledger_seq = 0
    begun = b""  # what the call was charged that began the work which this one tells of, encoded
    # As an upstream's Receiver.
    payload = b""
    wanted = True
    dispatches = 0
    # What is known at the end.
    outcome: Outcome = "ok"
    status = 0
    upstream_status = 0
    upstream_request_id = ""
    served_by = ""
    ttft_ns: int | None = None
    responses = 0  # of its session, recorded
    bytes_in = 0  # beside the request's body
    bytes_out = 0
    deadline_ns = 0
    complete = False  # the provider's answer ended as its framing said
    tap: Tap | None = None  # None: nothing of the answer is metered
    tunnel: Tunnel | None = None  # of a session, in its place from the provider's 101 on
    _connection: UpstreamConnection | None = None
    _head = b""
    _chunked = _close = False
    _open_ended = False  # no length was announced, so that more may be written than the provider did
    _whole: Whole | None = None  # None: no stream, or one that we cannot read where the client is given it
    _events = _numbered = False
    _tail = _number = b""  # the last bytes of what the client has; where its last event says its number
    _drain_left: int | None = None

    def __init__(self, request: Request, client: Client, owner: Owner, id: str) -> None:
        self.id = id
        self.request = request
        self.client: Client | None = client
        self.owner = owner
        self.websocket = request.websocket
        self.flags: list[str] = []
        self._pieces: list[bytes] = []

    def follow(self, plan: Plan) -> None:
        """Takes what its head decided."""
        self.plan = plan
        self.dialect, self.caller, self.route = plan.dialect, plan.caller, plan.route

    # -- from the pool and the provider's connection

    def dispatched(self, connection: UpstreamConnection) -> None:
        """Its request is being written: from here on it may cost something."""
        self._connection = connection
        self.dispatches += 1
        if self.dispatches > 1:
            self.flags.append("retried_stale_connection")
        if self.client is not None and self.client.paused:
            connection.pause()

    def undone(self) -> bool:
        """Its connection was closed before it was sent there: whether anybody is left to send it again for."""
        self._connection = None
        return self.client is not None

    def response_head(self, status: int, head: ResponseHead, framing: Framing, *, has_body: bool) -> None:
        """The provider's head is complete; it is written with the first bytes of the body, or alone."""
        route, request, client = self.route, self.request, self.client
        assert route is not None, "dispatched without a route"
        endpoint = route.endpoint
        self.upstream_status = status
        head = _without_secrets(head, route)
        if self._drain_left is None:
            self.deadline_ns = request.started_ns + self._total_timeout_ms() * 1_000_000
        values = head.values
        kind = values.get(b"content-type", b"")
        whole = _kind(kind, endpoint.reader == "gemini.generate" and endpoint.streams)
        encoding = values.get(b"content-encoding", b"")
        encoded = not is_plain(encoding)
        self.upstream_request_id = _request_id(values)
        if b"x-ms-deployment-name" in values:
            self.served_by = values[b"x-ms-deployment-name"].decode("latin-1")
        if b"x-ms-spillover-from-deployment" in values:
            self.flags.append("spillover")
        if endpoint.flag:
            self.flags.append(endpoint.flag)
        tap = None
        if endpoint.reader and status < 300 and not self.websocket:
            assert self.call is not None, "dispatched without a call"
            # Some servers give a stream that was asked for no type, or that of any text.
            unnamed = self.call.stream and not kind.lower().startswith(_JSON)
            streams = whole is not None or endpoint.streams is True or unnamed
            tap = self.tap = self._tapped(route, head, streams, encoding if encoded else b"")
        strips = tap is not None and tap.strips
        decodes = strips and encoded
        if whole is not None and (decodes or not encoded):
            self._whole, self._events = whole(), whole is WholeEvents
            self._numbered = self._events and endpoint.name in NUMBERED
        keeps_length = framing.length is not None and not strips
        anew = self._open_ended = has_body and not keeps_length
        self._chunked = anew and not request.http10
        self._close = (anew and request.http10) or client is None or not client.keep_alive
        ours = b"x-lensai-request-id: %b\r\n" % self.id.encode()
        if self._chunked:
            ours += b"transfer-encoding: chunked\r\n"
        if self._close:
            ours += b"connection: close\r\n"
        self._head = response_head(
            b"HTTP/1.1 %d %b\r\n" % (status, head.first[3] or b""),
            head,
            content_length=keeps_length if has_body else status == 304,  # RFC 9110 §8.6: a 204 has none
            decoded=decodes,
            ours=ours,
        )

    def switched(self, connection: UpstreamConnection, head: ResponseHead) -> None:
        """Tells the client, and makes way for a tunnel. Raises HttpFault where the 101 is not what was asked for."""
        client, route, call, caller = self.client, self.route, self.call, self.caller
        assert route is not None, "dispatched without a route"
        assert call is not None, "dispatched without a call"
        assert caller is not None, "dispatched without a caller"
        assert client is not None, "a client that left before the 101 has ended its exchange"
        head = _without_secrets(head, route)
        offered = upgrade.offered_protocols(self.request.head, with_keys=caller.by_path)
        agreed = upgrade.check_answer(self.request.head, head, offered)
        self._connection = None
        self.status = self.upstream_status = 101
        self.flags.append("websocket")
        meter = session(route.endpoint.reader, About(route.destination.provider.name, head.values))
        self.tunnel = Tunnel(
            self,
            client,
            connection,
            SessionTap(meter, route.endpoint.reader, call.model, self.flags),
            agreed,
            settings=self.owner.settings,
            now_ns=self.owner.monotonic_ns,
            reader=route.endpoint.reader,
            models=caller.key.models,
            total_deadline_ns=self.request.started_ns + self._total_timeout_ms() * 1_000_000,
        )
        connection.hand_over(self.tunnel)
        client.write(self._switching_head(head))
        if client.paused:
            connection.pause()
        client.switch(self.tunnel)

    def _switching_head(self, head: ResponseHead) -> bytes:
        self.upstream_request_id = _request_id(head.values)
        ours = b"x-lensai-request-id: %b\r\n" % self.id.encode()
        return response_head(
            b"HTTP/1.1 101 %b\r\n" % (head.first[3] or b""),
            head,
            content_length=False,
            decoded=False,
            ours=b"".join(b"%b: %b\r\n" % line for line in upgrade.LINES) + ours,
        )

    def response_data(self, data: bytes) -> None:
        self._pieces.append(data)

    def response_end(self) -> None:
        self.complete = True

    def turn(self) -> None:
        """Writes what this turn of the event loop brought, then meters it."""
        if not self.wanted:
            return
        if self.complete:
            # Back in its pool, or in use for somebody else: it may not be paused or closed from here any more.
            self._connection = None
        pieces = self._pieces
        data = b""
        if pieces:
            data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._pieces = []
            if self.ttft_ns is None:
                self.ttft_ns = self.owner.monotonic_ns() - self.request.started_ns
        received_bytes = len(data)
        tap = self.tap
        if tap is not None and tap.strips:
            try:
                data = tap.strip(data, complete=self.complete)
            except DecodeFault:
                self._give_up()
                return
            self._write(data)
        else:
            self._write(data)
            if tap is not None and data:
                tap.take(data)
        if self.complete:
            if self.upstream_status >= 400 and self.outcome == "ok":
                self.outcome = "upstream_error"
            self._end(close=self._close)
        elif self._drain_left is not None:
            self._drain_left -= received_bytes
            if self._drain_left < 0:
                self.flags.append("drain_limit")
                self._cut()
                return
        if self.wanted and tap is not None and tap.flow is not None:
            unread = self.client is not None and self.client.paused
            self.owner.flowed(self, _UNSEEN_TOKENS if unread else tap.flow.tokens_max)

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self.failed("upstream_broken", "The provider's answer is not what its content-encoding says")

    def failed(self, code: str, message: str) -> None:
        """The provider could not be reached, or its answer will not be completed."""
        self._connection = None
        if not self.wanted:
            return
        self.outcome = "upstream_error"
        self.stop(Refusal(code, message))

    # -- from the client's connection

    def client_gone(self) -> None:
        """The client closed. What was dispatched is metered to its end, unless the key's policy is to cancel."""
        if not self.wanted:
            return
        self.client = None
        satisfied = self._tail.endswith(_STREAM_ENDS)
        if not satisfied:
            self.outcome = "client_gone"
            self.flags.append("client_disconnected")
        if self._connection is None:
            self._end(close=True)
        elif self.websocket:  # nothing was asked yet
            self._cut()
        elif not satisfied and self.caller is not None and self.caller.key.on_disconnect == "cancel":
            self.outcome = "cancelled"
            self._cut()
        else:
            if not satisfied:
                self.flags.append("drained")
            self._drain_left = self.owner.settings.drain_bytes_max
            self.deadline_ns = self.owner.monotonic_ns() + self.owner.settings.drain_timeout_ms * 1_000_000
            self._connection.resume()

    def client_paused(self) -> None:
        if self._connection is not None:
            self._connection.pause()

    def client_resumed(self) -> None:
        if self._connection is not None:
            self._connection.resume()

    # -- from the pipeline and the sweeper

    def refuse(self, refusal: Refusal) -> None:
        """Ends a call that was never dispatched."""
        self.outcome = "gateway_error" if refusal.code == "gateway_error" else "refused"
        self.stop(refusal)

    def stop(self, refusal: Refusal) -> None:
        """Ends the exchange now: as an error answer, as an error event, or by closing, as far as it has come."""
        if self.tunnel is not None:
            self.tunnel.stop(refusal)
            return
        self.refusal = refusal
        client, self._pieces = self.client, []
        close = True
        if client is not None:
            if self.status == 0:
                close = self._write_error(refusal)
            elif self._open_ended and self._whole is not None and self._whole.may_be_followed:
                end = self._ended_by(refusal, self._whole)
                client.write(b"%x\r\n%b\r\n" % (len(end), end) + LAST_CHUNK if self._chunked else end)
                close = self._close  # a whole answer: the connection may bear the next
            else:
                client.abort()
                self.client = None
        self.hang_up()
        self._end(close=close)

    def hang_up(self) -> None:
        """Closes the provider's connection, unless its answer is complete."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ended_by(self, refusal: Refusal, whole: Whole) -> bytes:
        """What ends a stream early, behind the last whole event that the client has."""
        assert self.route is not None
        last = _NUMBER.match(self._number)
        number = int(last[1]) + 1 if last else 0
        name = self.route.endpoint.name
        error = render_stream_error(refusal, self.dialect, name, self.id, bare=whole.bare, number=number)
        return whole.ended_by(error)

    def expire(self) -> None:
        """Its deadline has passed."""
        if self.tunnel is not None:
            self.tunnel.expire()
        elif self._drain_left is not None:
            self.flags.append("drain_limit")
            self._cut()
        else:
            self.outcome = "upstream_error"
            what = "complete its answer" if self.upstream_status else "begin its answer"
            self.stop(Refusal("upstream_timeout", f"The provider did not {what} in time"))

    # -- from its tunnel

    def measured(self, measured: Measured) -> None:
        self.owner.measured(self, measured)

    def renamed(self, model: str) -> bool:
        return self.owner.renamed(self, model)

    def tunnel_ended(self) -> None:
        if self.intent is not None and self.tunnel is not None:
            named = self.tunnel.tap.model
            self.intent = msgspec.structs.replace(self.intent, model_requested=named, model=named)
        self.client = None
        self._end(close=True)

    # -- the copy itself

    def _write(self, data: bytes) -> None:
        client = self.client
        if client is None:
            return
        whole = self._whole
        if whole is not None:
            data = whole.feed(data) if data else data
            if self.complete:
                data += whole.flush()
            if self._events and data:
                # How the stream ends so far: behind its last event, which leaves in one piece, or before it.
                self._tail = data[-_TAIL_BYTES:]
                if self._numbered and (at := data.rfind(_NUMBER_NAME)) >= 0:
                    self._number = data[at : at + _NUMBER_BYTES_MAX]
        self.bytes_out += len(data)
        head = self._head
        if head:
            self._head = b""
            self.status = self.upstream_status
        if self._chunked:
            end = LAST_CHUNK if self.complete else b""
            data = b"%b%x\r\n%b\r\n%b" % (head, len(data), data, end) if data else head + end
        elif head:
            data = head + data
        if data:
            client.write(data)

    def _tapped(self, route: Route, head: ResponseHead, streams: bool, encoding: bytes) -> Tap:
        assert self.call is not None, "dispatched without a call"
        pays = self.admission is not None and self.admission.pays_as_it_goes
        return Tap(
            route.endpoint.reader,
            About(route.destination.provider.name, head.values, self.call.text),
            self.owner.settings,
            streams=streams,
            encoding=encoding,
            strip=self.call.spliced,
            flow=Flow(route.endpoint.reader) if pays else None,
            flags=self.flags,
        )

    # -- endings

    def _write_error(self, refusal: Refusal) -> bool:
        """Writes a whole error answer; True when the connection must be closed after it."""
        assert self.client is not None
        self.status = refusal.status
        close = not self._client_stays()
        answer = render_answer(refusal, self.dialect, self.id, close=close)
        head_bytes = answer.index(HEAD_END) + len(HEAD_END)
        if self.request.method == "HEAD":
            answer = answer[:head_bytes]
        self.bytes_out += len(answer) - head_bytes
        self.client.write(answer)
        return close

    def _client_stays(self) -> bool:
        return self.client is not None and self.client.keep_alive

    def _cut(self) -> None:
        """Gives up on the provider's answer: nobody is left to take it."""
        self.hang_up()
        self._end(close=True)

    def _end(self, *, close: bool) -> None:
        self.wanted = False
        client, self.client = self.client, None
        self.owner.ended(self)
        if client is not None:
            client.answered(close=close)

    def _total_timeout_ms(self) -> int:
        assert self.route is not None
        return self.route.destination.upstream.total_timeout_ms or self.owner.settings.total_timeout_ms


@lru_cache(maxsize=64)
def _kind(content_type: bytes, has_elements: bool | None) -> Callable[[], Whole] | None:
    """What keeps an answer of that type whole, if it is a stream; `has_elements`: one in JSON is an array."""
    kind = content_type.lower()
    if has_elements and kind.startswith(_JSON):
        return WholeElements
    return next((whole for name, whole in _STREAMS.items() if kind.startswith(name)), None)


def _request_id(values: Mapping[bytes, bytes]) -> str:
    """Whatever the provider knows its answer by; empty if it does not say."""
    for name in REQUEST_ID_HEADERS:
        if name in values:
            return values[name].decode("latin-1")[:UPSTREAM_REQUEST_ID_CHARS_MAX]
    return ""


def _without_secrets(head: ResponseHead, route: Route) -> ResponseHead:
    """The head less any line in which the provider, or something before it, repeats a secret of ours."""
    for secret in route.secrets:
        if secret in head.first.string:
            head = without_secret(head, secret)
    return head
