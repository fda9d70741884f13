from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.analytics.period import (
    BUCKETS_MAX,
    DAYS_MAX,
    Period,
    bucket_for,
    edges,
    month_of,
    period,
    rfc3339,
    zone_of,
)
from control_plane.api.problems import Problem

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NOW_S = int(datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC).timestamp())


def shown(asked: Period) -> tuple[str, str]:
    return rfc3339(asked.from_s, asked.zone), rfc3339(asked.to_s, asked.zone)


@pytest.mark.parametrize(
    ("range_", "expected"),
    [
        (None, ("2026-09-14T15:00:00Z", "2026-09-21T15:00:00Z")),
        ("24h", ("2026-09-20T15:00:00Z", "2026-09-21T15:00:00Z")),
        ("60m", ("2026-09-21T14:00:00Z", "2026-09-21T15:00:00Z")),
        ("15m", ("2026-09-21T13:58:00Z", "2026-09-21T14:14:00Z")),
        ("2w", ("2026-09-07T15:00:00Z", "2026-09-21T15:00:00Z")),
        ("today", ("2026-09-21T00:00:00Z", "2026-09-21T15:00:00Z")),
        ("month", ("2026-09-01T00:00:00Z", "2026-09-21T15:00:00Z")),
        ("last-month", ("2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z")),
    ],
)
def test_a_range_ends_with_the_hour_under_way(range_, expected):
    assert shown(period(None, None, range_, UTC, NOW_S)) == expected


def test_dates_are_days_of_the_zone_and_times_say_their_own():
    assert shown(period("2026-09-01", "2026-09-02", None, BERLIN, NOW_S)) == (
        "2026-09-01T00:00:00+02:00",
        "2026-09-02T00:00:00+02:00",
    )
    assert shown(period("2026-09-01T12:30:00Z", "2026-09-01T15:00:00+02:00", None, UTC, NOW_S)) == (
        "2026-09-01T12:30:00Z",
        "2026-09-01T13:00:00Z",
    )


def test_a_plus_that_became_a_blank_on_the_way_is_a_plus():
    asked = period("2026-09-01T12:30:00 02:00", "2026-09-02", None, UTC, NOW_S)
    assert shown(asked)[0] == "2026-09-01T10:30:00Z"


@pytest.mark.parametrize("to", [None, "2026-10-01", "2026-09-21T15:00:00Z"])
def test_what_is_to_come_ends_with_the_hour_under_way(to):
    assert shown(period("2026-09-01", to, None, UTC, NOW_S))[1] == "2026-09-21T15:00:00Z"


@pytest.mark.parametrize(
    ("from_", "to", "range_", "pointer"),
    [
        ("2026-09-01", None, "7d", "query/range"),
        (None, "2026-09-01", None, "query/from"),
        ("2026-09-02", "2026-09-01", None, "query/from"),
        ("yesterday", None, None, "query/from"),
        ("2026-09-01T12:00:00", None, None, "query/from"),
        ("2026-02-30", None, None, "query/from"),
        ("2026-09-01", "soon", None, "query/to"),
        ("2020-01-01", None, None, "query/from"),
        (None, None, "7", "query/range"),
        (None, None, "0d", "query/range"),
        (None, None, f"{DAYS_MAX + 1}d", "query/range"),
    ],
)
def test_a_period_that_is_none_says_where_and_what_to_write(from_, to, range_, pointer):
    with pytest.raises(Problem) as problem:
        period(from_, to, range_, UTC, NOW_S)
    assert problem.value.status == 400
    assert problem.value.errors[0].pointer == pointer


@pytest.mark.parametrize("from_", ["9999-12-31", "9999-12-31T23:30:00Z"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/New_York"])
def test_the_last_days_that_a_date_can_have_are_no_fault(from_, zone):
    asked = period(from_, None, None, ZoneInfo(zone), NOW_S)
    assert asked.to_s - asked.from_s == 3600
    assert shown(asked)[0].startswith(("9000-01-01", "8999-12-31"))
    for bucket in ("hour", "day", "week", "month"):
        assert edges(asked, bucket)


@pytest.mark.parametrize("name", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "Europe\x00", "x" * 300])
def test_a_zone_that_is_none_is_refused(name):
    with pytest.raises(Problem, match="IANA"):
        zone_of(name)


def test_the_period_before_is_as_long_and_ends_where_the_other_begins():
    asked = Period(100, 130, UTC)
    assert asked.before == Period(70, 100, UTC)


def test_a_month_is_that_of_the_zone():
    late = int(datetime(2026, 9, 30, 23, 30, tzinfo=UTC).timestamp())
    assert shown(month_of(UTC, late)) == ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")
    assert shown(month_of(BERLIN, late)) == ("2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00")


def test_hours_of_the_day_the_clock_goes_back_are_25_and_each_is_its_own():
    day = period("2026-10-25", "2026-10-26", None, BERLIN, NOW_S + 90 * 86_400)
    begins = edges(day, "hour")
    assert [later - earlier for earlier, later in pairwise(begins)] == [3600] * 24
    assert [rfc3339(at, BERLIN)[11:] for at in begins[2:4]] == ["02:00:00+02:00", "02:00:00+01:00"]


def test_weeks_begin_on_monday_and_months_on_the_first():
    asked = period("2026-08-12", "2026-09-15", None, UTC, NOW_S)
    assert [rfc3339(at)[:10] for at in edges(asked, "month")] == ["2026-08-01", "2026-09-01"]
    assert [rfc3339(at)[:10] for at in edges(asked, "week")][:2] == ["2026-08-10", "2026-08-17"]


@given(
    st.integers(0, 4_000_000_000),
    st.integers(1, 400),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo"]),
    st.sampled_from(["15m", "hour", "3h", "12h", "day", "week", "month"]),
)
def test_buckets_ascend_and_cover_the_period(from_s, hours, zone, bucket):
    asked = Period(from_s, from_s + hours * 3600, ZoneInfo(zone))
    begins = edges(asked, bucket)
    assert begins[0] <= asked.from_s
    assert begins[-1] < asked.to_s
    assert list(begins) == sorted(set(begins))
    assert len(begins) == 1 or begins[1] > asked.from_s


def test_more_points_than_a_chart_holds_are_refused():
    with pytest.raises(Problem, match=str(BUCKETS_MAX)):
        edges(Period(0, 86_400 * 30, UTC), "1m")
    with pytest.raises(Problem, match="5m"):
        edges(Period(0, 86_400, UTC), "7m")


@pytest.mark.parametrize(("days", "bucket"), [(0.2, "5m"), (1, "hour"), (30, "day"), (300, "week"), (900, "month")])
def test_a_chart_has_some_dozens_of_points_by_itself(days, bucket):
    assert bucket_for(Period(0, int(days * 86_400), UTC)) == bucket
