"""Owns the windows that a time is cut into, by the ledger's own arithmetic of calendars and time zones. Pure."""

from collections.abc import Iterator, Sequence

from gateway.ledger.window import Period, Window, period

# Clocks differ from UTC by quarters of an hour; a window of a minute begins with one.
_GRAINS_S = (900, 60)


def periods(window: Window, time_zone: str, from_s: int, to_s: int) -> list[tuple[int, Period]]:
    """Each window with the second from which calls are counted in it, rising; the first one begins before `from_s`.

    One that never ends begins at `from_s`: what was spent before is not known.
    """
    found = period(window, time_zone, from_s)
    if window == "total":
        return [(from_s, Period(found.name, from_s, found.ends_at_s))]
    cuts = [(found.starts_at_s, found)]
    while found.ends_at_s < to_s:
        at_s = found.ends_at_s
        found = period(window, time_zone, at_s)
        cuts.append((at_s, found))
    return cuts


def grain(cuts: Sequence[int]) -> int:
    """The seconds of a slot: all of it is in one window. The first cut is not looked at, for nothing is before it."""
    return next(grain_s for grain_s in _GRAINS_S if all(cut % grain_s == 0 for cut in cuts[1:]))


def slots(cuts: Sequence[int], grain_s: int, to_s: int) -> Iterator[tuple[int, int]]:
    """Each slot of the time (a second // grain_s) with its window, numbered from 0."""
    ends = [cut // grain_s for cut in cuts[1:]] + [max(to_s, cuts[-1]) // grain_s + 1]
    for number, (cut, end) in enumerate(zip(cuts, ends, strict=True)):
        for slot in range(cut // grain_s, end):
            yield slot, number
