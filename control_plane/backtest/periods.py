"""Owns the windows that a time is cut into, by the ledger's own arithmetic of calendars and time zones. Pure."""

from gateway.ledger.window import Period, Window, period


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
