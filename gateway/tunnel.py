"""Stage 5 for WebSockets: the Tunnel, which takes over from an exchange once the provider has switched protocols.

Owns the copying both ways, its backpressure, and how a session ends. Bytes pass unchanged, in the turn they came; what
they mean is the tap's. A side is closed as RFC 6455 §7 has it: both have said so, or it is gone, or its time is up.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.contract.record import Outcome
from gateway.endpoints import Dialect
from gateway.examine_socket import judge_message
from gateway.faults import CODES, Refusal
from gateway.session_tap import Measured, SessionTap
from gateway.settings import Settings
from gateway.wire import websocket
from gateway.wire.upgrade import Agreed
from gateway.wire.websocket import FrameReader, Inflater, Message, Piece, WebSocketFault

# Client libraries wait this long for the other side to say goodbye (websockets: close_timeout, 10 s), and most
# answer in a round trip. While it lasts nothing is passed on any more.
CLOSING_MS = 5_000
# A message that is held until it is judged may take so many times its own size: a fragment's header has 6 to 14 bytes.
_HELD_MAX = 2
# How a session that may not go on is closed, by the code of the refusal.
_CLOSES: dict[str, int] = dict.fromkeys(
    ("budget_exceeded", "rate_limited", "unbounded_cost", "unpriced_model", "scope_values_exceeded", "kill_switch"),
    websocket.POLICY_VIOLATION,
)
# Codes with which a provider ends a session that went well: its work is done, or its own time limit was reached.
_ORDERLY = frozenset((websocket.NORMAL, websocket.GOING_AWAY, websocket.NO_CODE))


class End(Protocol):
    """One connection, as the tunnel needs it."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None:
        """Reads no more from it for now."""

    def resume(self) -> None: ...
    def finish(self) -> None:
        """Closes once what was written is sent; reports nothing more."""

    def abort(self) -> None:
        """Closes at once; reports nothing more."""


class Owner(Protocol):
    """Whose session it is: what its tunnel tells it, and notes in it."""

    dialect: Dialect
    deadline_ns: int
    outcome: Outcome
    refusal: Refusal | None
    flags: list[str]
    bytes_in: int
    bytes_out: int

    def measured(self, measured: Measured) -> None: ...
    def renamed(self, model: str) -> bool:
        """Whether the client may name another model; if not, the tunnel was stopped."""
        ...

    def tunnel_ended(self) -> None: ...


