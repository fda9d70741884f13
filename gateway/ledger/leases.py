"""Owns the arithmetic of leases: what a node may spend of each counter, what it states of it, what an answer changes.

A lease is a claim on a counter that all nodes share, in one running total: what the node has settled, what it holds
and the slack it may still hold. The store grants only as long as the claims of all nodes stay within the limit; here
settled + held <= claim, whatever becomes of the store. No I/O, no clock.
"""

from collections.abc import Mapping

import msgspec

from gateway.ledger.base import AMOUNT_MAX, Balance, Hold, Holds, Shortage, Terms, is_of_now
from gateway.ledger.counters import Counter, Counters
from gateway.ledger.store import EVER, Answer, Statement, granted_by


class Watch(msgspec.Struct, frozen=True, gc=False):
    """When to tell that a counter fills: at these percents of this limit, which need not be one that refuses."""

    limit: int
    percents: tuple[int, ...]


class Lease(msgspec.Struct):
    """What a node knows of one counter beside its own sums."""

    limit: int | None = None  # of the last hold; None: it had none
    unlimited: bool = False  # there was such a hold
    seq: int = 0  # of the last statement
    back: int = 0  # given back of what had been settled: stated apart, for what is stated as spent never falls
    stated: bool = True  # False: the server that speaks now has not heard of it
    pending_claim: int = 0  # granted, and not yet remembered on disk
    forfeit: int = 0  # counted as spent at the start, for nobody could say what became of it
    grain: int = 0  # the last slice granted; the low-water mark is half of it
    used_at_s: float = 0.0  # when it was last found in use
    others_spent: int = 0
    others_claim: int = 0
    recalled: bool = False
    revision: int = 0  # of that limit
    heard: frozenset[int] = frozenset()  # percents passed on
    waiting: dict[int, int] = {}  # who waits for it -> how much each wants to hold

    def limit_by(self, terms: Terms) -> bool:
        """Takes the limit of the newest hold; whether the claims of all nodes may be above it now."""
        before, self.limit = self.limit, terms.limit
        if terms.limit is None:
            self.unlimited = True
            return False
        # A limit that was raised and lowered again while nobody asked here looks as before, and is not: others may
        # have claimed under the higher one.
        lowered = self.unlimited or (before is not None and (terms.limit < before or terms.revision != self.revision))
        self.unlimited, self.revision = False, terms.revision
        return lowered


