"""Owns the arithmetic that all ledgers share: counters in memory, and who holds what of them. Knows no storage.

Where a counter has a lease, that is the limit here, whatever the quota says: the rest of the quota may be spent by
others. Where it has none, the limit of each hold is.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from gateway.ledger.base import NO_HOLDS, Crossed, Hold, Holds, Shortage, Terms, is_endless, period_of
from gateway.ledger.window import NEVER_S, kept_until_at_most_s

# More than is ever settled or held: the cap of a counter that has none, and the alarm of one with nothing left to tell.
_ENDLESS = 1 << 127
# A counter of which nobody has held anything since the start, and whose name does not say when its window ends: the
# longest window, and two days.
UNKNOWN_END_S = 33 * 24 * 3600


def until(kept_until_s: int) -> Terms:
    """The terms of a counter of which nobody has held anything since the start."""
    return Terms("", None, kept_until_s=kept_until_s)


class Counter(msgspec.Struct):
    """`settled` and `held` are of this process; `lease` is what it may spend, None: all there is."""

    settled: int = 0
    held: int = 0
    lease: int | None = None
    terms: Terms = until(NEVER_S)  # of the last hold: what they say of limit, thresholds and window is so by now
    told: int = 0  # the highest threshold that was told of, in percent
    alarm: int = _ENDLESS  # where this is settled, a threshold is to be told of
    cap: int = _ENDLESS  # what settled and held stay within: the lease, or the limit where there is none

    def __post_init__(self) -> None:
        self._set_cap()

    @property
    def is_blank(self) -> bool:
        """Whether it is as if nobody had ever touched it."""
        return not (self.settled or self.held or self.lease or self.told)

    @property
    def whole(self) -> int | None:
        """The limit that thresholds are percent of."""
        return self.terms.limit if self.terms.whole is None else self.terms.whole

    def lend(self, lease: int) -> None:
        """From now on so much may be spent of it here."""
        self.lease = lease
        self._set_cap()

    def follow(self, terms: Terms) -> None:
        """Newer terms hold from now on."""
        self.terms = terms
        self._set_cap()

    def _set_cap(self) -> None:
        if self.terms.limit is None:
            self.cap = _ENDLESS
        else:
            self.cap = self.terms.limit if self.lease is None else self.lease


class Counters:
    """Counters and holds of one process. All or nothing, by one thread.

    `lease` is what a new counter begins with. `heard` is told of terms that are new to their counter.
    """

    def __init__(self, lease: int | None = None, heard: Callable[[Terms], None] = lambda _terms: None) -> None:
        self.seq = 0
        self._lease = lease
        self._heard = heard
        self.by_name: dict[str, Counter] = {}
        self._held: dict[str, Holds] = {}
        self._alarmed: list[str] = []

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, id: str, holds: Holds) -> Shortage | None:
        """Takes all of the holds or none."""
        assert id not in self._held, "an id holds once"
        short = self._take(holds)
        if short is None:
            self._held[id] = holds
        return short

    def extend(self, id: str, holds: Holds) -> Shortage | None:
        """Takes more for an id that holds, all or none."""
        assert id in self._held, "only what holds is extended"
        short = self._take(holds)
        if short is None:
            self._held[id] = _joined(self._held[id], holds)
        return short

    def shortage(self, holds: Holds) -> Shortage | None:
        """The first of the holds that does not fit."""
        short = self._take(holds)
        if short is None:
            self._give_back(holds)
        return short

    def _take(self, holds: Holds) -> Shortage | None:
        for name, terms, amount in zip(holds.counters, holds.terms, holds.amounts):  # noqa: B905 - takes twice as long
            counter = self.by_name.get(name) or self._new(name)
            if counter.terms is not terms and counter.terms != terms:
                self._follow(counter, terms)
            left = counter.cap - counter.settled - counter.held
            if amount > left and amount:
                self._give_back(holds, before=name)
                return Shortage(name, amount, max(left, 0))
            counter.held += amount
        return None

    def _give_back(self, holds: Holds, before: str | None = None) -> None:
        for name, amount in zip(holds.counters, holds.amounts, strict=True):
            if name == before:
                break
            self.by_name[name].held -= amount

    def _new(self, name: str) -> Counter:
        counter = self.by_name[name] = Counter(lease=self._lease)
        return counter

    def _again(self, name: str, holds: Holds) -> Counter:
        """A counter of which a call holds nothing, and which was forgotten meanwhile: the clock was set ahead."""
        counter = self._new(name)
        counter.follow(holds.terms[holds.counters.index(name)])
        return counter

    def follow(self, holds: Holds) -> None:
        """Takes over the terms of holds, as if they had been taken."""
        for name, terms in zip(holds.counters, holds.terms, strict=True):
            counter = self.by_name.get(name) or self._new(name)
            if counter.terms != terms:
                self._follow(counter, terms)

    def _follow(self, counter: Counter, terms: Terms) -> None:
        counter.follow(terms)
        if self._lease is None:  # else its thresholds are those of all processes, and told of by their store
            counter.alarm = _alarm(counter)
        self._heard(terms)

    def held(self, id: str) -> dict[str, int]:
        """What an id holds, by counter; empty where it is unknown or settled."""
        holds = self._held.get(id, NO_HOLDS)
        return dict(zip(holds.counters, holds.amounts))  # noqa: B905 - takes twice as long

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        """Turns an id's holds into what was consumed; the seq of it, or 0 where it holds nothing."""
        holds = self._held.pop(id, None)
        if holds is None:
            return 0
        others = len(actual) - len(holds.counters)
        for name, amount in zip(holds.counters, holds.amounts):  # noqa: B905 - takes twice as long
            counter = self.by_name.get(name) or self._again(name, holds)
            counter.held -= amount
            if name not in actual:
                others += 1
                continue
            settled = counter.settled = counter.settled + actual[name]
            if settled >= counter.alarm:
                self._alarmed.append(name)
        if others:  # are charged without having been held
            for name in actual.keys() - set(holds.counters):
                self.add(name, actual[name])
        self.seq += 1
        return self.seq

    def add(self, name: str, amount: int) -> None:
        """Counts what was consumed, held before or not."""
        counter = self.by_name.get(name) or self._new(name)
        counter.settled += amount
        if counter.settled >= counter.alarm:
            self._alarmed.append(name)

    def crossed(self) -> Sequence[Crossed]:
        """The thresholds that were reached since this was last asked, each of which is told of now and never again."""
        if not self._alarmed:
            return ()
        names, self._alarmed = self._alarmed, []
        return [crossed for name in names for crossed in self._tell(name)]

    def _tell(self, name: str) -> Iterator[Crossed]:
        counter = self.by_name.get(name)
        if counter is None or counter.settled < counter.alarm or not (whole := counter.whole):
            return  # given back since, or told of already
        for percent in sorted(counter.terms.thresholds):
            if counter.told < percent and percent * whole <= counter.settled * 100:
                counter.told = percent
                yield Crossed(name, percent, counter.settled, whole)
        counter.alarm = _alarm(counter)

    def ended(self, now_s: int) -> list[str]:
        """Counters that need not be kept any more. To be asked now and then, for it also finds when others end."""
        found: list[str] = []
        ends: dict[str, int] = {}  # of periods, as their names say
        for name, one in self.by_name.items():
            if one.terms.kept_until_s == NEVER_S and not one.terms.counter and not is_endless(name):
                named = period_of(name)
                if named not in ends:
                    ends[named] = kept_until_at_most_s(named) or now_s + UNKNOWN_END_S
                one.follow(until(ends[named]))
            if one.terms.kept_until_s < now_s:
                found.append(name)
        return found

    def forget(self, name: str) -> None:
        """Drops a counter, unless something is held of it."""
        counter = self.by_name.get(name)
        if counter is not None and not counter.held:
            del self.by_name[name]


def _joined(holds: Holds, more: Holds) -> Holds:
    """Both, with each counter once."""
    amounts = dict(zip(more.counters, more.amounts, strict=True))
    before = [Hold(hold.terms, hold.amount + amounts.pop(hold.counter, 0)) for hold in holds]
    return Holds.of((*before, *(hold for hold in more if hold.counter in amounts)))


def _alarm(counter: Counter) -> int:
    """How much must be settled for the next threshold that was not told of."""
    percents = [one for one in counter.terms.thresholds if one > counter.told]
    return -(-counter.whole * min(percents) // 100) if percents and counter.whole else _ENDLESS
