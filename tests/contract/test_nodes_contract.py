"""What several nodes promise together: over the scripts in Python, and over a real server."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.ledger.base import Hold, Shortage, Unreachable
from gateway.ledger.leases import Watch
from gateway.ledger.redis import RedisStore
from gateway.ledger.store import Store
from tests.contract.ledgers import ModelStore, Node, eventually, take
from tests.support.holds import hold, holds

MONTH = "budget@2026-11"


def money(amount: int, limit: int | None = 100) -> Hold:
    return hold(MONTH, amount, limit)


@pytest.fixture(params=["model", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "model":
        yield ModelStore()
        return
    store = RedisStore(request.getfixturevalue("server").url)
    yield store
    await store.close()


@contextlib.asynccontextmanager
async def two(store: Store, **named: object) -> AsyncIterator[tuple[Node, Node]]:
    first, second = Node("a", store, **named), Node("b", store, **named)
    async with first.working(), second.working():
        yield first, second


async def test_what_one_node_holds_the_other_cannot(store):
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(60))) is None
        assert await take(second.ledger, "y", holds(money(41))) == Shortage(MONTH, 41, 40)
        assert await take(second.ledger, "y", holds(money(40))) is None


async def test_slack_of_one_node_is_recalled_before_the_other_is_refused(store):
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(100))) is None
        first.ledger.settle("x", {MONTH: 10})
        assert await take(second.ledger, "y", holds(money(90))) is None
        assert await take(first.ledger, "z", holds(money(1))) == Shortage(MONTH, 1, 0)


async def test_slack_from_before_a_raised_and_lowered_limit_is_not_spent(store):
    """The first node is not asked while the limit is higher; its limit looks as it was, and is another revision."""
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(100))) is None
        first.ledger.settle("x", {MONTH: 40})
        raised = hold(MONTH, 100, 200, revision=1)
        assert await take(second.ledger, "y", holds(raised)) is None
        lowered = hold(MONTH, 1, 100, revision=2)
        assert await take(first.ledger, "z", holds(lowered), timeout_s=0.5) is not None
        second.ledger.settle("y", {MONTH: 0})
        assert await take(first.ledger, "z", holds(lowered)) is None


async def test_everybody_sees_what_was_settled_anywhere(store):
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(30))) is None
        first.ledger.settle("x", {MONTH: 30})
        await eventually(lambda: first.ledger._leases.is_reported)
        # A node hears of the others when it speaks.
        assert await take(second.ledger, "y", holds(money(20))) is None
        await eventually(lambda: second.ledger.balance(MONTH).settled == 30)
        assert second.ledger.counters()[MONTH].held == 20


async def test_a_threshold_is_told_once_by_one_of_the_nodes(store):
    told: list[tuple[str, int]] = []

    def watched() -> dict[str, object]:
        return {
            "watch": lambda _: Watch(100, (50, 80, 100)),
            "on_threshold": lambda counter, percent, _: told.append((counter, percent)),
        }

    async with two(store, **watched()) as (first, second):
        for index, node in enumerate((first, second) * 2):
            id = f"id{index}"
            assert await take(node.ledger, id, holds(money(20, limit=None))) is None
            node.ledger.settle(id, {MONTH: 20})
        await eventually(lambda: len(told) == 2)
        assert sorted(told) == [(MONTH, 50), (MONTH, 80)]


async def test_a_node_that_died_counts_as_spent_until_it_has_restarted(store):
    async with two(store) as (first, second):
        async with Node("c", store).working() as third:
            assert await take(third, "x", holds(money(70))) is None
            third.settle("x", {MONTH: 20})
            died = third.checkpoint()
        assert await take(second.ledger, "y", holds(money(60)), timeout_s=0.3) == Shortage(MONTH, 60, 30)
        async with Node("c", store, restored=died).working():
            assert await take(second.ledger, "y", holds(money(60))) is None
        assert first.ledger.balance(MONTH).held == 0


async def test_where_nobody_can_say_what_became_of_a_claim_it_counts_as_spent(store):
    async with Node("a", store).working() as first:
        assert await take(first, "x", holds(money(70))) is None
        died = first.checkpoint()
    async with Node("a", store, restored=died, complete=False).working() as again:
        assert again.balance(MONTH).settled >= 70
        again.restore({MONTH: 65}, seq=1)
        assert again.balance(MONTH).settled >= 70
        assert isinstance(await take(again, "y", holds(money(31))), Shortage)


async def test_an_earlier_start_of_a_node_is_refused_everything(store):
    async with Node("a", store).working() as old:
        assert await take(old, "x", holds(money(10))) is None
        async with Node("a", store, restored=old.checkpoint(), complete=False).working() as new:
            assert await take(new, "y", holds(money(10))) is None
            await eventually(lambda: old.fenced)
            assert await take(old, "z", holds(money(80)), timeout_s=0.2) == Unreachable(MONTH)


async def test_two_processes_with_one_identity_are_told_apart(store):
    async with Node("a", store).working() as first:
        twin = Node("a", store)
        await twin.ledger.step()
        assert (twin.ledger.fenced, first.fenced) == (True, False)


async def test_a_node_that_leaves_gives_everything_back_and_is_not_waited_for(store):
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(80))) is None
        first.ledger.settle("x", {MONTH: 5})
        assert await first.ledger.leave()
        assert await take(second.ledger, "y", holds(money(95)), timeout_s=0.2) is None
        await eventually(lambda: second.ledger.checkpoint().roster == ("b",))
        assert await store.leave("a", 0) is False


async def test_a_period_that_is_over_is_reported_and_forgotten(store):
    async with Node("a", store).working() as ledger:
        assert await take(ledger, "x", holds(money(10))) is None
        ledger.settle("x", {MONTH: 10})
        ledger.over(MONTH)
        await eventually(lambda: MONTH not in ledger.counters())
        assert await take(ledger, "late", holds(money(91))) == Shortage(MONTH, 91, 90)


async def test_a_store_that_is_gone_leaves_what_is_held():
    store = ModelStore()
    async with Node("a", store).working() as ledger:
        assert await take(ledger, "x", holds(money(40))) is None
        ledger.settle("x", {MONTH: 10})
        store.down = True
        assert ledger.reserve("y", holds(money(30))) is None
        assert await take(ledger, "z", holds(money(40))) == Unreachable(MONTH)
        assert ledger.reserve("counted", holds(hold("seen@2026-11", 10**9, None))) is None
        store.down = False
        assert await take(ledger, "z", holds(money(40))) is None


async def test_a_store_that_lost_everything_is_told_again_before_it_grants():
    store = ModelStore()
    async with two(store) as (first, second):
        assert await take(first.ledger, "x", holds(money(60))) is None
        store.hashes, store.run = {}, "run2"
        assert await take(second.ledger, "y", holds(money(41))) == Shortage(MONTH, 41, 40)
        assert await take(second.ledger, "y", holds(money(40))) is None
