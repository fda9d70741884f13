"""Owns a simulated node: the production ledger, a disk that may lose what was not synced, and callers."""

import asyncio
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from gateway.ledger.agent import Identity, RedisLedger
from gateway.ledger.base import Holds, Shortage, Unreachable
from gateway.ledger.leases import Watch
from gateway.ledger.leases_file import Checkpoint
from tests.simulation.loop import SimulatedLoop
from tests.simulation.server import Network

WRITE_S = 0.004


class Disk:
    """What survives. A journal entry is (seq, id, amounts by counter); seq 0 is an intent."""

    def __init__(self) -> None:
        self.checkpoint: Checkpoint | None = None
        self.journal: list[tuple[int, str, dict[str, int]]] = []
        self.synced = 0
        self.boots = 1

    def lose_power(self) -> None:
        del self.journal[self.synced :]
        self.boots += 1

    def open_intents(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for seq, id, amounts in self.journal:
            if seq:
                found.pop(id, None)
            else:
                found[id] = amounts
        return found

    def resolve(self) -> list[tuple[int, dict[str, int]]]:
        """Ends what was open at what it held; the seqs and amounts of what was settled after the checkpoint."""
        since = self.checkpoint.seq if self.checkpoint else 0
        last = max([since, *(seq for seq, _, _ in self.journal)])
        for id, amounts in self.open_intents().items():
            last += 1
            self.journal.append((last, id, amounts))
        self.synced = len(self.journal)
        return [(seq, amounts) for seq, _, amounts in self.journal if seq > since]


class Node:
    """Starts, crashes and starts again; `life` counts the starts."""

    def __init__(self, name: str, loop: SimulatedLoop, random: Random, network: Network, nodes_min: int) -> None:
        self.name, self.loop, self.random, self.network = name, loop, random, network
        self.nodes_min = nodes_min
        self.disk = Disk()
        self.life = 0
        self.alive = False
        self.stops = False  # it takes no calls any more
        self.gone = False  # it has left, and may stay away
        self.calls: list[str] = []  # admitted in this life
        self.clock_off_s = 0.0
        self.tasks: dict[asyncio.Task[Any], None] = {}  # a set has no order that a seed could repeat
        self.thresholds: list[tuple[str, int]] = []
        self.watch: Callable[[str], Watch | None] = lambda _: None
        self.make = RedisLedger
        self.ledger: RedisLedger

    def start(self) -> None:
        self.life += 1
        self.alive, self.stops = True, False
        was, finals = self.disk.checkpoint, self.disk.resolve()
        identity = Identity(
            self.name,
            was.epoch + 1 if was else 1,
            f"nonce{self.random.random()}",
            f"boot{self.disk.boots}",
            self.nodes_min,
        )
        self.ledger = self.make(
            identity,
            self.network,
            clock=lambda: self.loop.time() + self.clock_off_s,
            sleep=asyncio_sleep(self.loop),
            save=self._saver(self.life),
            restored=was,
            complete=was is not None and was.machine == identity.machine,
            watch=self.watch,
            on_threshold=lambda counter, percent, _: self.thresholds.append((counter, percent)),
        )
        for seq, settled in finals:
            self.ledger.restore(settled, seq)
        self._agent = self.spawn(self.ledger.agent())

    async def leave(self) -> bool:
        """What a process does at its end, once its agent has ended."""
        self._agent.cancel()
        await asyncio.wait({self._agent})
        return await self.ledger.leave()

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task = self.loop.create_task(work)
        self.tasks[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.loop.errors.append(error)

    def _saver(self, life: int) -> Callable[[Checkpoint], Any]:
        async def save(checkpoint: Checkpoint) -> None:
            await asyncio_sleep(self.loop)(self.random.random() * WRITE_S)
            if self.alive and self.life == life:
                self.disk.checkpoint = checkpoint
                self.disk.synced = len(self.disk.journal)

        return save

    def crash(self, *, power: bool) -> None:
        self.alive = False
        for task in list(self.tasks):
            task.cancel()
        if power:
            self.disk.lose_power()

    # What the request path does around the ledger

    async def take(self, id: str, holds: Callable[[], Holds], timeout_s: float) -> Shortage | Unreachable | None:
        """Reserves, fetching as often as it takes; the intent is journaled before anything is sent."""
        until_s = self.ledger._clock() + timeout_s
        while self.ledger.reserve(id, holds()) is not None:
            refused = await self.ledger.obtain(holds(), max(until_s - self.ledger._clock(), 0))
            if refused is not None:
                return refused
        self.disk.journal.append((0, id, dict(self.ledger.held(id))))
        return None

    def extend(self, id: str, holds: Holds) -> Shortage | None:
        short = self.ledger.extend(id, holds)
        if short is None:
            self.disk.journal.append((0, id, dict(self.ledger.held(id))))
        return short

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        return self._write(self.ledger.settle(id, actual), id, actual)

    def settle_later(self, id: str, actual: Mapping[str, int]) -> int:
        return self._write(self.ledger.settle_later(id, actual), id, actual)

    def _write(self, seq: int, id: str, actual: Mapping[str, int]) -> int:
        if seq:
            self.disk.journal.append((seq, id, dict(actual)))
        return seq


def asyncio_sleep(loop: SimulatedLoop) -> Callable[[float], Any]:
    async def sleep(seconds: float) -> None:
        woken = loop.create_future()
        timer = loop.call_later(seconds, lambda: woken.done() or woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    return sleep