class _Side:
    """One side: its connection, and how far its goodbye has come."""

    __slots__ = ("connection", "heard", "masked", "reader", "told", "whole")

    def __init__(self, connection: End, reader: FrameReader, *, masked: bool) -> None:
        self.connection: End | None = connection
        self.reader = reader
        self.masked = masked  # what we send it ourselves must be
        self.told = False  # a close frame was sent to it: it is sent nothing more
        self.heard = False  # it has sent one
        self.whole = True  # what was passed to it so far ends with a whole frame

    def pass_on(self, data: bytes) -> bool:
        """Whether it was still there to be sent the data."""
        if self.connection is None or self.told:
            return False
        self.connection.write(data)
        return True

    def tell(self, code: int, reason: str = "") -> None:
        """Says goodbye to it, or hangs up where that would stand in the middle of a frame."""
        if self.connection is None or self.told:
            return
        self.told = True
        if not self.whole:
            self.hang_up()
            return
        self.connection.write(websocket.encode_close(code, reason, self._mask()))
        self.connection.resume()

    def hang_up(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()

    def settle(self) -> bool:
        """Closes it if all is said; whether it is closed."""
        if self.connection is not None and self.told and self.heard:
            connection, self.connection = self.connection, None
            connection.finish()
        return self.connection is None

    def _mask(self) -> bytes | None:
        return secrets.token_bytes(4) if self.masked else None


class Tunnel:
    """One session, from the provider's 101 to its end."""

    def __init__(
        self,
        owner: Owner,
        client: End,
        provider: End,
        tap: SessionTap,
        agreed: Agreed,
        *,
        settings: Settings,
        now_ns: Callable[[], int],
        reader: str,
        models: tuple[str, ...] | None,
        total_deadline_ns: int,
    ) -> None:
        """`now_ns` is monotonic. `models` are those the key is limited to: None passes messages unjudged."""
        self.tap = tap
        self._owner = owner
        self._now_ns = now_ns
        self._reader, self._models = reader, models
        self._unjudged = bytearray()  # of the client's message that is not complete
        self._total_deadline_ns = total_deadline_ns
        self._idle_ns = settings.websocket_idle_timeout_ms * 1_000_000
        self._closing = self._draining = self._over = False
        self._message_bytes_max = bytes_max = settings.event_bytes_max
        self._client = _Side(client, _frames(True, agreed, bytes_max), masked=False)
        self._provider = _Side(provider, _frames(False, agreed, bytes_max), masked=True)
        self._stir()

    # -- from the client's connection

    def client_data(self, data: bytes) -> None:
        self._owner.bytes_in += len(data)
        side = self._client
        if not side.heard:
            try:
                for piece in side.reader.feed(data):
                    self._take_sent(piece)
            except WebSocketFault as fault:
                side.heard = True  # nothing more that it says can be read
                self._fails("refused", "malformed_request", f"The client broke the WebSocket: {fault}")
                self._end(fault.code, str(fault), websocket.GOING_AWAY)
        self._after()

    def client_gone(self) -> None:
        side = self._client
        if side.connection is None:
            return
        side.connection = None
        if not side.heard and not self._closing:
            self._owner.outcome = "client_gone"
            self._owner.flags.append("client_disconnected")
        self._lost(self._provider, websocket.GOING_AWAY)

    def client_paused(self) -> None:
        if self._provider.connection is not None:
            self._provider.connection.pause()

    def client_resumed(self) -> None:
        if self._provider.connection is not None:
            self._provider.connection.resume()

    # -- from the provider's

    def provider_data(self, data: bytes) -> None:
        side = self._provider
        if not side.heard:
            try:
                for piece in side.reader.feed(data):
                    self._take_received(piece)
            except WebSocketFault as fault:
                side.heard = True
                self._fails("upstream_error", "upstream_broken", f"The provider broke the WebSocket: {fault}")
                self._end(websocket.INTERNAL_ERROR, "the provider broke the WebSocket", fault.code)
        self._after()

    def provider_gone(self) -> None:
        side = self._provider
        if side.connection is None:
            return
        side.connection = None
        if side.heard or self._client.heard:
            self._lost(self._client, websocket.NORMAL)
            return
        self._fails("upstream_error", "upstream_broken", "The provider hung up in the midst of the session")
        self._lost(self._client, websocket.INTERNAL_ERROR)

    def provider_paused(self) -> None:
        if self._client.connection is not None:
            self._client.connection.pause()

    def provider_resumed(self) -> None:
        if self._client.connection is not None:
            self._client.connection.resume()

    # -- from the sweeper and the server

    def expire(self) -> None:
        """Its deadline has passed: the whole session's, that of a silence, or that of a goodbye."""
        if self._closing:
            self._client.hang_up()
            self._provider.hang_up()
        else:
            idle = self._owner.deadline_ns < self._total_deadline_ns
            self._owner.outcome = "cancelled"
            self._owner.flags.append("session_idle" if idle else "session_limit")
            setting = "websocket_idle_timeout_ms" if idle else "total_timeout_ms"
            self._end(websocket.GOING_AWAY, f"{setting} of the gateway was reached", websocket.GOING_AWAY)
        self._after()

    def drain(self) -> None:
        """Ends the session as soon as no response is under way."""
        self._draining = True
        self._after()

    def stop(self, refusal: Refusal) -> None:
        """Ends it now; nobody is waited for."""
        if self._fails("cancelled", refusal.code, refusal.message) and refusal.code in _CLOSES:
            self._say(refusal)
        self._end(_CLOSES.get(refusal.code, websocket.GOING_AWAY), refusal.message, websocket.GOING_AWAY)
        for side in (self._client, self._provider):
            side.told = side.heard = True
        self._after()

    # -- the copy

    def _take_sent(self, piece: Piece) -> None:
        message, data = piece.message, piece.data
        if message is not None and message.opcode == websocket.CLOSE:
            self._unjudged.clear()  # of a message that will never be whole
            self._hear(self._client, self._provider, data)
            return
        control = message is not None and message.control  # names no model, and may stand between two fragments
        if self._models is not None and not control:
            if not self._admit(piece, self._models):
                return
            data = bytes(self._unjudged)
            self._unjudged.clear()
        model = self.tap.renames(message) if message is not None and not control else ""
        if model and not self._owner.renamed(model):
            return
        self._provider.pass_on(data)
        self._provider.whole = self._models is not None or self._client.reader.between_frames
        if message is not None and not control and not self._client.told:
            self.tap.sent(message, self._now_ns())

    def _admit(self, piece: Piece, models: tuple[str, ...]) -> bool:
        """Whether what has come of the client's message may be passed on: once it is whole and judged."""
        if self._client.told:
            return False
        self._unjudged += piece.data
        refusal = self._judge(piece.message, models)
        if refusal is not None:
            self._refuse(refusal)
            return False
        return self._client.reader.between_messages

    def _judge(self, message: Message | None, models: tuple[str, ...]) -> Refusal | None:
        too_large = self._client.reader.oversize or len(self._unjudged) > _HELD_MAX * self._message_bytes_max
        if too_large or (message is not None and message.payload is None):
            return Refusal(
                "body_too_large", "A message is too large to be read for its model, and this key may not use all"
            )
        if message is None or message.payload is None:
            return None
        return judge_message(self._reader, models, message.payload)

    def _take_received(self, piece: Piece) -> None:
        message = piece.message
        if message is not None and message.opcode == websocket.CLOSE:
            if not self._closing and websocket.read_close(message.payload or b"") not in _ORDERLY:
                self._owner.outcome = "upstream_error"
            self._hear(self._provider, self._client, piece.data)
            return
        if self._client.pass_on(piece.data):
            self._owner.bytes_out += len(piece.data)
            self._client.whole = self._provider.reader.between_frames
        if message is not None and not message.control:
            measured = self.tap.received(message, self._now_ns())
            if measured is not None:
                self._owner.measured(measured)

    # -- endings

    def _hear(self, side: _Side, other: _Side, data: bytes) -> None:
        """A close frame came: it is passed on, or answered where nobody is left to do so."""
        side.heard = True
        if other.pass_on(data):
            other.told = True
            if other is self._client:
                self._owner.bytes_out += len(data)
        elif other.connection is None:
            side.tell(websocket.NORMAL)
        self._begin_closing()

    def _lost(self, other: _Side, code: int) -> None:
        """One side is gone: the other is told, and has a moment to say goodbye."""
        self._begin_closing()
        other.tell(code)
        if other.connection is not None:
            other.connection.resume()
        self._after()

    def _refuse(self, refusal: Refusal) -> None:
        """Ends a session whose client asks for what its key may not have."""
        self._unjudged.clear()
        if self._fails("refused", refusal.code, refusal.message):
            self._say(refusal)
            code = websocket.TOO_LARGE if refusal.code == "body_too_large" else websocket.POLICY_VIOLATION
            self._end(code, refusal.message, websocket.GOING_AWAY)

    def _say(self, refusal: Refusal) -> None:
        """The provider's own error event, where its API has one and the client is between two messages."""
        if self._owner.dialect in ("openai", "azure") and self._provider.reader.between_messages:
            self._client.pass_on(websocket.encode_text(_error_event(refusal)))

    def _fails(self, outcome: Outcome, code: str, message: str) -> bool:
        """Notes why the session ends, unless it is ending for another reason already; whether it did."""
        if self._closing:
            return False
        self._owner.outcome = outcome
        self._owner.refusal = Refusal(code, message)
        return True

    def _end(self, client_code: int, reason: str, provider_code: int) -> None:
        self._client.tell(client_code, reason)
        self._provider.tell(provider_code)
        self._begin_closing()

    def _begin_closing(self) -> None:
        if not self._closing:
            self._closing = True
            self._owner.deadline_ns = self._now_ns() + CLOSING_MS * 1_000_000

    def _after(self) -> None:
        """Whatever has happened: looks whether the session is over, or may be ended now."""
        if self._draining and not self._closing and self._quiet:
            self._fails("cancelled", "shutting_down", "This gateway is shutting down: connect again")
            self._end(websocket.GOING_AWAY, "this gateway is shutting down", websocket.GOING_AWAY)
        if not self._closing:
            self._stir()
        elif self._client.settle() & self._provider.settle() and not self._over:
            self._over = True
            self._owner.tunnel_ended()

    @property
    def _quiet(self) -> bool:
        between = self._client.reader.between_messages and self._provider.reader.between_messages
        return between and not self.tap.open

    def _stir(self) -> None:
        self._owner.deadline_ns = min(self._total_deadline_ns, self._now_ns() + self._idle_ns)


def _frames(from_client: bool, agreed: Agreed, bytes_max: int) -> FrameReader:
    keeps = agreed.client_keeps_context if from_client else agreed.server_keeps_context
    inflater = Inflater(keeps_context=keeps, bytes_max=bytes_max) if agreed.deflate else None
    return FrameReader(masked=from_client, message_bytes_max=bytes_max, inflater=inflater)


def _error_event(refusal: Refusal) -> bytes:
    """What OpenAI's sockets send before they close: types/realtime/realtime_error_event.py of openai-python."""
    kind = CODES[refusal.code].openai
    error = {"type": kind, "code": refusal.code, "message": refusal.message, "param": None, "event_id": None}
    return msgspec.json.encode({"type": "error", "event_id": "event_lensai", "error": error})
