from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from control_plane.analytics.forecast import LOOKED_BACK_S, expect
from control_plane.analytics.period import DAY_S, HOUR_S, month_of
from tests.support.lake_calls import sums
from tests.unit.control_plane.analytics.conftest import NOW_S
from tests.unit.control_plane.analytics.test_service import nanousd

UTC = ZoneInfo("UTC")
MONDAY_S = int(datetime(2026, 9, 14, tzinfo=UTC).timestamp())


def hourly(days: int, cost) -> dict[int, int]:
    """Nano-USD of the hours of so many days before MONDAY_S."""
    return {at_s: cost(at_s) for at_s in range(MONDAY_S - days * DAY_S, MONDAY_S, HOUR_S)}


def test_an_even_pace_goes_on():
    assert expect(hourly(28, lambda _: 10), MONDAY_S, MONDAY_S + 3 * DAY_S, UTC) == (720, 0, "week")


def test_weekends_cost_what_weekends_cost():
    costs = hourly(28, lambda at_s: 0 if datetime.fromtimestamp(at_s, UTC).weekday() > 4 else 10)
    assert expect(costs, MONDAY_S, MONDAY_S + 7 * DAY_S, UTC).rest == 5 * 240
    assert expect(costs, MONDAY_S, MONDAY_S + 5 * DAY_S, UTC).rest == 5 * 240


def test_with_less_than_two_weeks_the_hours_of_a_day_are_compared():
    found = expect(hourly(3, lambda at_s: 24 if at_s % DAY_S == 0 else 0), MONDAY_S, MONDAY_S + HOUR_S * 30, UTC)
    assert (found.rest, found.method) == (48, "day")


def test_the_hour_under_way_counts_for_what_is_left_of_it():
    costs = hourly(28, lambda _: 60)
    assert expect(costs, MONDAY_S + 1800, MONDAY_S + HOUR_S, UTC).rest == 30


def test_hours_without_calls_cost_nothing_and_count():
    costs = {MONDAY_S - 28 * DAY_S: 1, MONDAY_S - HOUR_S: 280}
    assert expect(costs, MONDAY_S, MONDAY_S + 7 * DAY_S, UTC).rest == round((1 + 280) / 4)


def test_what_is_too_old_says_nothing():
    old = {MONDAY_S - LOOKED_BACK_S - DAY_S: 10**9}
    assert expect(old | hourly(2, lambda _: 0), MONDAY_S, MONDAY_S + DAY_S, UTC).rest == 0


def test_less_than_a_day_tells_nothing():
    assert expect({}, MONDAY_S, MONDAY_S + DAY_S, UTC) is None
    assert expect({MONDAY_S - 20 * HOUR_S: 5}, MONDAY_S, MONDAY_S + DAY_S, UTC) is None


def test_days_that_vary_make_it_less_certain():
    costs = hourly(28, lambda at_s: 20 if at_s // DAY_S % 2 else 0)
    found = expect(costs, MONDAY_S, MONDAY_S + 4 * DAY_S, UTC)
    assert found.spread == round(1.28 * 240 * 2)


@pytest.mark.parametrize("tz", ["UTC", "America/New_York", "Asia/Kolkata"])
async def test_a_month_is_what_is_spent_and_what_is_left_of_it(told, tz):
    answer = await told.ask("forecast", tz=tz, range="1h")
    month = month_of(ZoneInfo(tz), NOW_S)
    of_month = [one for one in told.records if one.ts_ns / 10**9 >= month.from_s]
    assert nanousd(answer["spent_usd"]) == sums(of_month).cost_nanousd
    assert answer["unpriced_calls"] == sums(of_month).unpriced_calls
    assert answer["month"] == "2026-09"
    low, projected, high = (nanousd(answer[name]) for name in ("low_usd", "projected_usd", "high_usd"))
    assert nanousd(answer["spent_usd"]) <= low <= projected <= high
    recent = [one for one in told.records if one.ts_ns / 10**9 >= NOW_S - HOUR_S]
    assert nanousd(answer["burn_usd_per_hour"]) == (sums(recent).cost_nanousd or 0)


async def test_an_empty_lake_foresees_nothing(plane):
    headers = await plane.token(await plane.organization())
    answer = (await plane.client.get("/v1/metrics/forecast", headers=headers)).json()
    assert (answer["spent_usd"], answer["projected_usd"], answer["method"]) == ("0.00", None, None)
