"""Owns the ledger of several nodes: reserve and settle in memory, leases fetched, reported and given back beside it.

The request path touches `Leases` alone. `obtain` asks the store where a lease does not suffice; `agent`, a coroutine
that its caller runs, does the rest. Store, disk, sleep and a monotonic clock are arguments: a simulation drives it all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from gateway.ledger.base import (
    Balance,
    Crossed,
    Hold,
    Holds,
    Shortage,
    Unreachable,
    is_endless,
    is_of_now,
    is_of_the_clock,
)
from gateway.ledger.leases import Leases, Watch
from gateway.ledger.leases_file import Checkpoint
from gateway.ledger.store import EVER, Answer, Beat, Fence, Statement, Store, StoreDown, granted_by

# How often a node says that it is there and hears what others lack: the time a recall takes. A script of 0.1 ms.
POLL_S = 0.1
# How long spending may go unreported: thresholds and what people see are that old.
REPORT_S = 1.0
# A lease is fetched ahead for counters in use: used so lately.
PREFETCH_S = 1.0
# A counter unused for so long gives its slack back, so that a node that works finds it without a recall.
IDLE_S = 10.0
# What `obtain` waits between two questions while others give back: they hear of it within POLL_S.
RECALL_S = 0.03
# Grants that others snatch away are fetched again, but not for ever; beyond a caller's timeout by no more than this.
TIMEOUT_MARGIN_S = 1.0
# Statements under way at once: enough to fill a round trip, few enough for a pool of connections.
SYNCS_AT_A_TIME = 32
# Counters whose period is over that are let go of between two beats: as many as end a minute at once, in some of them.
FINISHED_AT_ONCE = 8 * SYNCS_AT_A_TIME
# How long the store keeps a counter that a node has let go of. Longer than any window, for another may still be in it;
# of minutes and hours, of which each user may have a thousand a day, and of calls at a time, longer than any call.
KEEP_MS = 35 * 86_400_000
KEEP_SHORT_MS = 3 * 86_400_000

Save = Callable[[Checkpoint], Awaitable[None]]
OnThreshold = Callable[[str, int, int], None]


class Identity(msgspec.Struct, frozen=True):
    """Who a node is. `node` belongs to its data directory, `epoch` grows and `nonce` is drawn with every start."""

    node: str
    epoch: int
    nonce: str
    machine: str = ""
    nodes_min: int = 1  # a store is opened only once so many nodes have attested it


class RedisLedger:
    """A node's ledger. One thread and one event loop use it; nothing but `obtain` and `agent` waits."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        save: Save,
        restored: Checkpoint | None = None,
        complete: bool = True,
        watch: Callable[[str], Watch | None] | None = None,
        on_threshold: OnThreshold = lambda _counter, _percent, _spent: None,
    ) -> None:
        """`restored` is the last start's checkpoint; `complete` says that the journal has all that came after it.

        Where it may not (a power cut, another machine), every claim of the last start counts as spent. `watch` names a
        counter's thresholds; without it they are those of its last hold here.
        """
        self._identity = identity
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._save = save
        self._watch = watch or self.watched
        self._on_threshold = on_threshold
        self._leases = Leases(identity.node, identity.epoch, keep=not complete)
        self._counters = self._leases.counters
        self.held = self._counters.held
        self.reserve = self._leases.reserve
        self.extend = self._leases.extend
        self.settle = self._leases.settle
        self.settle_later = self._leases.settle_later
        self._under_way: dict[str, asyncio.Event] = {}  # counter -> set when the statement about it is answered
        self._lacks: dict[int, str] = {}  # who waits -> for which counter
        self._waiters = 0
        self._granted: set[str] = set()  # counters whose last answer brought something
        self._over: dict[str, None] = {}  # in the order in which they are let go of
        self._crossed: list[Crossed] = []
        self._reported_at_s = clock()
        self._run, self._fence = "", 0
        self._attests = 0  # the fence under which everything is stated
        self._roster_version, self._roster, self._live = 0, (), (identity.node,)
        self._remembers = 0  # the roster version that is on disk
        self.open = False  # whether the store may grant to this node
        self._left = False
        self.fenced = False  # another process has this identity: nothing is granted any more
        self._save_turn = asyncio.Lock()
        self._saves_wanted = self._saves_done = 0
        self._writes: set[asyncio.Future[None]] = set()
        if restored is not None:
            self._recall_checkpoint(restored, complete=complete)

    def _recall_checkpoint(self, was: Checkpoint, *, complete: bool) -> None:
        assert was.node == self._identity.node, "a checkpoint belongs to one node"
        assert was.epoch < self._identity.epoch, "every start has an epoch of its own"
        self._run, self._fence = was.run, was.fence
        self._roster_version, self._roster = was.roster_version, was.roster
        self._counters.seq = was.seq
        for name, (settled, claim) in was.claims.items():
            counted = settled if complete or is_of_now(name) else claim
            self._leases.restore(name, settled, counted, was.backs.get(name, 0))

    def restore(self, settled: Mapping[str, int], seq: int) -> None:
        """Adds what one final in the journal says was settled after the checkpoint's seq; before anything else is done.

        Intents without an end belong to it, at what they held.
        """
        self._leases.restore_more(settled)
        self._counters.seq = max(self._counters.seq, seq)

    # The request path

    @property
    def seq(self) -> int:
        return self._counters.seq

    def balance(self, counter: str) -> Balance:
        return self._leases.balance(counter)

    def counters(self) -> Mapping[str, Balance]:
        return {name: self._leases.balance(name) for name in self._leases.by_name}

    def crossed(self) -> Sequence[Crossed]:
        if not self._crossed:
            return ()
        crossed, self._crossed = self._crossed, []
        return crossed

    @property
    def silent(self) -> tuple[str, ...]:
        """Nodes on the roster that the store does not hear of."""
        return tuple(name for name in self._roster if name not in self._live)

    def watched(self, counter: str) -> Watch | None:
        """The thresholds of a counter, as its last hold here said."""
        one = self._counters.by_name.get(counter)
        if one is None or not one.whole or not one.terms.thresholds:
            return None
        return Watch(one.whole, one.terms.thresholds)

    def finish_periods(self, now_s: int) -> None:
        """Lets go of counters whose windows ended so long ago that nothing of theirs settles any more."""
        self._over.update(dict.fromkeys(self._counters.ended(now_s)))

    def over(self, counter: str) -> None:
        """The period of a counter has ended: it is reported once more, and then forgotten here."""
        self._over[counter] = None

    # Fetching

    async def obtain(self, holds: Holds, timeout_s: float) -> Shortage | Unreachable | None:
        """Fetches what is missing. None: it fits now, if it is reserved before anything else is awaited."""
        until_s = self._clock() + timeout_s
        self._waiters += 1
        waiter = self._waiters
        since: dict[str, int] = {}
        self._leases.follow(holds)
        self._leases.wait(waiter, holds)
        try:
            while (short := self._counters.shortage(holds)) is not None:
                if self._clock() > until_s + TIMEOUT_MARGIN_S:
                    return Unreachable(short.counter)
                hold = next(hold for hold in holds if hold.counter == short.counter)
                refused = await self._fetch(hold, waiter, since, until_s)
                if refused is not None:
                    return refused
                self._leases.follow(holds)
            return None
        finally:
            self._leases.wait_no_more(waiter, holds)
            self._lacks.pop(waiter, None)

    async def _fetch(
        self, hold: Hold, waiter: int, since: dict[str, int], until_s: float
    ) -> Shortage | Unreachable | None:
        """One step towards a hold. None: look again whether it fits."""
        name = hold.counter
        if self._leases.hopeless(hold):
            return self._leases.shortage(hold, self._leases.free(hold))
        left_s = until_s - self._clock()
        if name in self._under_way:
            if left_s <= 0:
                asked = name in since  # it has refused this hold, and nobody gave back in time
                return self._leases.shortage(hold, self._leases.free(hold)) if asked else Unreachable(name)
            await self._under_way[name].wait()  # bounded by the store's timeout
            return None
        if not self.open:
            return await self._closed(name, left_s)
        try:
            answer = await self._sync(name, need=self._leases.need(hold), since=since.get(name, EVER))
        except StoreDown:
            return Unreachable(name)
        if answer is None or self._counters.shortage(Holds.of((hold,))) is None or name in self._granted:
            return None
        return await self._refused(hold, waiter, answer, since, until_s)

    async def _closed(self, name: str, left_s: float) -> Unreachable | None:
        """Nothing is granted before this node and all others have told a new server what they hold."""
        if left_s <= 0 or self.fenced:
            return Unreachable(name)
        await self._sleep(min(RECALL_S, left_s))
        return None

    async def _refused(
        self, hold: Hold, waiter: int, answer: Answer, since: dict[str, int], until_s: float
    ) -> Shortage | Unreachable | None:
        """The store has too little: others are asked to give back, and it is refused when they have."""
        name = hold.counter
        if answer.status == "fenced":
            return Unreachable(name)
        if answer.run != self._run or answer.status == "old":
            return await self._closed(name, until_s - self._clock())
        since.setdefault(name, answer.version)
        left_s = until_s - self._clock()
        free = min(hold.limit or 0, EVER) - answer.all_claims
        if left_s <= 0 or not set(answer.pending) & set(self._live):
            return self._leases.shortage(hold, free)
        if self._lacks.get(waiter) != name:
            self._lacks[waiter] = name
            try:
                await self._beat()
            except StoreDown:
                return Unreachable(name)
        await self._sleep(min(RECALL_S, max(left_s, 0)))
        return None

    async def _sync(
        self, name: str, *, need: int = 0, more: bool = False, since: int = EVER, keep_ms: int = 0
    ) -> Answer | None:
        """One statement and its answer, alone for its counter. None: one is under way. Raises StoreDown."""
        if name in self._under_way:
            return None
        done = self._under_way[name] = asyncio.Event()
        self._leases.unreported.add(name)  # until it is answered
        try:
            run = self._run if self.open else ""
            said = self._leases.statement(
                name,
                run,
                need=need,
                more=more,
                live=max(len(self._live), 1),
                since=since,
                watch=self._watch(name),
                keep_ms=keep_ms,
            )
            answer = await self._store.sync(said)
            await self._take(said, answer)
            return answer
        finally:
            del self._under_way[name]
            done.set()

    async def _take(self, said: Statement, answer: Answer) -> None:
        self._note_run(answer)
        for percent in self._leases.heard(said, answer):
            self._on_threshold(said.counter, percent, answer.all_spent)
            watch = self._watch(said.counter)
            if watch is not None:
                self._crossed.append(Crossed(said.counter, percent, answer.all_spent, watch.limit))
        if granted_by(said, answer):
            await self._remember()  # first on disk, then spent
            self._granted.add(said.counter)
        else:
            self._granted.discard(said.counter)
        self._leases.accept(said, answer, self._run if self.open else "")
        self._leases.stated(said, answer, self._run)

    def _note_run(self, answer: Answer) -> None:
        if answer.status == "fenced":
            self.fenced, self.open = True, False
        elif answer.run != self._run:
            self.open = False  # the next beat tells which fence this server has

    async def _remember(self) -> None:
        """Writes the checkpoint; who comes while one is written shares the next. Raises StoreDown."""
        write = asyncio.ensure_future(self._write())
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        await asyncio.shield(write)  # a caller who leaves must not leave two writes to one file

    async def _write(self) -> None:
        self._saves_wanted += 1
        mine = self._saves_wanted
        async with self._save_turn:
            if self._saves_done < mine:
                upto = self._saves_wanted
                try:
                    await self._save(self.checkpoint())
                except OSError as error:
                    raise StoreDown("the checkpoint cannot be written") from error
                self._saves_done = upto

    def checkpoint(self) -> Checkpoint:
        """What must be on disk for this node to be started again."""
        identity = self._identity
        return Checkpoint(
            node=identity.node,
            epoch=identity.epoch,
            machine=identity.machine,
            seq=self._counters.seq,
            run=self._run,
            fence=self._fence,
            roster_version=self._roster_version,
            roster=self._roster,
            claims=self._leases.claims(),
            backs=self._leases.backs(),
        )

    # Beside the request path

    async def agent(self) -> None:
        """Beats, reports, fetches ahead and gives back, until it is cancelled or the node has left."""
        while not (self.fenced or self._left):
            await self.step()
            await self._sleep(POLL_S)

    async def step(self) -> None:
        """One round of the agent. What fails is tried again in the next."""
        try:
            if not self._saves_done:
                await self._remember()  # an epoch is used once, so it is on disk before anybody hears it
            lacked = await self._beat()
            if self._attests != self._fence:
                await self._attest()
            for name in lacked:
                self._leases.give(name)
            await self._sync_all(lacked)
            await self._sync_all(self._due())
            await self._sync_all(self._leases.low(self._clock() - PREFETCH_S), more=True)
            await self._finish_periods()
        except StoreDown:
            return

    async def _beat(self) -> Sequence[str]:
        """Says that this node is there; which counters others lack."""
        identity = self._identity
        said = Beat(
            node=identity.node,
            epoch=identity.epoch,
            nonce=identity.nonce,
            run=self._run,
            fence=self._fence,
            attests=self._attests,
            knows=self._remembers,
            nodes_min=identity.nodes_min,
            roster=self._roster,
            lacks=tuple(sorted({name for name in self._lacks.values() if "\n" not in name})),
        )
        if self._left:
            return ()
        fence = await self._store.beat(said)
        if fence.status == "fenced":
            self.fenced, self.open = True, False
            return ()
        await self._follow(fence)
        return fence.lacked

    async def _follow(self, fence: Fence) -> None:
        """Obeys a fence, unless it is lower than one that was attested: then it is the word of the past."""
        if fence.fence < self._fence:
            return
        if (fence.run, fence.fence) != (self._run, self._fence):
            self._run, self._fence = fence.run, fence.fence
            self._attests = self._remembers = self._roster_version = 0
            self._leases.restate()
        self._live = fence.live
        self.open = fence.open and self._attests == self._fence and not self._left
        if fence.roster_version > self._roster_version:
            self._roster_version, self._roster = fence.roster_version, fence.roster
        if self._remembers != self._roster_version:
            version, number = self._roster_version, self._fence
            await self._remember()
            if number == self._fence:
                self._remembers = version

    async def _attest(self) -> None:
        """Tells a new server every claim, and then that it has been told every one."""
        number = self._fence
        await self._sync_all(self._leases.unstated())
        remembered = self._remembers == self._roster_version > 0
        if remembered and not self._leases.unstated() and number == self._fence and not self._under_way:
            self._attests = number
            await self._beat()

    def _due(self) -> list[str]:
        """Counters whose spending or slack the store should hear of now."""
        now_s = self._clock()
        if 0 <= now_s - self._reported_at_s < REPORT_S:
            return []
        self._reported_at_s = now_s
        for name in self._leases.idle(now_s - IDLE_S, now_s):
            self._leases.give(name)
            if is_of_now(name) and self._leases.is_blank(name):
                self._over[name] = None  # callers may choose its name, and another one each time
        return sorted(self._leases.unreported)

    async def _finish_periods(self) -> None:
        names = list(islice(self._over, FINISHED_AT_ONCE))
        for name in names:
            self._leases.give(name)
        for name in await self._sync_all(names, last=True):
            del self._over[name]
            if not self._leases.forget(name):
                self._over[name] = None  # the others come first

    async def _sync_all(self, names: Iterable[str], *, more: bool = False, last: bool = False) -> list[str]:
        """States every one of them, some at a time; those that were. Raises StoreDown if one could not be stated.

        `last`: it is let go of here.
        """
        waiting, stated = list(names), list[str]()
        for start in range(0, len(waiting), SYNCS_AT_A_TIME):
            lot = waiting[start : start + SYNCS_AT_A_TIME]
            done = await asyncio.gather(
                *(self._sync(name, more=more, keep_ms=_keep_ms(name) if last else 0) for name in lot),
                return_exceptions=True,
            )
            for name, outcome in zip(lot, done, strict=True):
                if isinstance(outcome, BaseException):
                    raise outcome
                if outcome is not None:
                    stated.append(name)
        return stated

    async def leave(self) -> bool:
        """Gives everything back and goes off the roster; whether it worked. Nothing is granted to it from here on.

        For the end of a process whose calls have all settled; one that may return with its disk need not leave.
        """
        self._left = True
        try:
            for name in self._leases.by_name:
                self._leases.give(name)
            await self._sync_all(list(self._leases.by_name), last=True)
            await self._remember()
            self.open = False
            return await self._store.leave(self._identity.node, self._identity.epoch)
        except StoreDown:
            return False


def _keep_ms(counter: str) -> int:
    """How long the store keeps a counter that a node has let go of; 0: for ever."""
    if is_of_now(counter) or is_of_the_clock(counter):
        return KEEP_SHORT_MS
    return 0 if is_endless(counter) else KEEP_MS
