"""Owns the arithmetic that all ledgers share: counters in memory, and who holds what of them. Knows no storage.

Where a counter has a lease, that is the limit here, whatever the quota says: the rest of the quota may be spent by
others. Where it has none, the limit of each hold is.
"""

from collections.abc import Mapping, Sequence

import msgspec

from gateway.ledger.base import Crossed, Hold, Shortage
from gateway.ledger.window import NEVER_S


def until(ends_at_s: int) -> Hold:
    """The last of a counter of which nobody has held anything since the start."""
    return Hold("", 0, None, ends_at_s=ends_at_s)


class Counter(msgspec.Struct):
    """`settled` and `held` are of this process; `lease` is what it may spend, None: all there is."""

    settled: int = 0
    held: int = 0
    lease: int | None = None
    last: Hold = until(NEVER_S)  # the last of it: what it says of limit, thresholds and window is so by now
    told: int = 0  # the highest threshold that was told of, in percent

    @property
    def whole(self) -> int | None:
        """The limit that thresholds are percent of."""
        return self.last.limit if self.last.whole is None else self.last.whole


class Counters:
    """Counters and holds of one process. All or nothing, by one thread. `lease` is what a new counter begins with."""

    def __init__(self, lease: int | None = None) -> None:
        self.seq = 0
        self._lease = lease
        self.by_name: dict[str, Counter] = {}
        self._held: dict[str, dict[str, int]] = {}  # id -> counter -> amount

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, id: str, holds: Sequence[Hold]) -> Shortage | None:
        """Takes all of the holds or none."""
        assert id not in self._held, "an id holds once"
        shortage = self.shortage(holds)
        if shortage is None:
            self._take(holds)
            self._held[id] = {hold.counter: hold.amount for hold in holds}
        return shortage

    def extend(self, id: str, holds: Sequence[Hold]) -> Shortage | None:
        """Takes more for an id that holds, all or none."""
        assert id in self._held, "only what holds is extended"
        shortage = self.shortage(holds)
        if shortage is None:
            self._take(holds)
            mine = self._held[id]
            for hold in holds:
                mine[hold.counter] = mine.get(hold.counter, 0) + hold.amount
        return shortage

    def shortage(self, holds: Sequence[Hold]) -> Shortage | None:
        """The first of the holds that does not fit; they name each counter once."""
        for hold in holds:
            counter, cap, amount = self.by_name.get(hold.counter) or self._new(hold.counter), hold.limit, hold.amount
            if cap is None or not amount:
                continue
            if counter.lease is not None and counter.lease < cap:
                cap = counter.lease
            left = cap - counter.settled - counter.held
            if amount > left:
                return Shortage(hold.counter, amount, max(left, 0))
        return None

    def _new(self, name: str) -> Counter:
        counter = self.by_name[name] = Counter(lease=self._lease)
        return counter

    def _take(self, holds: Sequence[Hold]) -> None:
        for hold in holds:
            counter = self.by_name[hold.counter]
            counter.held += hold.amount
            counter.last = hold

    def held(self, id: str) -> Mapping[str, int]:
        return self._held.get(id, {})

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        """Turns an id's holds into what was consumed; the seq of it, or 0 where it holds nothing."""
        mine = self._held.pop(id, None)
        if mine is None:
            return 0
        for name, held in mine.items():
            counter = self.by_name[name]
            counter.held -= held
            counter.settled += actual.get(name, 0)
        for name in actual.keys() - mine.keys():
            self.add(name, actual[name])
        self.seq += 1
        return self.seq

    def add(self, name: str, amount: int) -> None:
        """Counts what was consumed, held before or not."""
        (self.by_name.get(name) or self._new(name)).settled += amount

    def newly_reached(self, name: str) -> Crossed | None:
        """The highest threshold that a counter has reached and not told of yet, which it has told of then."""
        counter = self.by_name[name]
        thresholds = counter.last.thresholds
        if not thresholds or not (whole := counter.whole) or counter.settled * 100 < whole * thresholds[0]:
            return None
        reached = counter.settled * 100 // whole
        percent = max((one for one in thresholds if counter.told < one <= reached), default=0)
        if not percent:
            return None
        counter.told = percent
        return Crossed(name, percent, counter.settled, whole)

    def forget_ended(self, before_s: int) -> None:
        """Drops the counters of windows that ended before then, but for those of which something is held."""
        for name in [name for name, one in self.by_name.items() if one.last.ends_at_s < before_s]:
            self.forget(name)

    def forget(self, name: str) -> None:
        """Drops a counter, unless something is held of it."""
        counter = self.by_name.get(name)
        if counter is not None and not counter.held:
            del self.by_name[name]
