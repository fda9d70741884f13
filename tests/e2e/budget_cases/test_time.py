"""Cases 49 to 51: windows. What is held belongs to the window it was held in, and none is ever reset.

Case 51 between nodes (whose clock counts) is in tests/contract and tests/simulation.
"""

from datetime import datetime

import pytest

from gateway.pipeline import Clock
from tests.e2e.budget_cases.stage import before_provider, quota
from tests.support.data_plane import answer

# Its prices are flat: 590 nano-USD a token of input, 790 of output.
PATH = "/groq/v1/chat/completions"
BODY = b'{"model":"llama-3.3-70b-versatile","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'
TOLD = answer(
    b'{"model":"llama-3.3-70b-versatile","choices":[],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}'
)
COST = 10 * 590 + 5 * 790


class Moved(Clock):
    """A clock that says what it is told to; the monotonic one goes on."""

    def __init__(self, at: str) -> None:
        self.set(at)
        self.now_ns = lambda: self._at_ns  # type: ignore[method-assign]

    def set(self, at: str) -> None:
        self._at_ns = int(datetime.fromisoformat(at).timestamp()) * 1_000_000_000


async def test_49_what_ends_in_the_next_window_is_charged_to_the_one_it_began_in(tmp_path):
    clock = Moved("2027-01-31T23:59:59+00:00")
    async with before_provider(tmp_path, quota(limit_usd=9, window="month"), upstream="groq", clock=clock) as stage:
        assert stage.there is not None
        client = await stage.send(PATH, BODY)
        wire, _ = await stage.there.called()
        clock.set("2027-02-01T00:00:01+00:00")
        await stage.told(PATH, BODY, TOLD)
        wire.send(TOLD)
        wire.close()
        await client.message()
        await stage.quiet()
        assert stage.balance("q@2027-01").settled == COST
        assert stage.balance("q@2027-02").settled == COST


async def test_51_a_clock_that_goes_back_finds_what_was_spent(tmp_path):
    clock = Moved("2027-03-01T10:00:30+00:00")
    limit = quota(unit="requests", limit=1, window="minute")
    async with before_provider(tmp_path, limit, upstream="groq", clock=clock) as stage:
        await stage.told(PATH, BODY, TOLD)
        for at in ("2027-03-01T10:01:30+00:00", "2027-03-01T10:02:30+00:00"):
            clock.set(at)
            await stage.told(PATH, BODY, TOLD)
        for at in ("2027-03-01T10:00:59+00:00", "2027-03-01T10:01:00+00:00", "2027-03-01T10:02:59+00:00"):
            clock.set(at)
            assert (await stage.ask(PATH, BODY)).status == 429
        assert await stage.seen() == 3


WINDOWS = [
    ("day", "UTC", "2028-02-29T12:00:00+00:00", "q@2028-02-29"),
    ("day", "Asia/Tokyo", "2027-01-31T15:00:00+00:00", "q@2027-02-01"),
    ("month", "America/Los_Angeles", "2027-03-01T07:59:59+00:00", "q@2027-02"),
    ("month", "America/Los_Angeles", "2027-03-01T08:00:00+00:00", "q@2027-03"),
    ("day", "Europe/Berlin", "2027-03-27T23:30:00+00:00", "q@2027-03-28"),
    ("day", "Europe/Berlin", "2027-03-28T21:30:00+00:00", "q@2027-03-28"),
    ("day", "Europe/Berlin", "2027-03-28T22:00:00+00:00", "q@2027-03-29"),
    ("month", "UTC", "2027-04-30T23:59:59+00:00", "q@2027-04"),
]


@pytest.mark.parametrize(("window", "zone", "at", "counter"), WINDOWS, ids=[f"50-{row[3]}-{row[1]}" for row in WINDOWS])
async def test_windows_are_of_the_calendar_of_their_zone(tmp_path, window, zone, at, counter):
    limit = quota(limit_usd=9, window=window, time_zone=zone)
    async with before_provider(tmp_path, limit, upstream="groq", clock=Moved(at)) as stage:
        await stage.told(PATH, BODY, TOLD)
        assert {name: one.settled for name, one in stage.gateway.server.ledger.counters().items()} == {counter: COST}
