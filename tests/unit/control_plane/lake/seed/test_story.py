from collections import Counter
from datetime import UTC, date, datetime

import pytest

from control_plane.lake.seed.story import DAY_S, PART_ROWS_MAX, Calendar, Plan, Story

NOW_S = int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp())


def test_the_hours_have_exactly_the_calls_that_were_asked_for():
    calendar = Calendar(Plan(123_456, 20, 1, NOW_S))

    assert sum(slot.rows for slot in calendar.slots) == 123_456
    first = 0
    for slot in calendar.slots:
        assert slot.first == first
        first += slot.rows


def test_nothing_is_before_the_first_day_or_after_now():
    calendar = Calendar(Plan(50_000, 20, 1, NOW_S))

    assert calendar.plan.first_day == date(2026, 11, 7)
    assert min(slot.starts_s for slot in calendar.slots) == calendar.plan.from_s
    assert max(slot.starts_s + slot.length_s for slot in calendar.slots) == NOW_S


def test_parts_are_bounded_and_hold_every_call_once_in_order_of_time():
    calendar = Calendar(Plan(160_000, 3, 1, NOW_S))
    seen: list[int] = []
    for part in calendar.parts():
        assert sum(one.end - one.begin for one in part) <= PART_ROWS_MAX
        assert [one.slot.starts_s for one in part] == sorted(one.slot.starts_s for one in part)
        seen += [one.slot.first + i for one in part for i in range(one.begin, one.end)]

    assert sorted(seen) == list(range(160_000))


def test_offices_are_quiet_at_night_and_at_weekends():
    calls: Counter[tuple[bool, bool]] = Counter()
    for slot in Calendar(Plan(200_000, 28, 1, NOW_S)).slots:
        at = datetime.fromtimestamp(slot.starts_s, UTC)
        if slot.source == "coding-berlin":
            calls[at.weekday() >= 5, 7 <= at.hour < 17] += slot.rows

    assert calls[False, True] > 4 * calls[False, False] > 0
    assert calls[False, True] > 10 * calls[True, True] > 0


def test_calls_grow_from_week_to_week():
    weeks: Counter[int] = Counter()
    plan = Plan(200_000, 29, 1, NOW_S)
    for slot in Calendar(plan).slots:
        if slot.source != "runaway":
            weeks[(slot.starts_s - plan.from_s) // (7 * DAY_S)] += slot.rows

    assert weeks[0] < weeks[1] < weeks[2] < weeks[3]


@pytest.mark.parametrize("days", [1, 2, 5, 60, 365])
def test_every_incident_is_in_its_plan(days):
    plan = Plan(1000, days, 1, NOW_S)
    story = Story.of(plan)
    tomorrow_s = (NOW_S // DAY_S + 1) * DAY_S
    for one in (story.outage, story.regression, story.runaway, story.unpriced):
        assert plan.from_s <= one.from_s < tomorrow_s

    assert story.runaway.to_s == story.killed.from_s < story.killed.to_s
    assert story.month.from_s <= story.breach_s <= NOW_S


def test_a_young_month_breaches_no_budget_but_the_month_before_does():
    young_s = int(datetime(2026, 11, 3, tzinfo=UTC).timestamp())

    assert datetime.fromtimestamp(Story.of(Plan(1000, 60, 1, young_s)).month.from_s, UTC).month == 10
    assert datetime.fromtimestamp(Story.of(Plan(1000, 60, 1, NOW_S)).month.from_s, UTC).month == 11


def test_seeds_that_are_neighbours_have_nothing_in_common():
    one, other = Plan(1, 1, 7, NOW_S).mixed, Plan(1, 1, 8, NOW_S).mixed

    assert bin(one ^ other).count("1") > 15
    assert max(one, other) < 2**63
