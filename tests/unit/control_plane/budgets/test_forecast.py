from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from control_plane.budgets.forecast import (
    Limits,
    Pace,
    Sample,
    at_end,
    exhausted_at_s,
    measured_ms_min,
    pace_over_window,
    recent_pace,
)
from gateway.ledger.window import NEVER_S, period

DAY_S, DAY_MS = 86_400, 86_400_000
# A month of 30 days that begins at zero: 10 units a day.
PACE = Pace(Fraction(10, DAY_MS), 0)
MONTH_S = 30 * DAY_S


def test_the_window_so_far_goes_on():
    pace = pace_over_window(100, 0, 10 * DAY_MS, 60_000)
    assert pace == PACE
    assert at_end(100, pace, 10 * DAY_MS, MONTH_S) == 300
    assert exhausted_at_s(100, Limits(200), pace, 10 * DAY_MS, MONTH_S) == 20 * DAY_S


def test_a_window_that_has_just_begun_tells_nothing():
    assert pace_over_window(100, 0, 59_999, 60_000) is None
    assert pace_over_window(0, 0, 60_000, 60_000) == Pace(Fraction(0), 0)


def test_a_pace_is_told_of_a_minute_or_of_a_hundredth_of_a_short_window():
    assert measured_ms_min(0, MONTH_S) == 60_000
    assert measured_ms_min(0, 60) == 600
    assert measured_ms_min(0, NEVER_S) == 60_000


def test_the_paces_of_nodes_add_up():
    nodes = [(110, Sample(100, 0)), (50, Sample(40, 5_000))]
    assert recent_pace(nodes, 10_000, 1_000) == Pace(Fraction(10, 10_000) + Fraction(10, 5_000), 0)


def test_without_one_node_the_sum_would_be_too_low():
    assert recent_pace([(110, Sample(100, 0)), (50, Sample(40, 9_500))], 10_000, 1_000) is None
    assert recent_pace([], 10_000, 1_000) is None


@pytest.mark.parametrize(
    ("settled", "limits", "expected_day"),
    [
        (100, Limits(None), None),
        (100, Limits(100), 10),
        (150, Limits(100), 10),
        (100, Limits(299), 29.9),
        (100, Limits(301), None),
        # Grace: nothing is refused until day 15, when the limit has been passed.
        (100, Limits(120, None, 15 * DAY_S), 15),
        (100, Limits(180, None, 15 * DAY_S), 18),
        # Grace with a limit of its own, reached before it ends, or not.
        (100, Limits(110, 130, 15 * DAY_S), 13),
        (100, Limits(110, 170, 15 * DAY_S), 15),
        (100, Limits(180, 110, 15 * DAY_S), 11),
        # Grace that is over.
        (100, Limits(150, None, 9 * DAY_S), 15),
        (100, Limits(None, 110, 15 * DAY_S), 11),
    ],
)
def test_calls_are_refused_when_the_limit_in_force_is_reached(settled, limits, expected_day):
    expected_s = None if expected_day is None else int(expected_day * DAY_S)
    assert exhausted_at_s(settled, limits, PACE, 10 * DAY_MS, MONTH_S) == expected_s


def test_a_moment_within_a_second_is_told_as_its_end():
    assert exhausted_at_s(0, Limits(3), Pace(Fraction(2, 1000), 0), 0, MONTH_S) == 2


@pytest.mark.parametrize("per_ms", [Fraction(0), Fraction(-1, 1000)])
def test_what_is_not_spent_runs_out_never(per_ms):
    pace = Pace(per_ms, 0)
    assert exhausted_at_s(5, Limits(10), pace, DAY_MS, MONTH_S) is None
    assert exhausted_at_s(10, Limits(10), pace, DAY_MS, MONTH_S) == DAY_S


def test_a_window_without_end_comes_to_nothing_known():
    assert at_end(100, PACE, DAY_MS, NEVER_S) is None
    assert exhausted_at_s(0, Limits(100), PACE, 0, NEVER_S) == 10 * DAY_S


@pytest.mark.parametrize(("at", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_with_an_hour_more_or_less_come_to_as_much_as_they_have(at, hours):
    noon_s = int(datetime.fromisoformat(f"{at}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    day = period("day", "Europe/Berlin", noon_s)
    elapsed_h = (noon_s - day.starts_at_s) // 3600
    pace = pace_over_window(elapsed_h * 7, day.starts_at_s * 1000, noon_s * 1000, 60_000)
    assert pace is not None
    assert at_end(elapsed_h * 7, pace, noon_s * 1000, day.ends_at_s) == hours * 7
