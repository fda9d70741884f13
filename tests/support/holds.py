"""Owns holds of counters in one line, for tests. Those of the same terms share them, as calls alike do."""

from functools import lru_cache

from gateway.ledger.base import Hold, Holds, Terms
from gateway.ledger.window import NEVER_S


def hold(
    counter: str,
    amount: int,
    limit: int | None,
    thresholds: tuple[int, ...] = (),
    whole: int | None = None,
    *,
    kept_until_s: int = NEVER_S,
    revision: int = 0,
) -> Hold:
    return Hold(_terms(counter, limit, thresholds, whole, kept_until_s, revision), amount)


def holds(*each: Hold) -> Holds:
    return Holds.of(each)


_terms = lru_cache(1024)(Terms)
