"""Owns how many counters a quota may have: callers choose some of their names, and none may fill the memory."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gateway.ledger.base import Ledger
from gateway.quotas import Due

# A counter's name with the longest values that callers may choose in four dimensions; it is the id of a frame.
COUNTER_CHARS_MAX = 640
# Windows of a quota whose names are remembered: of now, and of those in which calls began whose bodies come slowly.
PERIODS_MAX = 3

# A quota's id and the dimensions in which it has a counter for each value.
_Place = tuple[str, tuple[str, ...]]


class _Names(NamedTuple):
    """The counters of a quota that are known in a window."""

    starts_at_s: int
    names: set[str]


class Cardinality:
    """The counters that each quota has in its window, by name.

    Names are told apart as long as there is room for them; after that only those known before are let through. Room is
    taken by what the ledger is asked for, not by what is refused before that.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[_Place, dict[str, _Names]] = {}  # by the name of the period

    def without_room(self, dues: Sequence[Due]) -> list[Due]:
        """Those of one call whose counters are not known and for which there is no room beside its others."""
        refused: list[Due] = []
        asked: Counter[str] = Counter()
        for due in dues:
            names = self._names(due)
            if due.counter in names:
                continue
            if len(due.counter) > COUNTER_CHARS_MAX or len(names) + asked[due.quota.id] >= due.quota.values_max:
                refused.append(due)
            else:
                asked[due.quota.id] += 1
        return refused

    def take(self, dues: Sequence[Due]) -> None:
        """Their counters are known from now on. There was room for them just now."""
        for due in dues:
            self._names(due).add(due.counter)

    def _names(self, due: Due) -> set[str]:
        """The counters of a quota that are known in that window."""
        periods = self._known.setdefault((due.quota.id, _dimensions(due.counter)), {})
        found = periods.get(due.period.name)
        if found is None:
            # Of a window that begins after those seen here there is nothing yet.
            begins = bool(periods) and due.period.starts_at_s > max(one.starts_at_s for one in periods.values())
            found = _Names(due.period.starts_at_s, set() if begins else self._there(due))
            periods[due.period.name] = found
            if len(periods) > PERIODS_MAX:
                del periods[min(periods, key=lambda name: periods[name].starts_at_s)]
        names, is_now = found.names, due.quota.unit == "concurrent"
        if is_now and len(names) >= due.quota.values_max and due.counter not in names:
            names.intersection_update([name for name in names if self._ledger.balance(name).held])  # others have ended
        return names

    def _there(self, due: Due) -> set[str]:
        """Those that the ledger has; not of the quota as it was when it counted other dimensions apart."""
        stem, dimensions = f"{due.quota.id}@{due.period.name}|", _dimensions(due.counter)
        return {
            name
            for name, balance in self._ledger.counters().items()
            if name.startswith(stem)
            and (balance.held or due.quota.unit != "concurrent")
            and _dimensions(name) == dimensions
        }


def _dimensions(counter: str) -> tuple[str, ...]:
    """Those that are counted apart, as its name says."""
    return tuple(part.partition("=")[0] for part in counter.split("|")[1:])
