from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from control_plane.backtest.periods import grain, periods, slots
from gateway.ledger.window import period

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"])
WINDOWS = st.sampled_from(["minute", "hour", "day", "week", "month"])
START_S = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


@given(WINDOWS, ZONES, st.integers(0, 300 * 86_400), st.integers(1, 3 * 86_400), st.floats(0, 1, exclude_max=True))
def test_each_moment_is_in_the_window_that_the_ledger_says(window, zone, begin, length, part):
    from_s, to_s = START_S + begin, START_S + begin + length
    cuts = periods(window, zone, from_s, to_s)
    at_s = from_s + int(length * part)
    grain_s = grain([cut for cut, _ in cuts])
    by_slot = dict(slots([cut for cut, _ in cuts], grain_s, to_s))
    assert cuts[by_slot[at_s // grain_s]][1].name == period(window, zone, at_s).name


def test_the_first_window_is_whole_and_one_without_an_end_begins_when_asked():
    [(cut, found), *_] = periods("day", "UTC", START_S + 5, START_S + 10)
    assert (cut, found.name) == (START_S, "2026-03-01")
    assert [(cut, found.name) for cut, found in periods("total", "UTC", START_S + 5, START_S + 10)] == [
        (START_S + 5, "total")
    ]


def test_an_hour_that_comes_twice_is_two_windows():
    night_s = int(datetime(2026, 10, 25, 0, tzinfo=UTC).timestamp())
    names = [found.name for _, found in periods("hour", "Europe/Berlin", night_s, night_s + 2 * 3600)]
    assert names == ["2026-10-25T02+0200", "2026-10-25T02+0100"]
