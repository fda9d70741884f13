"""Owns the windows of quotas: which period a moment lies in, by the calendar of a time zone. Pure; knows no clock.

A period has a name that says its beginning as that zone's people would, `2026-11` or `2026-11-25T22:10+01:00`. Hours
and minutes bear the offset from UTC, for in autumn one hour of local time comes twice; days and months need none.
"""

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

Window = Literal["minute", "hour", "day", "week", "month", "total"]

# The end of what has none; far beyond any call, and exact in a double.
NEVER_S = 2**52
# How long after its window a counter is kept: a late settlement belongs to it, and no call lasts longer than two days.
# By then nobody is refused by it; so those of minutes, of which a day has many, are kept for less.
_KEPT_S_MIN, _KEPT_S_MAX = 3600, 48 * 3600


class Period(msgspec.Struct, frozen=True, gc=False):
    """[starts_at_s, ends_at_s) in seconds since the epoch."""

    name: str
    starts_at_s: int
    ends_at_s: int

    @property
    def kept_until_s(self) -> int:
        """When a counter of it may be forgotten."""
        if self.ends_at_s == NEVER_S:
            return NEVER_S
        return self.ends_at_s + min(max(self.ends_at_s - self.starts_at_s, _KEPT_S_MIN), _KEPT_S_MAX)


TOTAL = Period("total", 0, NEVER_S)
NOW = Period("now", 0, NEVER_S)  # of calls at a time


def period(window: Window, time_zone: str, at_s: int) -> Period:
    """The period of a window that a moment lies in. Raises ZoneInfoNotFoundError for a zone that is none."""
    if window == "total":
        return TOTAL
    local = datetime.fromtimestamp(at_s, ZoneInfo(time_zone))
    if window in ("minute", "hour"):
        return _of_the_clock(window, local, at_s)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match window:
        case "day":
            return _of_the_calendar(f"{day:%Y-%m-%d}", day, day + timedelta(days=1))
        case "week":
            monday = day - timedelta(days=day.weekday())
            return _of_the_calendar(f"{monday:%G-W%V}", monday, monday + timedelta(days=7))
        case _:
            first = day.replace(day=1)
            return _of_the_calendar(f"{day:%Y-%m}", first, (first + timedelta(days=32)).replace(day=1))


def period_named(window: Window, time_zone: str, name: str) -> Period | None:
    """The period of a window that bears a name; None where none does."""
    if name == "total":
        return TOTAL if window == "total" else None
    zone = ZoneInfo(time_zone)
    try:
        match window:
            case "minute":
                begins = datetime.strptime(name, "%Y-%m-%dT%H:%M%z")
            case "hour":
                begins = datetime.strptime(name, "%Y-%m-%dT%H%z")
            case "day":
                begins = datetime.strptime(name, "%Y-%m-%d").replace(tzinfo=zone)
            case "week":
                begins = datetime.strptime(f"{name}-1", "%G-W%V-%u").replace(tzinfo=zone)
            case _:
                begins = datetime.strptime(name, "%Y-%m").replace(tzinfo=zone)
        found = period(window, time_zone, _seconds(begins))
    except (ValueError, OverflowError):
        return None
    return found if found.name == name else None


# How the names of periods are written, the longest first, and how long such a period is at the most.
_WRITTEN = (
    ("%Y-%m-%dT%H:%M%z", timedelta(minutes=1)),
    ("%Y-%m-%dT%H%z", timedelta(hours=1)),
    ("%Y-%m-%d", timedelta(days=1)),
    ("%G-W%V-%u", timedelta(days=7)),
    ("%Y-%m", timedelta(days=31)),
)
# A day begins at another moment in each zone, half a day before or after that of UTC, and may have an hour more.
_ZONES = timedelta(hours=15)


def kept_until_at_most_s(name: str) -> int | None:
    """When a counter of the period of a name may be forgotten, in whichever time zone; None where it never ends."""
    for written, length in _WRITTEN:
        try:
            begins = datetime.strptime(f"{name}-1" if "%u" in written else name, written)
            if begins.tzinfo is None:
                begins = begins.replace(tzinfo=UTC)
                length += _ZONES
            return Period(name, _seconds(begins), _seconds(begins + length)).kept_until_s
        except (ValueError, OverflowError):
            continue
    return None


def _of_the_clock(window: Window, local: datetime, at_s: int) -> Period:
    """A minute or an hour: of constant length, and begun where the local clock shows a whole one."""
    length_s = 60 if window == "minute" else 3600
    starts_at_s = at_s - (local.second if window == "minute" else local.minute * 60 + local.second)
    begin = datetime.fromtimestamp(starts_at_s, local.tzinfo)
    shown = f"{begin:%Y-%m-%dT%H:%M}" if window == "minute" else f"{begin:%Y-%m-%dT%H}"
    return Period(f"{shown}{begin:%z}", starts_at_s, starts_at_s + length_s)


def _of_the_calendar(name: str, begins: datetime, ends: datetime) -> Period:
    """Local midnights, which daylight saving time may move; arithmetic on them is that of the wall clock."""
    return Period(name, _seconds(begins), _seconds(ends))


def _seconds(local: datetime) -> int:
    return int(local.astimezone(UTC).timestamp())
