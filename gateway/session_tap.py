"""Owns the SessionTap: the copy of one session's messages on its way to the meter, and when each response began.

What goes wrong here costs a number and is named in `flags`, never the session.
"""

import contextlib
from typing import NamedTuple

from gateway.examine_socket import named_models
from gateway.metering.reading import Reading
from gateway.metering.sessions import Session
from gateway.wire.jsontext import NotJson
from gateway.wire.websocket import Message

# Responses under way at once whose beginning is remembered: OpenAI's sessions have one, and a few out of band.
_BEGUN_MAX = 64


class Measured(NamedTuple):
    """One response's usage, and the call it was within the session."""

    reading: Reading
    model: str  # as the client named it last, "" if it did not
    began_ns: int  # monotonic


class SessionTap:
    """Meters one session, whose messages it is shown in the order they passed."""

    def __init__(self, session: Session, reader: str, model: str, flags: list[str]) -> None:
        """`model` is what the handshake named; what goes wrong is added to `flags`."""
        self.model = model
        self._session = session
        self._reader = reader
        self._flags = flags
        self._begun_ns: list[int] = []
        self._missed = False  # something the provider said was not read, and may have been a usage

    @property
    def open(self) -> int:
        """Responses begun and not ended."""
        return self._session.open

    @property
    def unfinished(self) -> bool:
        """Whether something may have been consumed that nothing told of."""
        return self._missed or self._session.open > 0

    def renames(self, message: Message) -> str:
        """The model that a client's message names in the place of the one before; "" if it names no other."""
        try:
            named = named_models(self._reader, message.payload or b"").model
        except NotJson:  # which is the provider's to judge
            return ""
        return "" if named == self.model else named

    def sent(self, message: Message, now_ns: int) -> None:
        """The client has sent this."""
        if message.payload is None:
            self._flag("message_unreadable")
            return
        with contextlib.suppress(NotJson):  # which is the provider's to judge
            self.model = named_models(self._reader, message.payload).model or self.model
        before = self._session.open
        try:
            self._session.sent(message.payload)
        except Exception:
            self._flag("meter_error")
        self._note(before, now_ns)

    def received(self, message: Message, now_ns: int) -> Measured | None:
        """The provider has sent this: a response's usage, if it states one."""
        if message.payload is None:
            self._miss("message_unreadable")
            return None
        before, reading = self._session.open, None
        try:
            reading = self._session.received(message.payload)
        except Exception:
            self._miss("meter_error")
        began_ns = self._note(before, now_ns)
        return None if reading is None else Measured(reading, self.model, began_ns)

    def _note(self, before: int, now_ns: int) -> int:
        """Keeps when responses began; when the one began that has ended now, or now if none has."""
        change = self._session.open - before
        if change > 0:
            self._begun_ns = [*self._begun_ns, *[now_ns] * change][-_BEGUN_MAX:]
        elif change < 0 and self._begun_ns:
            return self._begun_ns.pop(0)
        return now_ns

    def _miss(self, flag: str) -> None:
        self._missed = True
        self._flag(flag)

    def _flag(self, flag: str) -> None:
        if flag not in self._flags:
            self._flags.append(flag)
