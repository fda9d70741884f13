"""Owns what a WebSocket session is to the gateway, and the table of which meter reads which socket.

A session has many answers, and each gets a record of its own. Knows no framing: messages come whole.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from gateway.metering import gemini_live, openai_realtime, openai_socket
from gateway.metering.framing import METER_ERROR
from gateway.metering.reading import About, Reading


class Session(Protocol):
    """What passes over one socket, in both directions. Nothing here raises for what either side sent."""

    def sent(self, payload: bytes) -> None:
        """One message of the client."""
        ...

    def received(self, payload: bytes) -> Reading | None:
        """One message of the provider: a Reading if an answer ended on it, with no lines if it stated no usage."""
        ...

    @property
    def open(self) -> int:
        """How many answers have been asked for or begun, and have not ended."""
        ...

    def pending(self) -> tuple[Reading, ...]:
        """One Reading for each of them, to be told when the socket has closed: what it cost is not known."""
        ...


# By the `reader` of an endpoint in gateway/endpoints.py.
SESSIONS: dict[str, Callable[[About], Session]] = {
    "openai.realtime": openai_realtime.RealtimeSession,
    "openai.responses_socket": openai_socket.ResponsesSession,
    "gemini.live": gemini_live.LiveSession,
}


def session(reader: str, about: About) -> Session:
    """The meter of one socket from its first message on."""
    return _Guarded(SESSIONS[reader](about))


class _Guarded:
    """A defect of ours must cost a number, never a socket."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def sent(self, payload: bytes) -> None:
        with suppress(Exception):
            self._session.sent(payload)

    def received(self, payload: bytes) -> Reading | None:
        try:
            return self._session.received(payload)
        except Exception:
            return Reading(flags=(METER_ERROR,))

    @property
    def open(self) -> int:
        return self._session.open

    def pending(self) -> tuple[Reading, ...]:
        try:
            return self._session.pending()
        except Exception:
            return (Reading(flags=(METER_ERROR,)),)
