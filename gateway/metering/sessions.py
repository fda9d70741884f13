"""Owns what a WebSocket session is to the gateway, and the table of which meter reads which socket.

A session has many answers, and each gets a record of its own. Knows no framing: messages come whole.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.metering import openai_responses
from gateway.metering.counts import text_or_none
from gateway.metering.reading import About, Reading
from gateway.wire import jsontext


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


class _Response(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    model: object = None


class _Message(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    response: _Response | None = None
    session: _Response | None = None


_messages = msgspec.json.Decoder(_Message)
_ENDS = frozenset(("response.done", "response.completed", "response.incomplete", "response.failed"))


class ResponsesSession:
    """Responses one by one, as OpenAI's two sockets state them."""

    def __init__(self, about: About) -> None:
        self._provider = about.provider
        self._model: str | None = None
        self._begun: set[str | None] = set()

    @property
    def open(self) -> int:
        return len(self._begun)

    def sent(self, payload: bytes) -> None:
        pass

    def received(self, payload: bytes) -> Reading | None:
        try:
            message = jsontext.decode(_messages, payload)
            kind, response = text_or_none(message.type), message.response or _Response()
            if message.session is not None:
                self._model = text_or_none(message.session.model)
            elif kind == "response.created":
                self._begun.add(text_or_none(response.id))
            elif kind in _ENDS:
                self._begun.discard(text_or_none(response.id))
                reading = openai_responses.read(payload, self._provider)
                return msgspec.structs.replace(reading, model=reading.model or self._model)
        except (jsontext.NotJson, msgspec.ValidationError):
            pass
        return None


class UnreadSession:
    """A socket whose usage nothing here can read: never known to have cost nothing."""

    open = 1

    def __init__(self, about: About) -> None:
        pass

    def sent(self, payload: bytes) -> None:
        pass

    def received(self, payload: bytes) -> Reading | None:
        return None


# By the `reader` of an endpoint in gateway/endpoints.py.
SESSIONS: dict[str, Callable[[About], Session]] = {
    "openai.realtime": ResponsesSession,
    "openai.responses_socket": ResponsesSession,
    "gemini.live": UnreadSession,
}


def session(reader: str, about: About) -> Session:
    """The meter of one socket from its first message on."""
    return SESSIONS[reader](about)
