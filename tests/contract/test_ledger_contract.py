"""What every ledger promises to the request path, whatever it keeps its counters in."""

import asyncio

import pytest

from gateway.ledger.base import Hold, Shortage
from tests.contract.ledgers import take
from tests.support.holds import hold, holds

MONTH, CALLS = "budget@2026-11|project=demo", "limit@2026-11-25T22:10+0000"


def money(amount: int, limit: int | None = 100) -> Hold:
    return hold(MONTH, amount, limit)


def call(limit: int = 10) -> Hold:
    return hold(CALLS, 1, limit)


async def test_what_fits_exactly_passes_and_one_more_does_not(ledger):
    assert await take(ledger, "a", holds(money(60))) is None
    assert await take(ledger, "b", holds(money(40))) is None
    assert await take(ledger, "c", holds(money(1))) == Shortage(MONTH, 1, 0)


async def test_all_holds_are_taken_or_none(ledger):
    assert await take(ledger, "a", holds(call(limit=5), money(101))) == Shortage(MONTH, 101, 100)
    assert ledger.held("a") == {}
    assert ledger.balance(CALLS).held == 0


async def test_a_refused_call_leaves_room_for_a_smaller_one(ledger):
    assert await take(ledger, "a", holds(money(70))) is None
    assert await take(ledger, "b", holds(money(31))) == Shortage(MONTH, 31, 30)
    assert await take(ledger, "b", holds(money(30))) is None


async def test_settling_gives_back_what_was_not_consumed(ledger):
    assert await take(ledger, "a", holds(money(100))) is None
    assert ledger.settle("a", {MONTH: 30}) == 1
    assert await take(ledger, "b", holds(money(70))) is None
    assert ledger.balance(MONTH).settled == 30
    assert ledger.balance(MONTH).held == 70


async def test_settling_twice_is_settling_once(ledger):
    assert await take(ledger, "a", holds(money(50))) is None
    assert ledger.settle("a", {MONTH: 50}) == 1
    assert ledger.settle("a", {MONTH: 50}) == 0
    assert ledger.settle("never held", {MONTH: 50}) == 0
    assert (ledger.seq, ledger.balance(MONTH).settled) == (1, 50)


async def test_what_was_consumed_beyond_the_hold_is_counted_and_not_cut(ledger):
    assert await take(ledger, "a", holds(money(50))) is None
    ledger.settle("a", {MONTH: 130})
    assert ledger.balance(MONTH).settled == 130
    assert await take(ledger, "b", holds(money(1))) == Shortage(MONTH, 1, 0)


async def test_a_counter_that_was_never_held_is_settled_all_the_same(ledger):
    assert await take(ledger, "a", holds(call())) is None
    ledger.settle("a", {CALLS: 1, MONTH: 7})
    assert ledger.balance(MONTH).settled == 7


async def test_a_counter_not_named_is_given_back_whole(ledger):
    assert await take(ledger, "a", holds(money(100), call(limit=1))) is None
    ledger.settle("a", {CALLS: 1})
    assert await take(ledger, "b", holds(money(100))) is None


async def test_what_holds_may_hold_more_as_long_as_it_fits(ledger):
    assert await take(ledger, "a", holds(money(40))) is None
    short = ledger.extend("a", holds(money(40)))
    while short is not None:
        assert await ledger.obtain(holds(money(40)), 5.0) is None
        short = ledger.extend("a", holds(money(40)))
    assert ledger.held("a") == {MONTH: 80}
    assert ledger.extend("a", holds(money(40))) is not None
    assert await ledger.obtain(holds(money(40)), 5.0) == Shortage(MONTH, 40, 20)
    assert ledger.held("a") == {MONTH: 80}


async def test_without_a_limit_nothing_waits_and_nothing_is_refused(ledger):
    for index in range(5):
        assert ledger.reserve(f"id{index}", holds(money(10**12, limit=None))) is None
    assert ledger.balance(MONTH).held == 5 * 10**12


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_of_nothing_refuses_everything(ledger, limit):
    assert await take(ledger, "a", holds(money(1, limit=limit))) == Shortage(MONTH, 1, 0)


async def test_a_lowered_limit_admits_nothing_new_until_there_is_room(ledger):
    assert await take(ledger, "a", holds(money(60))) is None
    assert await take(ledger, "b", holds(money(20))) is None
    assert await take(ledger, "c", holds(money(1, limit=50))) == Shortage(MONTH, 1, 0)
    ledger.settle("a", {MONTH: 10})
    assert await take(ledger, "c", holds(money(20, limit=50))) is None
    assert await take(ledger, "d", holds(money(1, limit=50))) == Shortage(MONTH, 1, 0)


async def test_a_raised_limit_counts_at_once(ledger):
    assert await take(ledger, "a", holds(money(100))) is None
    assert await take(ledger, "b", holds(money(50, limit=150))) is None


async def test_of_64_callers_at_once_exactly_those_pass_that_fit(ledger):
    outcomes = await asyncio.gather(*(take(ledger, f"id{index}", holds(money(3))) for index in range(64)))
    assert sum(outcome is None for outcome in outcomes) == 33
    assert ledger.balance(MONTH).held == 99


async def test_a_person_sees_every_counter(ledger):
    assert await take(ledger, "a", holds(money(10), call())) is None
    ledger.settle("a", {MONTH: 4, CALLS: 1})
    seen = ledger.counters()
    assert {name: (balance.settled, balance.held) for name, balance in seen.items()} == {MONTH: (4, 0), CALLS: (1, 0)}
