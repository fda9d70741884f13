from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.ledger.window import NEVER_S, Period, Window, kept_until_at_most_s, period, period_named


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("window", "zone", "moment", "name", "starts", "ends"),
    [
        ("month", "UTC", "2026-11-25T22:10:05Z", "2026-11", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("month", "UTC", "2026-12-31T23:59:59Z", "2026-12", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        ("month", "UTC", "2028-02-29T12:00:00Z", "2028-02", "2028-02-01T00:00Z", "2028-03-01T00:00Z"),
        ("month", "America/New_York", "2026-12-01T03:00Z", "2026-11", "2026-11-01T00-04", "2026-12-01T00-05"),
        ("month", "Asia/Tokyo", "2026-11-30T15:00Z", "2026-12", "2026-12-01T00+09", "2027-01-01T00+09"),
        ("day", "Europe/Berlin", "2026-03-29T12:00+02:00", "2026-03-29", "2026-03-29T00+01", "2026-03-30T00+02"),
        ("day", "Europe/Berlin", "2026-10-25T12:00+01:00", "2026-10-25", "2026-10-25T00+02", "2026-10-26T00+01"),
        ("day", "UTC", "2028-02-29T23:59:59Z", "2028-02-29", "2028-02-29T00:00Z", "2028-03-01T00:00Z"),
        ("week", "UTC", "2027-01-01T12:00Z", "2026-W53", "2026-12-28T00:00Z", "2027-01-04T00:00Z"),
        ("week", "Europe/Berlin", "2026-03-29T12:00+02:00", "2026-W13", "2026-03-23T00+01", "2026-03-30T00+02"),
        ("hour", "Asia/Kolkata", "2026-11-25T22:10Z", "2026-11-26T03+0530", "2026-11-25T21:30Z", "2026-11-25T22:30Z"),
        ("minute", "UTC", "2026-11-25T22:10:05Z", "2026-11-25T22:10+0000", "2026-11-25T22:10Z", "2026-11-25T22:11Z"),
    ],
)  # fmt: skip
def test_a_window_begins_and_ends_by_the_calendar_of_its_zone(
    window: Window, zone: str, moment: str, name: str, starts: str, ends: str
):
    assert period(window, zone, at(moment)) == Period(name, at(starts), at(ends))


def test_a_total_never_ends():
    assert period("total", "UTC", at("2026-11-25T00:00+00:00")) == Period("total", 0, NEVER_S)


def test_the_hour_that_comes_twice_in_autumn_is_two_hours():
    first = period("hour", "Europe/Berlin", at("2026-10-25T00:30+00:00"))
    second = period("hour", "Europe/Berlin", at("2026-10-25T01:30+00:00"))

    assert (first.name, second.name) == ("2026-10-25T02+0200", "2026-10-25T02+0100")
    assert first.ends_at_s == second.starts_at_s


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
@pytest.mark.parametrize("window", ["minute", "hour", "day", "week", "month"])
def test_every_moment_lies_in_one_period_and_periods_touch(window: Window, zone: str):
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment < datetime(2027, 1, 2, tzinfo=UTC):
        at_s = int(moment.timestamp())
        found = period(window, zone, at_s)
        assert found.starts_at_s <= at_s < found.ends_at_s
        assert period(window, zone, found.starts_at_s) == found
        assert period(window, zone, found.ends_at_s - 1) == found
        following = period(window, zone, found.ends_at_s)
        assert following.starts_at_s == found.ends_at_s
        assert following.name != found.name
        moment += timedelta(hours=7, minutes=13)


def test_a_day_in_which_midnight_does_not_exist_begins_with_its_first_moment():
    # Santiago's clocks went from 24:00 to 01:00 on 2026-09-06.
    found = period("day", "America/Santiago", at("2026-09-06T12:00-03:00"))

    begins = datetime.fromtimestamp(found.starts_at_s, ZoneInfo("America/Santiago"))
    assert begins.date().isoformat() == "2026-09-06"
    assert found == period("day", "America/Santiago", found.starts_at_s)


@pytest.mark.parametrize("window", ["minute", "hour", "day", "week", "month", "total"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Chatham"])
def test_a_period_is_found_by_its_name(window: Window, zone: str):
    for days in range(0, 800, 3):
        found = period(window, zone, at("2017-01-01T05:17:23Z") + days * 86_400 + days * 997)
        assert period_named(window, zone, found.name) == found


def test_the_hours_of_autumn_have_names_of_their_own():
    for moment in ("2026-10-25T00:30Z", "2026-10-25T01:30Z"):
        found = period("hour", "Europe/Berlin", at(moment))
        assert period_named("hour", "Europe/Berlin", found.name) == found


@pytest.mark.parametrize(
    ("window", "name"),
    [
        ("month", ""), ("month", "total"), ("month", "2026-13"), ("month", "2026-11-01"), ("total", "2026-11"),
        ("day", "2026-02-30"), ("week", "2026-W60"), ("hour", "2026-11-25T22"), ("hour", "2026-11-25T22+0100"),
        ("minute", "2026-11-25T22:10"), ("month", "9999-99"), ("day", "now"),
    ],
)  # fmt: skip
def test_a_name_that_no_period_bears_finds_none(window: Window, name: str):
    assert period_named(window, "UTC", name) is None


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/Havana", "Asia/Kathmandu"])
@pytest.mark.parametrize("window", ["minute", "hour", "day", "week", "month"])
def test_how_long_a_counter_is_kept_is_told_by_its_periods_name_to_within_a_few_days(window: Window, zone: str):
    for hours in range(0, 400 * 24, 7):
        one = period(window, zone, at("2026-01-01T00:00Z") + hours * 3600)
        at_most_s = kept_until_at_most_s(one.name)
        assert at_most_s is not None
        assert 0 <= at_most_s - one.kept_until_s <= (0 if window in ("minute", "hour") else 5 * 86_400)


@pytest.mark.parametrize("name", ["total", "now", "", "9999-12", "2026-13", "2026-11-25T22:10"])
def test_a_name_that_tells_no_end_tells_none(name: str):
    assert kept_until_at_most_s(name) is None
