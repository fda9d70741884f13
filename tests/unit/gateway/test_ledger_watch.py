import logging

import pytest

from gateway.ledger.store import Answer, Beat, Fence, Statement, StoreDown
from gateway.ledger_watch import WatchedStore

BEAT = Beat("n", 1, "x")
FENCE = Fence("ok", "run", 1, True, 1)


class Flaky:
    """A store that is there or not."""

    def __init__(self) -> None:
        self.there = True

    async def beat(self, beat: Beat) -> Fence:
        if not self.there:
            raise StoreDown("TimeoutError from the store")
        return FENCE

    async def sync(self, statement: Statement) -> Answer:
        raise StoreDown("too few replicas have the grant")

    async def leave(self, node: str, epoch: int) -> bool:
        return True


async def test_going_and_coming_are_told_once_each(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    store = Flaky()
    watched = WatchedStore(store, logging.getLogger("lensai"))
    assert await watched.beat(BEAT) == FENCE
    store.there = False
    for _ in range(3):
        with pytest.raises(StoreDown):
            await watched.beat(BEAT)
    assert watched.problem == "TimeoutError from the store"
    store.there = True
    for _ in range(3):
        assert await watched.beat(BEAT) == FENCE

    assert watched.problem == ""
    assert [record.getMessage() for record in caplog.records] == ["ledger_store_unreachable", "ledger_store_reachable"]


async def test_what_else_is_asked_goes_through_and_tells_nothing():
    watched = WatchedStore(Flaky(), logging.getLogger("lensai"))
    assert await watched.leave("n", 1)
    with pytest.raises(StoreDown):
        await watched.sync(Statement("q@total", "n", 1, 1, "run", 0, 0))
    assert watched.problem == ""
