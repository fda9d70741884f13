"""Owns the ledgers that the contract is for: each a way to make one, alone or as a node among others."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable

from gateway.ledger.agent import Identity, RedisLedger
from gateway.ledger.base import Holds, Ledger, Shortage, Unreachable
from gateway.ledger.embedded import EmbeddedLedger
from gateway.ledger.leases_file import Checkpoint
from gateway.ledger.store import Answer, Beat, Fence, Statement, Store, StoreDown
from tests.simulation import model

OPENS_WITHIN_S = 20.0


class ModelStore:
    """The scripts in Python, at once; `down` is a store that is gone."""

    def __init__(self) -> None:
        self.hashes: dict[str, model.Hash] = {}
        self.run = "run1"
        self.down = False

    def _hash(self, name: str) -> model.Hash:
        if self.down:
            raise StoreDown("it is gone")
        return self.hashes.setdefault(name, {})

    async def sync(self, statement: Statement) -> Answer:
        stored = self._hash(statement.counter)
        return model.sync(stored, statement, self.run, int(time.monotonic() * 1000))

    async def beat(self, beat: Beat) -> Fence:
        return model.beat(self._hash("fence"), beat, self.run, int(time.monotonic() * 1000))

    async def leave(self, node: str, epoch: int) -> bool:
        return model.leave(self._hash("fence"), node, epoch)


async def eventually(true: Callable[[], bool]) -> None:
    """Waits until something has become true, at every turn of the loop that an agent could have changed it in."""
    async with asyncio.timeout(OPENS_WITHIN_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Node:
    """A RedisLedger with its agent and what its disk remembers."""

    def __init__(self, name: str, store: Store, restored: Checkpoint | None = None, **named: object) -> None:
        self.saved = restored
        identity = Identity(name, restored.epoch + 1 if restored else 1, secrets.token_hex(8))
        self.ledger = RedisLedger(
            identity,
            store,
            clock=time.monotonic,
            sleep=asyncio.sleep,
            save=self._save,
            restored=restored,
            **named,  # pyright: ignore[reportArgumentType]
        )

    async def _save(self, checkpoint: Checkpoint) -> None:
        self.saved = checkpoint

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[RedisLedger]:
        agent = asyncio.create_task(self.ledger.agent())
        try:
            await self.opened()
            yield self.ledger
        finally:
            agent.cancel()
            await asyncio.gather(agent, return_exceptions=True)

    async def opened(self) -> None:
        await eventually(lambda: self.ledger.open)


async def take(ledger: Ledger, id: str, holds: Holds, timeout_s: float = 5.0) -> Shortage | Unreachable | None:
    """What the request path does: reserve, fetch what is missing, reserve again."""
    until_s = time.monotonic() + timeout_s
    while ledger.reserve(id, holds) is not None:
        refused = await ledger.obtain(holds, max(until_s - time.monotonic(), 0.0))
        if refused is not None:
            return refused
    return None


Make = Callable[[], contextlib.AbstractAsyncContextManager[Ledger]]


@contextlib.asynccontextmanager
async def local() -> AsyncIterator[Ledger]:
    yield EmbeddedLedger()


@contextlib.asynccontextmanager
async def over_model() -> AsyncIterator[Ledger]:
    async with Node("a", ModelStore()).working() as ledger:
        yield ledger
