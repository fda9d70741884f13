"""Owns one schedule: a few nodes, their callers and what befalls them, all drawn from one seed; and what must hold.

I1: whenever something is admitted, all that is settled or held, over all nodes and all that ever crashed, is within the
limit of that moment. I3: an id settles once. Once faults have stopped: what was held returns, and what fits is not
refused.
"""

from collections.abc import Callable
from random import Random

import msgspec

from gateway.ledger.agent import POLL_S, PREFETCH_S, REPORT_S
from gateway.ledger.base import AMOUNT_MAX, Hold, Holds, is_of_now
from gateway.ledger.leases import Watch
from tests.simulation.loop import SimulatedLoop
from tests.simulation.node import Node, asyncio_sleep
from tests.simulation.server import TIMEOUT_S, Network, Server
from tests.support.holds import hold, holds

SHARED, SECOND, COUNTED, AT_ONCE = "tokens@2026-11", "calls@2026-11", "seen@2026-11", "at-once@now"
PERCENTS = (50, 100)
LINGERS_S = 4.0
CALM_S = 30.0  # far longer than anything needs once faults have stopped


class Broken(AssertionError):
    """A promise that did not hold, in this schedule."""


class Plan(msgspec.Struct, frozen=True):
    """What is drawn first, so that a person can read what a seed is about."""

    nodes: int
    callers: int
    limit: int
    faults: int
    length_s: float
    loses: str  # "failover", "restart" or "nothing": what the store may do
    waits: bool
    network: bool
    from_scratch: bool  # the store may come back empty; then nodes are counted


def plan(random: Random) -> Plan:
    loses = random.choice(("nothing", "failover", "restart"))
    return Plan(
        nodes=random.choice((1, 2, 2, 3, 3, 4, 5)),
        callers=random.choice((1, 2, 4, 8, 16, 64)),
        limit=random.choice((0, 1, 7, 100, 1000, 2**53)),
        faults=random.choice((0, 1, 2, 4)),
        length_s=random.choice((0.3, 1.0, 2.5)),
        loses=loses,
        waits=loses == "failover" and random.random() < 0.5,
        network=random.random() < 0.6,
        from_scratch=loses == "restart" and random.random() < 0.3,
    )


