"""Owns periods: what `from`, `to` and `range` mean, in which time zone, where the buckets of a chart begin. Pure."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from control_plane.api.problems import invalid

RANGE_DEFAULT = "7d"
# Three years and some: what a comparison of years needs.
DAYS_MAX = 1200
# Points of one chart: more than there are pixels.
BUCKETS_MAX = 2_000
HOUR_S, DAY_S = 3600, 86_400
# The year 9000: what is asked for ends, and its buckets do, before the last year that a date can have.
MOMENT_MAX_S = 221_845_392_000

_RANGE = re.compile(r"([1-9][0-9]{0,3})(m|h|d|w)")
_RANGE_S = {"m": 60, "h": HOUR_S, "d": DAY_S, "w": 7 * DAY_S}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# A plus that was not encoded in a URL is a blank.
_BLANK_OFFSET = re.compile(r"(?<=\d) (\d\d:\d\d)$")
_RANGES = "write a range such as 60m, 24h, 7d, 4w, month or last-month"
_TIME = "write a date (2026-09-01) or a time with its offset (2026-09-01T12:00:00Z)"

# Buckets that are a number of seconds, and those that follow a calendar.
FIXED_S = {"1m": 60, "5m": 300, "15m": 900, "hour": HOUR_S, "3h": 3 * HOUR_S, "6h": 6 * HOUR_S, "12h": 12 * HOUR_S}
CALENDAR = ("day", "week", "month")
BUCKETS = (*FIXED_S, *CALENDAR)


class Period(NamedTuple):
    """[from_s, to_s) in seconds since the epoch, and the zone in which its days are meant."""

    from_s: int
    to_s: int
    zone: ZoneInfo

    @property
    def before(self) -> "Period":
        """The period of the same length that ends where this begins."""
        return Period(2 * self.from_s - self.to_s, self.from_s, self.zone)


def zone_of(name: str) -> ZoneInfo:
    """Raises Problem 400."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid("query/tz", "write an IANA time zone, such as Europe/Berlin or UTC") from None


def period(from_: str | None, to: str | None, range_: str | None, zone: ZoneInfo, now_s: int) -> Period:
    """What was asked for. An end that is open or to come is the next whole hour. Raises Problem 400."""
    if range_ is not None and (from_ or to):
        raise invalid("query/range", "send either range, or from and to")
    if from_ is None and to is None:
        return _bounded(_of_range(range_ or RANGE_DEFAULT, zone, now_s), "query/range")
    end_s = _next_hour(now_s) if to is None else _moment(to, "query/to", zone)
    if from_ is None:
        raise invalid("query/from", f"send from along with to; {_TIME}")
    start_s = _moment(from_, "query/from", zone)
    if end_s >= now_s:
        end_s = max(_next_hour(now_s), start_s + HOUR_S)
    return _bounded(Period(start_s, end_s, zone), "query/from")


def edges(asked: Period, bucket: str) -> tuple[int, ...]:
    """Where the buckets of the period begin, ascending; the first begins with it or before. Raises Problem 400."""
    begins = _begins(asked, bucket)
    found: list[int] = []
    for begin in begins:
        if begin >= asked.to_s:
            break
        found.append(begin)
        if len(found) > BUCKETS_MAX:
            raise invalid("query/bucket", f"it makes more than {BUCKETS_MAX} points; take a longer bucket or less time")
    return tuple(found)


def bucket_for(asked: Period) -> str:
    """What makes a chart of some dozens of points."""
    span_s = asked.to_s - asked.from_s
    lengths = [(6 * HOUR_S, "5m"), (4 * DAY_S, "hour"), (100 * DAY_S, "day"), (400 * DAY_S, "week")]
    return next((bucket for most_s, bucket in lengths if span_s <= most_s), "month")


def month_of(zone: ZoneInfo, now_s: int) -> Period:
    """The whole month of now."""
    first = datetime.fromtimestamp(now_s, zone).date().replace(day=1)
    return Period(_midnight(first, zone), _midnight(_next_month(first), zone), zone)


