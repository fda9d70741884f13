"""Owns how many counters a quota may have: callers choose some of their names, and none may fill the memory."""

from collections import Counter
from collections.abc import Sequence

from gateway.ledger.base import Ledger
from gateway.ledger.window import Period
from gateway.quotas import Due

# A counter's name with the longest values that callers may choose in four dimensions; it is the id of a frame.
COUNTER_CHARS_MAX = 640
_NONE_KNOWN: tuple[Period, set[str]] = (Period("", 0, 0), set())


class Cardinality:
    """The counters that each quota has in its window, by name.

    Names are told apart as long as there is room for them; after that only those known before are let through. Room is
    taken by what the ledger is asked for, not by what is refused before that.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, tuple[Period, set[str]]] = {}  # quota -> its period, its counters

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
        period, names = self._known.get(due.quota.id, _NONE_KNOWN)
        is_full = len(names) >= due.quota.values_max and due.counter not in names
        if period.name != due.period.name or (is_full and due.quota.unit == "concurrent"):
            # A first look, a window before, or calls at a time that have ended meanwhile: counted anew. Of one that
            # begins after those seen here there is nothing yet.
            begins = period is not _NONE_KNOWN[0] and due.period.starts_at_s > period.starts_at_s
            names = set[str]() if begins else self._there(due)
            self._known[due.quota.id] = (due.period, names)
        return names

    def _there(self, due: Due) -> set[str]:
        stem = f"{due.quota.id}@{due.period.name}|"
        return {
            name
            for name, balance in self._ledger.counters().items()
            if name.startswith(stem) and (balance.held or due.quota.unit != "concurrent")
        }
