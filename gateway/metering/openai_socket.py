"""Owns the reading of Responses over a WebSocket: many responses after one another, each in the events of its stream.

Events are those of server-sent ones (openai 3.54.0, types/responses/responses_server_event.py); the last of each
response holds its usage.
"""

import msgspec

from gateway.metering import openai_responses
from gateway.metering.counts import text_or_none
from gateway.metering.openai_events import OpenAnswers, may_be
from gateway.metering.reading import About, Reading
from gateway.wire import jsontext

_CREATED = "response.created"
_ENDED = ("response.completed", "response.incomplete", "response.failed")
_REFUSED = "error"
_RECEIVED = frozenset(name.encode() for name in (_CREATED, *_ENDED, _REFUSED))
_SENT = frozenset((b"response.create",))


class _Message(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    model: object = None


_NOTHING = _Message()
_messages = msgspec.json.Decoder(_Message)


class ResponsesSession:
    """One socket."""

    def __init__(self, about: About) -> None:
        self._provider = about.provider
        self._model: str | None = None  # as last asked for
        self._answers = OpenAnswers()

    @property
    def open(self) -> int:
        return len(self._answers)

    def sent(self, payload: bytes) -> None:
        message = _decoded(payload, _SENT)
        if message.type == "response.create":
            self._model = text_or_none(message.model) or self._model
            self._answers.ask()

    def received(self, payload: bytes) -> Reading | None:
        kind = _decoded(payload, _RECEIVED).type
        if kind == _REFUSED:
            self._answers.refuse()
        if kind != _CREATED and kind not in _ENDED:
            return None
        try:
            reading = openai_responses.read(payload, self._provider)
        except (jsontext.NotJson, msgspec.ValidationError):
            return None
        if kind == _CREATED:
            self._answers.begin(reading.response_id or "", reading)
            return None
        self._answers.end(reading.response_id or "")
        return reading

    def pending(self) -> tuple[Reading, ...]:
        return self._answers.pending(self._model)


def _decoded(payload: bytes, types: frozenset[bytes]) -> _Message:
    """The message; an empty one if it is of no such type, or cannot be read."""
    if not may_be(payload, types):
        return _NOTHING
    try:
        return jsontext.decode(_messages, payload)
    except (jsontext.NotJson, msgspec.ValidationError):
        return _NOTHING
