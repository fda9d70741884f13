"""The promise of the budgets over many schedules, and that the simulation would notice if it were broken."""

from collections.abc import Callable

import pytest

from tests.simulation.schedule import Broken, Schedule, run
from tests.simulation.twists import TWISTS

# In `make simulate` there are a hundred thousand; these take about half a minute together.
SCHEDULES = 1200
LOTS = 6

# Seeds of plain schedules that once broke a promise, and of what.
REGRESSIONS = {
    47: "spending without a limit after a power cut",
    107: "a limit beyond what the store counts exactly",
    119: "slack granted under a higher limit, and what calls gave back of it",
    202: "a grant nobody heard of, before a restart",
    355: "a claim of the last start, unknown to the checkpoint",
    416: "a node with a fresh slice passed for one that had given back",
    3003540: "a threshold that an earlier start was to tell of",
    20286888: "a lowered limit taken for kept by a store that had not heard everybody",
    20266210: "slack from before a limit that was raised and lowered again while its node was not asked",
    1272: "a server's clock that jumps makes all look dead",
    475: "what a node had given back before a power cut passed for slack",
    2893: "slack of a node that had not heard of an override that lifted the limit",
    6035: "what was given back passed for slack where a limit had been lowered",
    8103: "what was given back was taken off twice after a start",
}
CAUGHT_WITHIN = 1500


def breaks(seed: int, twist: Callable[[Schedule], None]) -> bool:
    try:
        run(seed, twist)
    except Broken:
        return True
    return False


@pytest.mark.parametrize("lot", range(LOTS))
def test_no_schedule_overspends_settles_twice_or_gets_stuck(lot):
    for seed in range(lot, SCHEDULES, LOTS):
        run(seed)


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_what_was_found_once_stays_mended(seed):
    run(seed, plain=True)


def test_a_seed_is_a_schedule():
    first, second = run(7), run(7)
    assert (first.plan, first.books.sums, first.server.states) == (second.plan, second.books.sums, second.server.states)


@pytest.mark.parametrize("twist", TWISTS)
def test_a_known_bug_is_caught(twist):
    assert any(breaks(seed, TWISTS[twist]) for seed in range(CAUGHT_WITHIN))