def rfc3339(moment_s: int, zone: ZoneInfo | None = None) -> str:
    """In UTC with `Z`, or in a zone with its offset."""
    if zone is None or zone.key == "UTC":
        return datetime.fromtimestamp(moment_s, UTC).isoformat().replace("+00:00", "Z")
    return datetime.fromtimestamp(moment_s, zone).isoformat()


def _of_range(text: str, zone: ZoneInfo, now_s: int) -> Period:
    end_s = _next_hour(now_s)
    if text in _NAMED:
        return _NAMED[text](zone, now_s)
    found = _RANGE.fullmatch(text)
    if found is None:
        raise invalid("query/range", _RANGES)
    length_s = int(found[1]) * _RANGE_S[found[2]]
    if length_s % HOUR_S:
        return Period(now_s // 60 * 60 - length_s, now_s // 60 * 60 + 60, zone)
    # The hour under way and so many before it: whole hours are what rollups hold.
    return Period(max(0, end_s - length_s), end_s, zone)


def _this_month(zone: ZoneInfo, now_s: int) -> Period:
    return Period(month_of(zone, now_s).from_s, _next_hour(now_s), zone)


def _last_month(zone: ZoneInfo, now_s: int) -> Period:
    return month_of(zone, month_of(zone, now_s).from_s - 1)


def _today(zone: ZoneInfo, now_s: int) -> Period:
    return Period(_midnight(datetime.fromtimestamp(now_s, zone).date(), zone), _next_hour(now_s), zone)


_NAMED: dict[str, Callable[[ZoneInfo, int], Period]] = {
    "today": _today, "month": _this_month, "last-month": _last_month,
}  # fmt: skip


def _moment(text: str, pointer: str, zone: ZoneInfo) -> int:
    try:
        if _DATE.fullmatch(text):
            return min(_midnight(date.fromisoformat(text), zone), MOMENT_MAX_S)
        at = datetime.fromisoformat(_BLANK_OFFSET.sub(r"+\1", text))
        if at.tzinfo is None:
            raise invalid(pointer, _TIME)
        return min(max(0, int(at.timestamp())), MOMENT_MAX_S)
    except (ValueError, OverflowError):
        raise invalid(pointer, _TIME) from None


def _bounded(asked: Period, pointer: str) -> Period:
    if asked.from_s >= asked.to_s:
        raise invalid(pointer, "the period must begin before it ends")
    if asked.to_s - asked.from_s > DAYS_MAX * DAY_S:
        raise invalid(pointer, f"ask for at most {DAYS_MAX} days at a time")
    return asked


def _begins(asked: Period, bucket: str) -> Iterator[int]:
    if bucket not in BUCKETS:
        raise invalid("query/bucket", f"write one of {', '.join(BUCKETS)}")
    if bucket in FIXED_S:
        return _fixed(asked, FIXED_S[bucket])
    return _calendar(asked, bucket)


def _fixed(asked: Period, length_s: int) -> Iterator[int]:
    """Multiples of the length since the local midnight; a day of 23 or 25 hours ends with a shorter or a longer one."""
    day = datetime.fromtimestamp(asked.from_s, asked.zone).date()
    while True:
        begin, end = _midnight(day, asked.zone), _midnight(day + timedelta(days=1), asked.zone)
        times = range(begin, end, length_s)
        yield from times[max(0, bisect_left(times, asked.from_s + 1) - 1) :] if begin <= asked.from_s else times
        day += timedelta(days=1)


def _calendar(asked: Period, bucket: str) -> Iterator[int]:
    day = datetime.fromtimestamp(asked.from_s, asked.zone).date()
    if bucket == "week":
        day -= timedelta(days=day.weekday())
    elif bucket == "month":
        day = day.replace(day=1)
    while True:
        yield _midnight(day, asked.zone)
        day = _next_month(day) if bucket == "month" else day + timedelta(days=7 if bucket == "week" else 1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """When a day begins; where the clock leaps over midnight, the first moment after."""
    return max(0, int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()))


def _next_hour(now_s: int) -> int:
    return now_s // HOUR_S * HOUR_S + HOUR_S