class Leases:
    """The counters of one node. All methods are synchronous and belong to one thread."""

    def __init__(self, node: str, epoch: int, *, keep: bool) -> None:
        self.node = node
        self.epoch = epoch
        self.counters = Counters(lease=0, heard=self._follow)
        self.by_name: dict[str, Lease] = {}
        self.unreported: set[str] = set()
        self._lowered: set[str] = set()  # whose limit was, and the claims of all nodes may still be above it
        self._settled: set[str] = set()  # since `idle` was asked
        self.keep = keep  # claims of an earlier start count as spent

    def reserve(self, id: str, holds: Holds) -> Shortage | None:
        """Takes all of the holds or none."""
        if self._lowered:
            self._take_back(holds)
        return self.counters.reserve(id, holds)

    def extend(self, id: str, holds: Holds) -> Shortage | None:
        """Takes more for an id that holds, all or none."""
        if self._lowered:
            self._take_back(holds)
        return self.counters.extend(id, holds)

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        """Turns an id's holds into what was consumed; the seq of it, or 0 where it holds nothing."""
        seq = self.counters.settle(id, actual)
        if seq:
            self._settled.update(actual)
            if not actual.keys() <= self.by_name.keys():
                for name in [name for name in actual if name not in self.by_name]:
                    self._new(name)
        return seq

    def settle_later(self, id: str, actual: Mapping[str, int]) -> int:
        """The same where some of it is below zero, for another call was charged too much.

        That is no slack of this node's: a limit may have been lowered meanwhile of which it has not heard.
        """
        seq = self.settle(id, actual)
        for name, amount in actual.items() if seq else ():
            if amount < 0:
                counter = self.counters.by_name[name]
                counter.lend((counter.lease or 0) + amount)
                self.by_name[name].back -= amount
        return seq

    def follow(self, holds: Holds) -> None:
        """Makes the leases that are missing, of counters whose limits are those of the holds."""
        self.counters.follow(holds)
        self._take_back(holds)

    def _take_back(self, holds: Holds) -> None:
        """Takes slack back that was granted under a higher limit.

        What is given back of calls is no slack either, until all claims are known to be within the lower limit.
        """
        for name in self._lowered.intersection(holds.counters):
            self._lower(name, 0)

    def _follow(self, terms: Terms) -> None:
        """A counter is limited by these terms from now on."""
        lease = self.by_name.get(terms.counter) or self._new(terms.counter)
        if lease.limit_by(terms):
            self._lowered.add(terms.counter)
        if terms.counter in self._lowered:
            self._lower(terms.counter, 0)

    def _new(self, name: str) -> Lease:
        lease = self.by_name[name] = Lease()
        return lease

    def idle(self, since_s: float, now_s: float) -> list[str]:
        """Counters found in use last before then. Finds what is in use now: to be asked before each report."""
        for name, lease in self.by_name.items():
            if self._in_use(name, lease):
                lease.used_at_s = now_s
        self.unreported |= self._settled
        self._settled.clear()
        return [name for name, lease in self.by_name.items() if not since_s < lease.used_at_s <= now_s]

    def _in_use(self, name: str, lease: Lease) -> bool:
        """Whether something is held of it or waited for, or was settled since `idle` was asked."""
        counter = self.counters.by_name.get(name)
        return name in self._settled or bool(lease.waiting) or (counter is not None and counter.held > 0)

    def restore(self, name: str, settled: int, counted: int, back: int) -> None:
        """Counts what this node spent before it was started again; `counted` is more where nobody can say."""
        lease = self._new(name)
        lease.stated = False
        lease.forfeit, lease.back = counted - settled, back
        self._recount(name, counted)

    def restore_more(self, settled: Mapping[str, int]) -> None:
        """Counts what a call spent after the checkpoint, or gave back. What was forfeited may have been spent on it."""
        for name, amount in settled.items():
            lease = self.by_name.get(name) or self._new(name)
            lease.stated = False
            if is_of_now(name):
                continue
            lease.back += max(-amount, 0)
            covered = min(lease.forfeit, max(amount, 0))
            lease.forfeit -= covered
            self._recount(name, amount - covered)

    def _recount(self, name: str, amount: int) -> None:
        self.counters.add(name, amount)
        counter = self.counters.by_name[name]
        counter.lend(counter.settled)  # what had been given back may be claimed by others by now
        self.unreported.add(name)

    def wait(self, waiter: int, holds: Holds) -> None:
        for hold in holds:
            self.by_name[hold.counter].waiting[waiter] = hold.amount

    def wait_no_more(self, waiter: int, holds: Holds) -> None:
        for hold in holds:
            lease = self.by_name.get(hold.counter)
            if lease is not None:
                lease.waiting.pop(waiter, None)

    def restate(self) -> None:
        """Another server speaks: whatever it knows, it has to be told everything."""
        for lease in self.by_name.values():
            lease.stated = False

    def unstated(self) -> list[str]:
        return [name for name, lease in self.by_name.items() if not lease.stated]

    # Slack

    def give(self, name: str) -> None:
        """Lowers the claim to what is settled, held or waited for; true from here on, whoever hears of it."""
        lease = self.by_name.get(name)
        if lease is not None:
            lease.grain = 0  # nothing is fetched ahead before somebody has asked for a slice again
            self._lower(name, sum(lease.waiting.values()))

    def is_blank(self, name: str) -> bool:
        """Whether this node has nothing of a counter, and never had."""
        counter = self.counters.by_name.get(name)
        return counter is None or counter.is_blank

    def _lower(self, name: str, slack: int) -> None:
        counter = self.counters.by_name.get(name)
        if counter is None:
            return
        kept = counter.settled + counter.held + slack
        if kept < (counter.lease or 0):
            counter.lend(kept)
            self.unreported.add(name)

    def slack(self, name: str) -> int:
        """What may still be held without asking; 0 too where more was settled than had been held."""
        counter = self.counters.by_name.get(name)
        return 0 if counter is None else max((counter.lease or 0) - counter.settled - counter.held, 0)

    def low(self, since_s: float) -> list[str]:
        """Counters in use since then whose next slice is better fetched before somebody waits for it."""
        return [
            name
            for name, lease in self.by_name.items()
            if lease.grain
            and lease.limit is not None
            and not lease.recalled
            and (lease.used_at_s >= since_s or self._in_use(name, lease))
            and self.slack(name) < lease.grain // 2
        ]

    # What the store is told, and what it answers

    @property
    def is_reported(self) -> bool:
        """Whether the store has heard of all that was settled or given back."""
        return not (self.unreported or self._settled)

    def need(self, hold: Hold) -> int:
        """How much is missing for a hold, at least 1; beyond what is settled, held and slack."""
        return max(hold.amount - self.slack(hold.counter), 1)

    def hopeless(self, hold: Hold) -> bool:
        """Whether what this node alone has settled and holds leaves too little, whatever others claim.

        They may have given back more than they have settled: that is heard with the next report.
        """
        counter, lease = self.counters.by_name[hold.counter], self.by_name[hold.counter]
        limit = min(hold.limit or 0, AMOUNT_MAX) - min(lease.others_spent, 0)
        hopeless = counter.settled + counter.held + hold.amount > limit
        if hopeless:
            self.unreported.add(hold.counter)
        return hopeless

    def free(self, hold: Hold) -> int:
        """What nobody claims of a counter, as far as this node has heard."""
        lease = self.by_name[hold.counter]
        counter = self.counters.by_name[hold.counter]
        mine = max(counter.lease or 0, counter.settled + counter.held)
        return (_exact(hold.limit) or 0) - mine - lease.others_claim

    def statement(
        self,
        name: str,
        run: str,
        *,
        need: int = 0,
        more: bool = False,
        live: int = 1,
        since: int = EVER,
        watch: Watch | None = None,
        keep_ms: int = 0,
    ) -> Statement:
        """The next statement about a counter. No other may be under way: a grant raises what it says."""
        lease = self.by_name.get(name) or Lease()
        counter = self.counters.by_name.get(name) or Counter(lease=0)
        lease.seq += 1
        used = counter.settled + counter.held
        claim = max(counter.lease or 0, used)
        counter.lend(claim)
        wanted = sum(lease.waiting.values()) - (claim - used)
        return Statement(
            counter=name,
            node=self.node,
            epoch=self.epoch,
            seq=lease.seq,
            run=run,
            spent=min(counter.settled + lease.back, AMOUNT_MAX),
            claim=min(claim + lease.back, AMOUNT_MAX),
            back=min(lease.back, AMOUNT_MAX),
            keep=self.keep and not is_of_now(name),
            gives=claim <= used + sum(lease.waiting.values()),
            need=min(need, AMOUNT_MAX),
            want=min(max(need, wanted), AMOUNT_MAX) if need else 0,
            more=more,
            limit=_exact(lease.limit),
            revision=lease.revision,
            live=live,
            since=since,
            marks=_marks(watch),
            heard=tuple(sorted(lease.heard)),
            keep_ms=keep_ms,
        )

    def heard(self, said: Statement, answer: Answer) -> tuple[int, ...]:
        """What an answer tells of all nodes; the thresholds that this node has to pass on, each once.

        Nothing may be spent yet of what was granted: that is `accept`.
        """
        name = said.counter
        lease = self.by_name.get(name)
        lost = answer.status == "old" and answer.claim > said.claim  # the store has lost that it was let go of here
        if lease is None and (answer.marks or answer.spent > said.spent or answer.back > said.back or lost):
            # Another start of this node left something behind that is this one's to do.
            lease = self._new(name)
            lease.seq = said.seq
        if lease is None:
            self.unreported.discard(name)
            return ()
        if answer.status != "ok":
            lease.seq = max(lease.seq, answer.seq)
            return ()
        spent, back = answer.spent - said.spent, answer.back - said.back
        if spent or back:  # by an earlier start of this node, or before the counter was forgotten here
            self.counters.add(name, spent - back)
            counter = self.counters.by_name[name]
            counter.lend(max((counter.lease or 0) - back, counter.settled + counter.held))  # as in `settle_later`
            lease.back += back
            if is_of_now(name):  # of calls that have ended with that start
                self._unspend(name)
        lease.pending_claim = answer.claim - answer.back if said.asks else 0
        lease.others_spent = answer.all_spent - (answer.spent - answer.back)
        lease.others_claim = answer.all_claims - (answer.claim - answer.back)
        lease.recalled = answer.recalled
        same = said.limit == _exact(lease.limit) and said.revision == lease.revision
        # A store that is not open yet has not heard everybody's claims.
        if said.limit is not None and same and said.run == answer.run and answer.all_claims <= said.limit:
            self._lowered.discard(name)
        new = tuple(percent for percent in answer.marks if percent not in lease.heard)
        lease.heard |= set(new)
        counter = self.counters.by_name.get(name)
        if counter is None or (
            counter.settled == answer.spent - answer.back and (counter.lease or 0) >= said.claim - said.back
        ):
            self.unreported.discard(name)
        if new:
            self.unreported.add(name)  # the store is told that they were passed on
        return new

    def _unspend(self, name: str) -> None:
        counter = self.counters.by_name[name]
        self.by_name[name].back += counter.settled
        counter.lend((counter.lease or 0) - counter.settled)
        counter.settled = 0

    def accept(self, said: Statement, answer: Answer, run: str) -> int:
        """Takes what was granted into the lease; how much. Nothing if another server or another limit counts by now."""
        lease = self.by_name.get(said.counter)
        if lease is None:
            return 0
        lease.pending_claim = 0
        granted = granted_by(said, answer)
        if not granted:
            return 0
        lower = (lease.limit or 0) < (said.limit or 0) or lease.revision != said.revision
        if said.run != run or answer.run != run or lower or said.counter in self._lowered:
            self.unreported.add(said.counter)  # the store has it as ours, and is told that it is not
            return 0
        counter = self.counters.by_name.get(said.counter)
        if counter is None:
            self.counters.add(said.counter, 0)
            counter = self.counters.by_name[said.counter]
        counter.lend((counter.lease or 0) + granted)
        lease.grain = granted
        return granted

    def stated(self, said: Statement, answer: Answer, run: str) -> None:
        """Marks a counter as told to the server that speaks now."""
        if answer.status == "ok" and answer.run == run and said.counter in self.by_name:
            self.by_name[said.counter].stated = True

    # What people and the disk are told

    def claims(self) -> dict[str, tuple[int, int]]:
        """counter -> (settled, claim), where the claim is never below what may be spent before this is asked again."""
        found: dict[str, tuple[int, int]] = {}
        for name, lease in self.by_name.items():
            counter = self.counters.by_name.get(name) or Counter(lease=0)
            claim = max(counter.lease or 0, counter.settled + counter.held, lease.pending_claim)
            if claim or counter.settled:
                found[name] = (counter.settled, claim)
        return found

    def backs(self) -> dict[str, int]:
        """counter -> what was given back of it, where anything was."""
        return {name: lease.back for name, lease in self.by_name.items() if lease.back}

    def balance(self, name: str) -> Balance:
        lease = self.by_name.get(name)
        counter = self.counters.by_name.get(name) or Counter()
        if lease is None:
            return Balance(counter.settled, counter.held, 0)
        leased = max(lease.others_claim - lease.others_spent, 0)
        return Balance(counter.settled + lease.others_spent, counter.held, leased)

    def shortage(self, hold: Hold, free: int) -> Shortage:
        return Shortage(hold.counter, hold.amount, max(free, 0) + self.slack(hold.counter))

    def forget(self, name: str) -> bool:
        """Drops a counter of a period that is over; False where something is held or waited for, or not yet told."""
        lease = self.by_name.get(name)
        if name in self.unreported or (lease is not None and self._in_use(name, lease)):
            return False
        self.counters.forget(name)
        self.by_name.pop(name, None)
        self._lowered.discard(name)
        return True


def _exact(limit: int | None) -> int | None:
    """A limit as the store can count it; lower where it is beyond all counting."""
    return None if limit is None else min(max(limit, 0), AMOUNT_MAX)


def _marks(watch: Watch | None) -> tuple[tuple[int, int], ...]:
    if watch is None or watch.limit <= 0:
        return ()
    return tuple((percent, min(-(-watch.limit * percent // 100), AMOUNT_MAX)) for percent in watch.percents)