class Books:
    """The oracle: what was admitted and not given back, whoever remembers it."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.limits = limits
        self.revision = 0  # of the limit that changes
        self.graces = 0  # overrides under way that lift it
        self.open: dict[str, dict[str, int]] = {}
        self.sums = dict.fromkeys((SHARED, SECOND, COUNTED, *(name for name in limits if is_of_now(name))), 0)
        self.settled_ids: set[str] = set()
        self.refused = self.admitted = 0

    def admit(self, id: str, holds: Holds) -> None:
        self.admitted += 1
        mine = self.open.setdefault(id, {})
        for one in holds:
            mine[one.counter] = mine.get(one.counter, 0) + one.amount
            self.sums[one.counter] += one.amount
            limit = self.limit(one.counter)
            if limit is not None and self.sums[one.counter] > limit:
                raise Broken(f"I1: {self.sums[one.counter]} of {limit} {one.counter}")

    def end(self, id: str) -> None:
        """The process of a call is gone: what it held is spent, but for its place among calls at a time."""
        for counter, amount in self.open.get(id, {}).items():
            if is_of_now(counter):
                self.sums[counter] -= amount

    def limit(self, counter: str) -> int | None:
        return AMOUNT_MAX if counter == SHARED and self.graces else self.limits.get(counter)

    def settle(self, id: str, actual: dict[str, int], seq: int) -> None:
        if bool(seq) == (id in self.settled_ids):
            raise Broken(f"I3: {id} settled with {seq}")
        if seq:
            self.settled_ids.add(id)
            held = self.open.pop(id)
            for counter, amount in actual.items():
                self.sums[counter] += amount - held.get(counter, 0)


class Schedule:
    """Runs one seed. `twist` puts a known bug in, to see it caught. `plain`: no calls at a time, and nobody leaves."""

    def __init__(self, seed: int, twist: Callable[["Schedule"], None] | None = None, *, plain: bool = False) -> None:
        self.random = random = Random(seed)
        self.plain = plain
        places = None if plain else Random(seed + 1).choice((None, 1, 3))
        self.plan = plan(random)
        if places == 1:  # time enough for counters to be let go of, and for the store to lose that
            self.plan = msgspec.structs.replace(self.plan, length_s=self.plan.length_s + LINGERS_S)
        self.loop = SimulatedLoop(random)
        self.server = Server(self.loop, random, waits=self.plan.waits)
        limits = {SHARED: self.plan.limit, SECOND: max(self.plan.limit // 2, 3)}
        self.books = Books(limits if places is None else {**limits, AT_ONCE: places})
        self.ids = 0
        self.to_come = 0  # callers that have not begun
        self.powers = 0
        self.stopping = 0  # nodes that are being stopped, or stay away for a while
        nodes_min = self.plan.nodes if self.plan.from_scratch else 1
        self.nodes = [
            Node(f"n{index}", self.loop, random, Network(self.server, random, faulty=False), nodes_min)
            for index in range(self.plan.nodes)
        ]
        for node in self.nodes:
            node.watch = lambda name: Watch(self.plan.limit, PERCENTS) if name == COUNTED else None
        if twist is not None:
            twist(self)

    def run(self) -> None:
        """Raises Broken, or returns."""
        for node in self.nodes:
            node.start()
        self.loop.run(5.0, self._settled_in)
        self._arm()
        start_s = self.loop.time()
        for _ in range(self.plan.callers):
            self._call(self.random.choice(self.nodes), start_s)
        for _ in range(self.plan.faults):
            self.loop.call_at(start_s + self.random.random() * self.plan.length_s, self._fault)
        self.loop.run(start_s + self.plan.length_s)
        self._calm()
        self._finish()
        self._probe()
        self._count()

    def _settled_in(self) -> bool:
        return all(node.ledger.open for node in self._there())

    def _there(self) -> list[Node]:
        return [node for node in self.nodes if not node.gone]

    def _arm(self) -> None:
        if not self._settled_in():
            raise Broken("liveness: a new store is not opened")
        # All know each other by now; what is older than that the store may not lose, unless nodes are counted.
        self.server.floor = 0 if self.plan.from_scratch else len(self.server.states) - 1
        self.server.replicated = len(self.server.states) - 1
        for node in self.nodes:
            node.network.faulty = self.plan.network

    # Callers

    def _call(self, node: Node, start_s: float) -> None:
        self.to_come += 1
        self.loop.call_at(start_s + self.random.random() * self.plan.length_s, self._begin, node)

    def _begin(self, node: Node) -> None:
        self.to_come -= 1
        if node.alive and not node.stops:
            node.spawn(self._life(node))

    def _holds(self, amount: int) -> Holds:
        limits = self.books.limits
        wanted = [self._shared(amount), hold(COUNTED, amount, None)]
        if amount % 2:
            wanted.append(hold(SECOND, 1, limits[SECOND]))
        if AT_ONCE in limits and amount % 3:
            wanted.append(hold(AT_ONCE, 1, limits[AT_ONCE]))
        return holds(*wanted)

    def _shared(self, amount: int) -> Hold:
        return hold(SHARED, amount, self.books.limit(SHARED), revision=self.books.revision)

    async def _life(self, node: Node) -> None:
        """One call: reserve, perhaps extend, settle, perhaps twice."""
        random, sleep = self.random, asyncio_sleep(self.loop)
        for _ in range(random.choice((1, 3))):
            self.ids += 1
            id = f"id{self.ids}"
            amount = 1 + int(random.random() * max(self.plan.limit, 4) / random.choice((1, 10, 50)))
            if await node.take(id, lambda amount=amount: self._holds(amount), random.choice((0.05, 0.5))) is not None:
                self.books.refused += 1
                continue
            self.books.admit(id, self._holds(amount))
            node.calls.append(id)
            await sleep(random.random() * 0.3)
            more = holds(self._shared(1 + amount // 3))
            if random.random() < 0.3 and node.extend(id, more) is None:
                self.books.admit(id, more)
                await sleep(random.random() * 0.3)
            self._settle(node, id)
            node.ledger.over(AT_ONCE)  # is let go of as soon as nobody here has a place

    def _settle(self, node: Node, id: str) -> None:
        share = self.random.choice((0.0, 0.5, 1.0))
        held = node.ledger.held(id)
        actual = {name: 0 if is_of_now(name) else int(amount * share) for name, amount in held.items()}
        for _ in range(self.random.choice((1, 1, 2))):
            self.books.settle(id, actual, node.settle(id, actual))
        if actual and self.plan.limit < 2**50 and self.random.random() < 0.2:
            self._give_back(id, int(actual[SHARED] * self.random.random()))

    def _give_back(self, id: str, amount: int) -> None:
        """Another call tells, perhaps at another node, that work was charged too much; it is journaled with no hold."""
        working = [node for node in self.nodes if node.alive and not node.stops]
        if not working:
            return
        node = self.random.choice(working)
        teller, actual = f"{id}-told", {SHARED: -amount, COUNTED: 1}
        node.ledger.reserve(teller, holds())
        self.books.admit(teller, holds())
        self.books.settle(teller, actual, node.settle_later(teller, actual))

    # Faults

    def _fault(self) -> None:
        node = self.random.choice(self.nodes)
        faults = [self._crash, self._partition, self._jump, self._change_limit, self._grace, self._outage]
        if self.plan.loses != "nothing":
            faults += [self._lose] * 3
        if not (self.plain or self.plan.from_scratch):  # where nodes are counted, none may be missing
            faults += [self._stop] * 2
        self.random.choice(faults)(node)

    def _crash(self, node: Node) -> None:
        if node.alive:
            power = self.random.random() < 0.3
            self.powers += power
            self._end(node, power=power)
            self.loop.call_later(self.random.random(), self._restart, node)

    def _end(self, node: Node, *, power: bool) -> None:
        node.crash(power=power)
        for id in node.calls:
            self.books.end(id)
        node.calls.clear()

    def _restart(self, node: Node) -> None:
        if not node.alive and not node.gone:
            node.start()
            self._call(node, self.loop.time())

    def _stop(self, node: Node) -> None:
        """A node is told to stop, while others go on; it may stay away."""
        others = [other for other in self.nodes if other is not node and not (other.stops or other.gone)]
        if node.alive and not node.stops and others:
            node.stops = True
            self.stopping += 1
            # A store that forgets that a node has left waits for it.
            returns = self.plan.loses != "nothing" or self.random.random() < 0.5
            self.loop.create_task(self._leave(node, node.life, returns=returns))

    async def _leave(self, node: Node, life: int, *, returns: bool) -> None:
        """Once its calls have ended, unless it dies before."""
        sleep = asyncio_sleep(self.loop)

        def lives() -> bool:
            return node.alive and node.life == life

        while lives() and len(node.tasks) > 1:
            await sleep(POLL_S)
        if lives():
            left = await node.leave()
            if lives():
                self._end(node, power=False)
                node.gone = left
        await sleep(self.random.random())
        self.stopping -= 1
        node.gone = node.gone and not returns
        self._restart(node)

    def _partition(self, node: Node) -> None:
        node.network.cut = True
        self.loop.call_later(self.random.random() * 2, setattr, node.network, "cut", False)

    def _jump(self, node: Node) -> None:
        """A node's clock is monotonic and jumps ahead at most, where the machine slept; a server's jumps both ways."""
        seconds = self.random.choice((2.0, 3600.0))
        if self.random.random() < 0.5:
            node.clock_off_s += seconds
        else:
            self.server.clock_off_ms += int(seconds * self.random.choice((-1000, 1000)))

    def _change_limit(self, _: Node) -> None:
        self.books.revision += 1
        self.books.limits[SHARED] = int(self.books.limits[SHARED] * self.random.choice((0, 0.5, 0.9, 1.1, 2))) % 2**54

    def _grace(self, _: Node) -> None:
        """For some time nothing is refused, and then the limit is what it was before."""

        def end() -> None:
            self.books.graces -= 1
            self.books.revision += 1

        if self.plan.limit < 2**50:
            self.books.graces += 1
            self.books.revision += 1
            self.loop.call_later(self.random.random(), end)

    def _outage(self, _: Node) -> None:
        self.server.up = False
        self.loop.call_later(self.random.random(), setattr, self.server, "up", True)

    def _lose(self, _: Node) -> None:
        self.server.fail_over() if self.plan.loses == "failover" else self.server.restart_from_older()

    # What must hold in the end

    def _calm(self) -> None:
        self.server.up = True
        for node in self.nodes:
            node.network.cut = node.network.faulty = False
            if not (node.alive or node.gone):
                node.start()
        # A clock that jumped makes everybody look dead for a beat, which may have to wait for one that was lost.
        waits = self.plan.network or self.plan.faults > 0
        self.loop.run(self.loop.time() + 5 * POLL_S + (TIMEOUT_S if waits else 0))

    def _finish(self) -> None:
        """Callers end, spending is reported, slack is given back."""
        self.loop.run(self.loop.time() + CALM_S, self._quiet)
        if not self._quiet():
            raise Broken("liveness: callers do not end, or a store is not opened")

    def _quiet(self) -> bool:
        ended = self.to_come == self.books.graces == self.stopping == 0
        return ended and all(len(node.tasks) == 1 and node.ledger.open for node in self._there())

    def _probe(self) -> None:
        """What is left is asked for by all nodes at once, to the last unit: none of it may be refused."""
        self._contact()
        limit = self.books.limits[SHARED]
        # After a power cut nodes count whole claims as spent, as the store then does.
        spent = self.server.claims(SHARED)[0] if self.powers else self.books.sums[SHARED]
        left, nodes = max(min(limit, 2**53) - spent, 0), self._there()
        parts = [left // len(nodes)] * (len(nodes) - 1)
        parts.append(left - sum(parts))
        refused: list[str] = []
        for node, part in zip(nodes, parts, strict=True):
            if part:
                node.spawn(self._probe_one(node, self._shared(part), refused))
        for place in range(self.books.limits.get(AT_ONCE, 0)):
            node = nodes[place % len(nodes)]
            node.spawn(self._probe_one(node, hold(AT_ONCE, 1, self.books.limits[AT_ONCE]), refused))
        self.loop.run(self.loop.time() + CALM_S, self._quiet)
        if refused or not self._quiet():
            raise Broken(f"liveness: {parts} of {limit} with {spent} spent: {refused}")

    def _contact(self) -> None:
        """Every node speaks of every counter, as it does when others lack some of it; all is reported."""
        for _ in range(2):  # the second time each hears what the others said
            for node in self._there():
                node.spawn(node.ledger._sync_all(self.books.sums))
            self.loop.run(self.loop.time() + CALM_S, self._reported)

    async def _probe_one(self, node: Node, part: Hold, refused: list[str]) -> None:
        self.ids += 1
        id = f"probe{self.ids}"
        wanted = holds(part)
        short = await node.take(id, lambda: wanted, 10.0)
        if short is not None:
            refused.append(f"{node.name}: {short}")
            return
        self.books.admit(id, wanted)
        await asyncio_sleep(self.loop)(0.5)
        self.books.settle(id, {part.counter: 0}, node.settle(id, {part.counter: 0}))

    def _count(self) -> None:
        """Holds have returned, and the store's sums are those of the books, or more where a disk forgot."""
        self.loop.run(self.loop.time() + REPORT_S + 2 * PREFETCH_S)  # nothing is fetched ahead for what nobody uses
        for node in self._there():
            for name in node.ledger._leases.by_name:
                node.ledger._leases.give(name)
        self._contact()
        for counter, truth in self.books.sums.items():
            spent, claims = self.server.claims(counter)
            if claims != spent:
                raise Broken(f"holds: {claims - spent} of {counter} are claimed though nothing is held")
            known = counter != COUNTED or not self.powers  # what has no claim is only as safe as the journal
            if (known and spent < truth) or (not self.powers and spent != truth):
                raise Broken(f"sums: the store has {spent} of {counter}, the books {truth}")
        self._count_thresholds()

    def _reported(self) -> bool:
        return self._quiet() and all(node.ledger._leases.is_reported for node in self._there())

    def _count_thresholds(self) -> None:
        told = [crossing for node in self.nodes for crossing in node.thresholds]
        spent = self.server.claims(COUNTED)[0]
        due = [(COUNTED, p) for p in PERCENTS if self.plan.limit and spent * 100 >= self.plan.limit * p]
        if set(due) - set(told):
            raise Broken(f"thresholds: {due} crossed, {told} told")
        if self.plan.faults == 0 and not self.plan.network and len(told) != len(set(told)):
            raise Broken(f"thresholds: told twice: {told}")


def run(seed: int, twist: Callable[[Schedule], None] | None = None, *, plain: bool = False) -> Schedule:
    """Runs a schedule. Raises Broken."""
    schedule = Schedule(seed, twist, plain=plain)
    schedule.run()
    return schedule
