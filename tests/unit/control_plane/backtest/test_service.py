import pytest

from control_plane.api.problems import Problem
from control_plane.backtest.schema import BacktestAsk, Prices
from control_plane.backtest.service import proposal, span

NOW_S = 1_795_600_000
DAY_S = 86_400


def test_amounts_are_read_as_a_quota_states_them():
    asked = BacktestAsk(unit="usd", limit="1.5", ceiling_usd=2, prices=[Prices("*", "gpt-4o", multiplier="2")])
    found = proposal(asked)
    assert (found.limit, found.ceiling, found.prices[0].multiplier) == (1_500_000_000, 2 * 10**9, "2")
    assert proposal(BacktestAsk(unit="requests", limit=5)).limit == 5
    assert proposal(BacktestAsk(unit="requests", limit=None)).limit is None


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        (BacktestAsk(unit="requests", limit="1.5"), "body/limit"),
        (BacktestAsk(unit="usd", limit="much"), "body/limit"),
        (BacktestAsk(unit="requests", limit=1, ceiling_usd="1"), "body/ceiling_usd"),
        (BacktestAsk(unit="usd", limit=1, scope={"project": "x"}), "body/scope"),
        (BacktestAsk(unit="usd", limit=1, prices=[Prices("*", "m")]), "body/prices"),
        (BacktestAsk(unit="concurrent", limit=1), "body/unit"),
    ],
)
def test_what_is_wrong_is_named(asked, pointer):
    with pytest.raises(Problem) as fault:
        proposal(asked)
    assert fault.value.errors[0].pointer == pointer


def test_the_time_is_the_last_thirty_days_or_what_is_named():
    assert span(BacktestAsk(unit="usd", limit=1), NOW_S) == (NOW_S - 30 * DAY_S, NOW_S)
    later = BacktestAsk(unit="usd", limit=1, from_s=NOW_S - 5, to_s=NOW_S + 5)
    assert span(later, NOW_S) == (NOW_S - 5, NOW_S)
    for from_s, window in ((NOW_S + 1, "month"), (NOW_S - 400 * DAY_S, "month"), (NOW_S - 32 * DAY_S, "minute")):
        with pytest.raises(Problem):
            span(BacktestAsk(unit="usd", limit=1, window=window, from_s=from_s), NOW_S)
