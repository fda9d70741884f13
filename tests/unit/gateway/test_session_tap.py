"""What a session's copy tells: usage response by response, when each began, and what was missed."""

from typing import Any

from gateway.metering.reading import Reading
from gateway.session_tap import SessionTap
from gateway.wire.websocket import TEXT, Message


class Meter:
    """Begins a response at `begin` and ends one at `end`; breaks at `break`."""

    def __init__(self) -> None:
        self.open = 0

    def sent(self, payload: bytes) -> None:
        self._hear(payload)

    def received(self, payload: bytes) -> Reading | None:
        return self._hear(payload)

    def _hear(self, payload: bytes) -> Reading | None:
        if payload == b"break":
            raise ValueError
        self.open += {b"begin": 1, b"end": -1}.get(payload, 0)
        return Reading(response_id="r") if payload in (b"end", b"beside") else None


def tap(reader: str = "openai.realtime") -> tuple[SessionTap, list[str]]:
    flags: list[str] = []
    return SessionTap(Meter(), reader, "first", flags), flags


def message(payload: bytes | None) -> Any:
    return Message(TEXT, payload)


def test_a_response_is_measured_from_when_it_began():
    tapped, flags = tap()
    tapped.sent(message(b"begin"), 10)
    assert tapped.received(message(b"begin"), 20) is None
    assert tapped.open == 2
    assert tapped.unfinished
    ends = [tapped.received(message(b"end"), now_ns) for now_ns in (30, 40)]
    assert [(one.model, one.began_ns) for one in ends if one] == [("first", 10), ("first", 20)]
    assert not tapped.unfinished
    assert flags == []


def test_what_ends_no_response_begins_when_it_is_told():
    tapped, _ = tap()
    tapped.sent(message(b"begin"), 10)
    beside = tapped.received(message(b"beside"), 20)
    assert beside is not None
    assert beside.began_ns == 20
    end = tapped.received(message(b"end"), 30)
    assert end is not None
    assert end.began_ns == 10


def test_the_model_is_the_one_named_last():
    tapped, _ = tap("openai.responses_socket")
    tapped.sent(message(b'{"type":"response.create","model":"second"}'), 1)
    tapped.sent(message(b'{"type":"response.create","model":'), 2)
    tapped.sent(message(b'{"type":"response.cancel"}'), 3)
    assert tapped.model == "second"


def test_what_the_provider_said_unread_may_have_been_a_usage():
    tapped, flags = tap()
    tapped.sent(message(None), 1)
    assert not tapped.unfinished
    assert tapped.received(message(None), 2) is None
    assert tapped.unfinished
    assert flags == ["message_unreadable"]


def test_a_meter_that_breaks_costs_a_number_and_no_session():
    tapped, flags = tap()
    tapped.sent(message(b"break"), 1)
    assert tapped.received(message(b"break"), 2) is None
    assert tapped.unfinished
    tapped.received(message(b"begin"), 3)
    assert tapped.received(message(b"end"), 4) is not None
    assert flags == ["meter_error"]
