"""Owns when a limit will be reached: straight on from how fast it is being spent. Pure; exact, in whole seconds.

Two measures, for they answer different questions: the window so far evens out nights and weekends, the last minutes
show what somebody started just now.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from gateway.ledger.window import NEVER_S

# Less says nothing: one call would be a trend. A window of minutes has no more to give than a hundredth of it.
MEASURED_MS_MIN = 60_000


class Sample(NamedTuple):
    """What was settled at a moment."""

    settled: int
    at_ms: int


class Pace(NamedTuple):
    """How much a millisecond takes, measured since then."""

    per_ms: Fraction
    since_ms: int


class Limits(NamedTuple):
    """What is refused and when; `limit` None: nothing. `grace` is another limit, until a time."""

    limit: int | None
    grace: int | None = None
    grace_until_s: int = 0


def measured_ms_min(starts_at_s: int, ends_at_s: int) -> int:
    """How long a pace must have been measured in such a window."""
    return max(1, min(MEASURED_MS_MIN, (ends_at_s - starts_at_s) * 1000 // 100))


def pace_over_window(settled: int, since_ms: int, now_ms: int, measured_min: int) -> Pace | None:
    """The pace from nothing at the beginning to what is settled now; None while that is too short."""
    elapsed_ms = now_ms - since_ms
    return Pace(Fraction(settled, elapsed_ms), since_ms) if elapsed_ms >= measured_min else None


def recent_pace(nodes: Sequence[tuple[int, Sample]], now_ms: int, measured_min: int) -> Pace | None:
    """The pace of all nodes together, of each from what was settled before (and when) to what is settled now.

    None while it is too short for any: without one node the sum would be too low.
    """
    if not nodes or any(now_ms - before.at_ms < measured_min for _, before in nodes):
        return None
    per_ms = sum((Fraction(settled - before.settled, now_ms - before.at_ms) for settled, before in nodes), Fraction())
    return Pace(per_ms, min(before.at_ms for _, before in nodes))


def at_end(settled: int, pace: Pace, now_ms: int, ends_at_s: int) -> int | None:
    """What the window comes to; None where it never ends."""
    if ends_at_s >= NEVER_S:
        return None
    return round(settled + pace.per_ms * max(ends_at_s * 1000 - now_ms, 0))


def exhausted_at_s(settled: int, limits: Limits, pace: Pace, now_ms: int, ends_at_s: int) -> int | None:
    """When calls begin to be refused, seconds since the epoch; None: not in this window."""
    now_s = now_ms // 1000
    reached_s = _reached_s(settled, limits.limit, pace, now_ms)
    if now_s < limits.grace_until_s:
        within_s = _reached_s(settled, limits.grace, pace, now_ms)
        if within_s is not None and within_s < limits.grace_until_s:
            reached_s = within_s
        elif reached_s is not None:
            reached_s = max(reached_s, limits.grace_until_s)
    return reached_s if reached_s is not None and reached_s < ends_at_s else None


def _reached_s(settled: int, limit: int | None, pace: Pace, now_ms: int) -> int | None:
    if limit is None:
        return None
    if settled >= limit:
        return now_ms // 1000
    if pace.per_ms <= 0:
        return None
    return -(-(now_ms + (limit - settled) / pace.per_ms) // 1000)
