"""Owns a store that can lose what it was told, and the network in front of it.

Every write makes a new state; a replica follows some states behind. A failover goes on from the replica's state, a
restart from an older one: both under a new run id, as Redis does.
"""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from gateway.ledger.store import Answer, Beat, Fence, Statement, StoreDown
from tests.simulation import model
from tests.simulation.loop import SimulatedLoop

TIMEOUT_S = 1.0
DELAY_S = 0.002
STRAY_S = 1.5  # a message that took another way arrives after its sender's timeout

State = dict[str, model.Hash]


class Server:
    """One primary and what a replica has of it."""

    def __init__(self, loop: SimulatedLoop, random: Random, *, waits: bool) -> None:
        self.loop, self.random = loop, random
        self.waits = waits
        self.states: list[State] = [{}]
        self.replicated = 0
        self.floor = 0  # no restart goes back behind this state
        self.runs = 1
        self.up = True
        self.clock_off_ms = 0
        self.sync, self.beat = model.sync, model.beat

    @property
    def run(self) -> str:
        return f"run{self.runs}"

    @property
    def state(self) -> State:
        return self.states[-1]

    def now_ms(self) -> int:
        return int(self.loop.time() * 1000) + self.clock_off_ms

    def apply(self, key: str, change: Callable[[model.Hash], Any]) -> Any:
        """Runs a script on one hash; what it wrote is a new state, which the replica gets later."""
        old = self.state.get(key, {})
        new = dict(old)
        found = change(new)
        if new != old:
            self.states.append({**self.state, key: new})
            self.loop.call_later(self.random.expovariate(200), self._replicate, self.runs, len(self.states) - 1)
        return found

    def _replicate(self, runs: int, offset: int) -> None:
        if runs == self.runs:
            self.replicated = max(self.replicated, offset)

    def fail_over(self) -> None:
        self._go_on_from(self.replicated)

    def restart_from_older(self) -> None:
        self._go_on_from(self.random.randint(min(self.floor, len(self.states) - 1), len(self.states) - 1))

    def _go_on_from(self, offset: int) -> None:
        del self.states[offset + 1 :]
        self.replicated = offset
        self.runs += 1

    def claims(self, counter: str) -> tuple[int, int]:
        """(all spent, all claims) of a counter."""
        fields = self.state.get(counter, {})
        spent, claims, back = (
            sum(int(v) for f, v in fields.items() if f.startswith(p)) for p in ("spent:", "claim:", "back:")
        )
        return spent - back, claims - back


class Network:
    """What a node sends through; messages are late, twice, in another order, or lost."""

    def __init__(self, server: Server, random: Random, *, faulty: bool) -> None:
        self.server, self.random = server, random
        self.faulty = faulty
        self.cut = False

    async def sync(self, statement: Statement) -> Answer:
        def run() -> Answer:
            server = self.server
            return server.apply(
                statement.counter, lambda stored: server.sync(stored, statement, server.run, server.now_ms())
            )

        return await self._call(run, safe=statement.asks)

    async def beat(self, beat: Beat) -> Fence:
        def run() -> Fence:
            server = self.server
            return server.apply("fence", lambda stored: server.beat(stored, beat, server.run, server.now_ms()))

        return await self._call(run, safe=True)

    async def leave(self, node: str, epoch: int) -> bool:
        server = self.server
        return await self._call(
            lambda: server.apply("fence", lambda stored: model.leave(stored, node, epoch)), safe=True
        )

    async def _call(self, run: Callable[[], Any], *, safe: bool) -> Any:
        loop = self.server.loop
        answered = loop.create_future()
        timer = loop.call_later(TIMEOUT_S, _fail, answered)
        for _ in range(2 if self._unlucky(0.03) else 1):
            if not self._unlucky(0.03):
                loop.call_later(self._delay_s(), self._arrive, run, answered, safe)
        try:
            return await answered
        finally:
            timer.cancel()

    def _arrive(self, run: Callable[[], Any], answered: asyncio.Future[Any], safe: bool) -> None:
        server = self.server
        if not server.up or self.cut:
            return
        found = run()
        waits = (server.runs, len(server.states) - 1) if safe and server.waits else None
        if not self._unlucky(0.03):
            server.loop.call_later(self._delay_s(), self._return, answered, found, waits)

    def _return(self, answered: asyncio.Future[Any], found: Any, waits: tuple[int, int] | None) -> None:
        """The answer; where replicas have to have it, when they have it."""
        server = self.server
        if self.cut or answered.done():
            return
        if waits is not None:
            runs, offset = waits
            if runs != server.runs:
                return
            if server.replicated < offset:
                server.loop.call_later(DELAY_S, self._return, answered, found, waits)
                return
        answered.set_result(found)

    def _unlucky(self, chance: float) -> bool:
        return self.faulty and self.random.random() < chance

    def _delay_s(self) -> float:
        return self.random.random() * (STRAY_S if self._unlucky(0.02) else DELAY_S)


def _fail(answered: asyncio.Future[Any]) -> None:
    if not answered.done():
        answered.set_exception(StoreDown("timeout"))
