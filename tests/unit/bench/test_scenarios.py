import msgspec
import pytest

from bench.samples import Samples
from bench.scenarios import JSON, LATENCY, STREAMS, Scenario
from bench.targets import METERED_TOKEN, TRANSPARENT_TOKEN, Target

_TARGET = Target("gateway", 8080, "/json", "/stream", None)
_STREAM = Scenario(name="s", connections=1, events=10)


def _samples(calls: int, events: int, usages: int = 0, errors: int = 0) -> Samples:
    samples = Samples()
    samples.calls, samples.events, samples.usages, samples.errors = calls, events, usages, errors
    return samples


@pytest.mark.parametrize(
    ("ask_usage", "samples", "misses"),
    [
        (False, _samples(2, 24), 0),
        (True, _samples(2, 26, usages=2), 0),
        (False, _samples(2, 24, errors=1), 1),
        (False, _samples(2, 23), 1),  # an event got lost
        (False, _samples(2, 26, usages=2), 4),  # the gateway's own usage chunk reached the client
        (True, _samples(2, 24, usages=0), 4),  # the client's did not
    ],
)
def test_a_stream_must_have_exactly_its_events(ask_usage: bool, samples: Samples, misses: int) -> None:
    assert msgspec.structs.replace(_STREAM, ask_usage=ask_usage).misses(samples) == misses


def test_request_goes_where_the_target_takes_it_with_the_key_of_its_mode() -> None:
    metered, transparent = (
        msgspec.structs.replace(_STREAM, mode=mode).requests(_TARGET)[0] for mode in ("metered", "transparent")
    )
    assert metered.startswith(b"POST /stream HTTP/1.1\r\n")
    assert METERED_TOKEN.encode() in metered
    assert TRANSPARENT_TOKEN.encode() in transparent
    assert b'"stream":true' in metered
    json = JSON[0].requests(_TARGET)[0]
    assert json.startswith(b"POST /json HTTP/1.1\r\n")
    assert b'"stream"' not in json


def test_names_are_distinct() -> None:
    names = [scenario.name for scenario in (*JSON, *STREAMS, *LATENCY)]
    assert len(set(names)) == len(names)
