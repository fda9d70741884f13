"""Every socket has a meter, which costs a number at worst and never the socket."""

import pytest

from gateway.endpoints import APIS, WEBSOCKET
from gateway.metering.framing import METER_ERROR
from gateway.metering.reading import About, Reading
from gateway.metering.sessions import SESSIONS, session


def test_every_socket_has_a_meter():
    named = {row.endpoint.reader for rows in APIS.values() for row in rows if row.method == WEBSOCKET}
    assert named == set(SESSIONS)


@pytest.mark.parametrize("reader", SESSIONS)
def test_a_new_session_owes_nothing(reader: str):
    opened = session(reader, About("openai"))
    assert (opened.open, opened.pending()) == (0, ())


@pytest.mark.parametrize("reader", SESSIONS)
@pytest.mark.parametrize("payload", [b"", b"\0\xff" * 50, b"[" * 100_000, b'{"type":' * 1000, b'"usageMetadata"'])
def test_no_bytes_raise(reader: str, payload: bytes):
    opened = session(reader, About("openai"))
    opened.sent(payload)
    assert opened.received(payload) is None


def test_a_defect_of_ours_is_a_flag(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        open = 1

        def __init__(self, about: About) -> None: ...

        def sent(self, payload: bytes) -> None:
            raise KeyError

        def received(self, payload: bytes) -> Reading | None:
            raise KeyError

        def pending(self) -> tuple[Reading, ...]:
            raise KeyError

    monkeypatch.setitem(SESSIONS, "broken", Broken)
    opened = session("broken", About("openai"))
    opened.sent(b"{}")
    assert opened.open == 1
    assert opened.received(b"{}") == Reading(flags=(METER_ERROR,))
    assert opened.pending() == (Reading(flags=(METER_ERROR,)),)
