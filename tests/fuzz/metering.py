"""Owns what gateway/metering promises of any answer: it never raises, and the bytes pass."""

import contextlib

import msgspec

from gateway.metering.framing import METER_ERROR
from gateway.metering.meter import READERS, StreamMeter, read_body
from gateway.metering.reading import About
from gateway.metering.sessions import SESSIONS
from gateway.providers import PROVIDERS
from gateway.wire.jsontext import NotJson
from tests.fuzz.wire import BYTES_MAX, cut

_READERS = tuple(READERS)
_PROVIDERS = tuple(PROVIDERS)


def _case(data: bytes) -> tuple[str, About, int, bytes]:
    """Reader, what is known beside the answer, size of the pieces, answer: three bytes choose."""
    choice = data[:3].ljust(3, b"\0")
    about = About(_PROVIDERS[choice[1] % len(_PROVIDERS)], headers={}, request=data[3:])
    return _READERS[choice[0] % len(_READERS)], about, choice[2], data[3:]


def stream(data: bytes) -> None:
    """Without stripping the answer passes as it came; with it, no byte is added. No reading fails by a defect."""
    reader, about, size, answer = _case(data)
    for strip in (False, True):
        meter = StreamMeter(reader, about, strip=strip, event_bytes_max=BYTES_MAX, text_bytes_max=BYTES_MAX)
        passed = b"".join(meter.feed(piece) for piece in cut(answer, size or len(answer))) + meter.flush()
        reading = meter.finish(complete=bool(size % 2))
        assert METER_ERROR not in reading.flags
        assert len(passed) <= len(answer) if strip else passed == answer


def body(data: bytes) -> None:
    """A whole answer is read without a defect, whatever it is."""
    reader, about, _, answer = _case(data)
    # What `read_body` takes for a defect of ours must be seen here.
    with contextlib.suppress(NotJson, msgspec.ValidationError):
        READERS[reader].read(answer, about)
    assert METER_ERROR not in read_body(reader, about, answer).flags


def socket(data: bytes) -> None:
    """Any messages of either side, one a line, are taken without a defect, and what is open can be told."""
    for make in SESSIONS.values():
        meter = make(About("openai"))  # not `session`, which would take a defect of ours for a number lost
        for number, payload in enumerate(data.split(b"\n")):
            if number % 3 == 0:
                meter.sent(payload)
            meter.received(payload)
            assert len(meter.pending()) == meter.open >= 0
