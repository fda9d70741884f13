"""Owns what gateway/metering promises of any answer: it never raises, and the bytes pass."""

import contextlib

import msgspec

from gateway.metering.framing import METER_ERROR
from gateway.metering.meter import READERS, StreamMeter, read_body
from gateway.providers import PROVIDERS
from gateway.wire.jsontext import NotJson
from tests.fuzz.wire import BYTES_MAX, cut

_READERS = tuple(READERS)
_PROVIDERS = tuple(PROVIDERS)


def _case(data: bytes) -> tuple[str, str, int, bytes]:
    """Reader, provider, size of the pieces, answer: three bytes choose."""
    choice = data[:3].ljust(3, b"\0")
    return _READERS[choice[0] % len(_READERS)], _PROVIDERS[choice[1] % len(_PROVIDERS)], choice[2], data[3:]


def stream(data: bytes) -> None:
    """Without stripping the answer passes as it came; with it, no byte is added. No reading fails by a defect."""
    reader, provider, size, answer = _case(data)
    for strip in (False, True):
        meter = StreamMeter(reader, provider, strip=strip, event_bytes_max=BYTES_MAX, text_bytes_max=BYTES_MAX)
        passed = b"".join(meter.feed(piece) for piece in cut(answer, size or len(answer))) + meter.flush()
        reading = meter.finish(complete=bool(size % 2))
        assert METER_ERROR not in reading.flags
        assert len(passed) <= len(answer) if strip else passed == answer


def body(data: bytes) -> None:
    """A whole answer is read without a defect, whatever it is."""
    reader, provider, _, answer = _case(data)
    # What `read_body` takes for a defect of ours must be seen here.
    with contextlib.suppress(NotJson, msgspec.ValidationError):
        READERS[reader].read(answer, provider)
    assert METER_ERROR not in read_body(reader, provider, answer).flags
