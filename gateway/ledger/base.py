"""Owns the words every ledger speaks: holds, shortages, balances, and the protocol that the request path uses.

A counter is one quota in one window, for one value of its scope; its name holds all three, so that a new window is a
new counter and nothing is ever reset. The promise: settled + held <= limit for every hold that has a limit, at every
moment. A ledger knows no policy: limits come with each hold, and so change while calls are in flight.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from gateway.ledger.window import NEVER_S, NOW, TOTAL

# All ledgers count exactly up to here, nine million dollars in nano-USD: the shared store's numbers are doubles.
AMOUNT_MAX = 2**53
# A limit that refuses nothing, and is one: what is taken under it is claimed first, so that it counts when there is a
# lower one again.
UNLIMITED = AMOUNT_MAX


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What holds of a counter are subject to. Calls alike share one object, which is quick to compare with itself."""

    counter: str
    limit: int | None  # None: counted, and never refused
    thresholds: tuple[int, ...] = ()  # percent of the limit, ascending; each is told of once
    whole: int | None = None  # the limit that thresholds are percent of, where `limit` is not it; None: as `limit`
    kept_until_s: int = NEVER_S  # when the counter's window is long over, and it may be forgotten
    revision: int = 0  # of the limit: another one each time it is edited, also to what it was before


def period_of(counter: str) -> str:
    """The name of the window that a counter is of, as its own name says."""
    return counter.partition("|")[0].rpartition("@")[2]


def is_endless(counter: str) -> bool:
    """Whether it is of no window that ends."""
    return period_of(counter) in (TOTAL.name, NOW.name)


def is_of_now(counter: str) -> bool:
    """Whether it counts calls at a time: nothing of it stays when they have ended, however that was."""
    return period_of(counter) == NOW.name


def is_of_the_clock(counter: str) -> bool:
    """Whether it is of a minute or an hour, of which a month has many."""
    return "T" in period_of(counter)


class Hold(msgspec.Struct, frozen=True, gc=False):
    """An amount wanted of a counter, in its unit: nano-USD, tokens or requests."""

    terms: Terms
    amount: int

    @property
    def counter(self) -> str:
        return self.terms.counter

    @property
    def limit(self) -> int | None:
        return self.terms.limit


class Holds(msgspec.Struct, frozen=True, gc=False):
    """Amounts wanted together, all or none, in columns: each counter once, its terms, and how much of it.

    Calls alike share the first two columns, so that what is made for each of them is one object and its amounts.
    """

    counters: tuple[str, ...] = ()
    terms: tuple[Terms, ...] = ()
    amounts: tuple[int, ...] = ()

    @classmethod
    def of(cls, holds: Iterable[Hold]) -> "Holds":
        rows = tuple(holds)
        return cls(
            tuple(hold.terms.counter for hold in rows),
            tuple(hold.terms for hold in rows),
            tuple(hold.amount for hold in rows),
        )

    def __iter__(self) -> Iterator[Hold]:
        return map(Hold, self.terms, self.amounts)


NO_HOLDS = Holds()


class Crossed(msgspec.Struct, frozen=True, gc=False):
    """A counter's settled amount has reached so many percent of its limit, for the first time."""

    counter: str
    percent: int
    settled: int
    limit: int


decode_crossed = msgspec.msgpack.Decoder(Crossed).decode


class Shortage(msgspec.Struct, frozen=True, gc=False):
    """Why nothing was taken: of this counter there is too little. `available` is at least 0."""

    counter: str
    wanted: int
    available: int


class Unreachable(msgspec.Struct, frozen=True, gc=False):
    """Why nothing was taken: the store cannot be asked, and what is held here of this counter does not suffice."""

    counter: str


class Balance(msgspec.Struct, frozen=True, gc=False):
    """What a counter stands at. `leased` is what other processes may spend of it without asking; None: nobody may."""

    settled: int = 0
    held: int = 0
    leased: int | None = None


class Ledger(Protocol):
    """One per process. Its methods belong to one thread and take microseconds; only `obtain` waits."""

    @property
    def seq(self) -> int:
        """Grows with every settlement; what a checkpoint contains is told by it."""
        ...

    def reserve(self, id: str, holds: Holds) -> Shortage | None:
        """Takes all of the holds or none. An id that holds already is a bug of the caller's."""
        ...

    async def obtain(self, holds: Holds, timeout_s: float) -> Shortage | Unreachable | None:
        """After a shortage: fetches what lies elsewhere. None: it is worth to reserve again."""
        ...

    def extend(self, id: str, holds: Holds) -> Shortage | None:
        """Takes more for an id that holds, all or none."""
        ...

    def held(self, id: str) -> dict[str, int]:
        """What an id holds, by counter; empty where it is unknown or settled. The caller's to keep."""
        ...

    def settle(self, id: str, actual: Mapping[str, int]) -> int:
        """Turns the holds of an id into what was really consumed, which may be more; the seq of it.

        0 where the id holds nothing, and then nothing changes: settling twice is settling once. A counter that is not
        named in `actual` is given back whole; one that was never held is counted all the same.
        """
        ...

    def settle_later(self, id: str, actual: Mapping[str, int]) -> int:
        """The same where some of it is below zero: given back of what another call was charged, anywhere."""
        ...

    def balance(self, counter: str) -> Balance: ...

    def crossed(self) -> Sequence[Crossed]:
        """The thresholds reached since this was last asked."""
        ...

    def counters(self) -> Mapping[str, Balance]:
        """Every counter there is, for a person to look at."""
        ...
