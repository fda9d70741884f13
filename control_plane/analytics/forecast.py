"""Owns forecasts: what a month will come to, from what like hours cost lately. Pure but for the question itself.

Spending follows the hours of a day and the days of a week. Each hour to come is expected to cost what the same hour of
the week did on average in the last four; with less than two weeks known, what the same hour of the day did.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import fmean, pstdev
from typing import NamedTuple
from zoneinfo import ZoneInfo

from control_plane.analytics.asked import Asked
from control_plane.analytics.period import DAY_S, HOUR_S, Period, month_of, rfc3339
from control_plane.analytics.schema import Forecast
from control_plane.analytics.service import SQL, ask_together
from control_plane.analytics.totals import nanousd
from control_plane.api.money import usd
from control_plane.lake.query import Lake, Question
from control_plane.lake.scope import grain_of

LOOKED_BACK_S = 28 * DAY_S
_WEEKLY_FROM_S = 14 * DAY_S
# Four of five lie within so many standard deviations of a normal distribution.
_DEVIATIONS = 1.28


class Expected(NamedTuple):
    """Nano-USD of the hours that are left, and how far that may be off to either side."""

    rest: int
    spread: int
    method: str


async def forecast(lake: Lake, asked: Asked) -> Forecast:
    """Of the month of now, in the zone that was asked for; the period that was asked for does not matter."""
    zone, now_s = asked.period.zone, asked.now_s
    month = month_of(zone, now_s)
    next_hour_s = now_s // HOUR_S * HOUR_S + HOUR_S
    known = asked.during(Period(min(month.from_s, next_hour_s - LOOKED_BACK_S), next_hour_s, zone))
    recent = asked.during(Period(now_s - HOUR_S, now_s, zone))
    before = asked.during(month_of(zone, month.from_s - 1))
    hours, last_hour, last_month = await ask_together(
        lake,
        [
            Question(SQL["hours"], "hourly", known.scope, grain_s=min(HOUR_S, grain_of((month.from_s,)))),
            Question(SQL["summary"], "hourly", recent.scope),
            Question(SQL["summary"], "hourly", before.scope),
        ],
    )
    costs = {row["hour_s"]: nanousd(row["cost_usd"]) for row in hours.rows}
    spent = sum(cost for at_s, cost in costs.items() if at_s >= month.from_s)
    expected = expect(costs, now_s, month.to_s, zone)
    total = None if expected is None else spent + expected.rest
    return Forecast(
        about=asked.during(Period(month.from_s, next_hour_s, zone)).about(hours, last_hour, last_month),
        month=datetime.fromtimestamp(month.from_s, zone).strftime("%Y-%m"),
        ends_at=rfc3339(month.to_s, zone),
        spent_usd=usd(spent),
        projected_usd=None if total is None else usd(total),
        low_usd=None if total is None or expected is None else usd(max(spent, total - expected.spread)),
        high_usd=None if total is None or expected is None else usd(total + expected.spread),
        method=None if expected is None else expected.method,
        burn_usd_per_hour=usd(nanousd(last_hour.rows[0]["cost_usd"])),
        previous_month_usd=usd(nanousd(last_month.rows[0]["cost_usd"])),
        unpriced_calls=sum(row["unpriced_calls"] for row in hours.rows if row["hour_s"] >= month.from_s),
    )


def expect(costs: Mapping[int, int], now_s: int, ends_at_s: int, zone: ZoneInfo) -> Expected | None:
    """What the time from now to the end will cost, from nano-USD by the second at which an hour began.

    None while less than a day is known. The hour under way counts for what is left of it.
    """
    hour_s = now_s // HOUR_S * HOUR_S
    since_s = max(hour_s - LOOKED_BACK_S, min(costs, default=hour_s) // HOUR_S * HOUR_S)
    if hour_s - since_s < DAY_S:
        return None
    whole: dict[int, int] = {}
    for at_s, cost in costs.items():
        if since_s <= at_s < hour_s:
            whole[at_s // HOUR_S * HOUR_S] = whole.get(at_s // HOUR_S * HOUR_S, 0) + cost
    weekly = hour_s - since_s >= _WEEKLY_FROM_S
    means = _means(whole, range(since_s, hour_s, HOUR_S), zone, weekly=weekly)
    mean = fmean(means.values())
    rest = sum(means.get(_slot(at_s, zone, weekly=weekly), mean) for at_s in range(hour_s + HOUR_S, ends_at_s, HOUR_S))
    under_way = means.get(_slot(hour_s, zone, weekly=weekly), mean)
    rest += under_way * (hour_s + HOUR_S - now_s) / HOUR_S
    days = [
        sum(whole.get(at_s + n, 0) for n in range(0, DAY_S, HOUR_S))
        for at_s in range(since_s, hour_s - DAY_S + 1, DAY_S)
    ]
    spread = _DEVIATIONS * pstdev(days) * max(0.0, (ends_at_s - now_s) / DAY_S) ** 0.5
    return Expected(round(rest), round(spread), "week" if weekly else "day")


def _means(costs: Mapping[int, int], hours: Sequence[int], zone: ZoneInfo, *, weekly: bool) -> dict[int, float]:
    by_slot: dict[int, list[int]] = {}
    for at_s in hours:
        by_slot.setdefault(_slot(at_s, zone, weekly=weekly), []).append(costs.get(at_s, 0))
    return {slot: fmean(of_slot) for slot, of_slot in by_slot.items()}


def _slot(at_s: int, zone: ZoneInfo, *, weekly: bool) -> int:
    """Which hour of a week, or of a day, by the clocks there."""
    at = datetime.fromtimestamp(at_s, zone)
    return at.weekday() * 24 + at.hour if weekly else at.hour
