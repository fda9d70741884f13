from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from control_plane.backtest.history import backtest
from control_plane.backtest.proposal import Proposal
from gateway.ledger.embedded import EmbeddedLedger
from gateway.ledger.window import period
from pricing.catalog import Catalog
from pricing.cost import cost
from pricing.overrides import Override
from pricing.usage import Usage
from tests.support.holds import hold, holds
from tests.support.written_calls import ORG, call, land, used

CATALOG = Catalog.load()
# Berlin's clocks go back that night.
START_S = int(datetime(2026, 10, 24, tzinfo=UTC).timestamp())
END_S = START_S + 3 * 86_400


def run(lake: str, **given: Any) -> Any:
    values: dict[str, Any] = {"unit": "usd", "limit": 100, "window": "day"}
    return backtest(lake, ORG, Proposal(**(values | given)), CATALOG, START_S, END_S)


def test_a_refused_call_spends_nothing_and_smaller_ones_still_fit(tmp_path):
    costs = [60, 50, 30, 20, 10]
    lake = land(tmp_path, [call(f"{n}", START_S + n, cost_nanousd=one, user_id=f"u{n}") for n, one in enumerate(costs)])
    found = run(lake)
    assert (found.calls, found.refused_calls, found.refused_nanousd) == (5, 2, 70)
    assert found.first_refused_us == (START_S + 1) * 10**6
    assert [one.name for one in found.by_user] == ["u1", "u3"]
    [window] = found.windows
    assert (window.period.name, window.amount, window.refused_amount, window.users) == ("2026-10-24", 170, 70, 2)


def test_without_a_limit_it_is_a_preview_of_what_was_spent(tmp_path):
    records = [call(f"{day}", START_S + day * 86_400, cost_nanousd=day + 1) for day in range(3)]
    found = run(land(tmp_path, records), limit=None)
    assert [(window.period.name, window.amount) for window in found.windows] == [
        ("2026-10-24", 1), ("2026-10-25", 2), ("2026-10-26", 3),
    ]  # fmt: skip
    assert (found.refused_calls, found.first_refused_us) == (0, None)


def test_a_window_that_began_before_is_counted_whole(tmp_path):
    records = [call("before", START_S - 3600, cost_nanousd=60), call("in", START_S, cost_nanousd=50)]
    found = run(land(tmp_path, records), window="month")
    assert (found.calls, found.refused_calls) == (2, 1)


def test_the_scope_says_which_calls(tmp_path):
    records = [
        call("a", START_S, cost_nanousd=80, model_requested="fast", model="gpt-4o", price_match="mapped", tags=("x",)),
        call(
            "b",
            START_S + 1,
            cost_nanousd=80,
            model_requested="gpt-4o-2024-08-06",
            route="chat",
            endpoint="chat.completions",
        ),
        call("c", START_S + 2, cost_nanousd=80, project_id="prj_b", team="core"),
    ]
    lake = land(tmp_path, records)
    assert run(lake, scope={"model": "gpt-4o"}).calls == 3
    assert run(lake, scope={"model": "gpt-4o-2024-08-06"}).calls == 1
    assert run(lake, scope={"model": "fast"}).calls == 1
    assert run(lake, scope={"tag": "x"}).calls == 1
    assert run(lake, scope={"route": "chat"}).calls == run(lake, scope={"route": "chat.completions"}).calls == 1
    assert run(lake, project_id="prj_b").calls == 1
    assert run(lake, scope={"team": "core", "tag": "x"}).calls == 0
    assert [one.name for one in run(lake, limit=79, scope={"team": "*", "model": "gpt-4o"}).by_counter] == ["core"]


def test_a_key_that_was_rotated_is_under_the_limits_of_those_before_it(tmp_path):
    records = [call(f"{n}", START_S + n, cost_nanousd=60, key_id=key) for n, key in enumerate(("a", "b", "c", "x"))]
    lake = land(tmp_path, records)

    def held(scope: dict[str, Any]) -> Any:
        proposal = Proposal(unit="usd", limit=100, window="day", scope=scope)
        rotated = {"b": ["a"], "c": ["a", "b"]}
        return backtest(lake, ORG, proposal, CATALOG, START_S, END_S, rotated=rotated)

    assert [(held({"key": key}).calls, held({"key": key}).refused_calls) for key in "abcx"] == [
        (3, 2), (2, 1), (1, 0), (1, 0),
    ]  # fmt: skip
    each = held({"key": "*"})
    assert (each.calls, each.refused_calls, [one.name for one in each.by_counter]) == (4, 2, ["a"])
    assert held({"key": "*", "user": "*"}).refused_calls == 2


def test_what_is_not_known_is_counted_apart(tmp_path):
    records = [
        call("unpriced", START_S, cost_nanousd=None, price_match="unpriced"),
        call("silent", START_S + 1, cost_nanousd=None, price_match="none"),
        call("refused", START_S + 2, cost_nanousd=0, outcome="refused"),
        call("known", START_S + 3, cost_nanousd=60),
    ]
    lake = land(tmp_path, records)
    found = run(lake)
    assert (found.unbounded_calls, found.unknown_calls, found.refused_then, found.calls) == (1, 1, 1, 3)
    assert found.refused_calls == 1
    with_ceiling = run(lake, ceiling=50)
    assert (with_ceiling.unbounded_calls, with_ceiling.refused_calls) == (0, 1)
    assert run(lake, unit="requests", limit=2).refused_calls == 1
    assert run(lake, limit=None).unbounded_calls == 0


def test_prices_are_computed_anew_as_a_call_is_priced(tmp_path):
    usages = [
        Usage(input_text=1_234_567, output_text=89_001),
        Usage(input_text=300_001, cache_read_text=7, output_reasoning=3),
        Usage(input_text=1),
    ]
    records = [
        call(f"{n}", START_S + n, cost_nanousd=1, **used(**dict(usage.buckets()))) for n, usage in enumerate(usages)
    ]
    override = Override("*", "gpt-4o", {"input_text": "3.333333", "output_text": "0.0000005"})
    catalog = CATALOG.with_overrides([override])
    price = catalog.find("openai", "gpt-4o", START_S, scope="openai")
    expected = [cost(usage, price).nanousd for usage in usages]  # type: ignore[arg-type]
    proposal = Proposal(unit="usd", limit=None, window="day", prices=(override,))
    found = backtest(land(tmp_path, records), ORG, proposal, catalog, START_S, END_S)
    assert found.windows[0].cost_nanousd == sum(expected)
    hit = Proposal(unit="usd", limit=expected[0], window="day", prices=(override,))
    assert backtest(str(tmp_path), ORG, hit, catalog, START_S, END_S).refused_calls == 2


@pytest.mark.parametrize(
    "more", [{"flags": ("context_averaged",)}, {"endpoint": "messages.batches.results"}, {"endpoint": "messages"}]
)
def test_a_batch_is_priced_anew_as_requests_that_are_short(tmp_path, more):
    usage = Usage(input_text=10**6)
    one = {"provider": "anthropic", "upstream": "anthropic", "model": "claude-sonnet-4-5"}
    lake = land(tmp_path, [call("a", START_S, cost_nanousd=1, **one, **more, **used(input_text=10**6))])
    price = CATALOG.find("anthropic", "claude-sonnet-4-5", START_S)
    prices = (Override("*", "gpt-4o", {"input_text": "1"}),)
    found = backtest(lake, ORG, Proposal(unit="usd", limit=None, prices=prices), CATALOG, START_S, END_S)
    short = cost(usage, price, 0).nanousd  # type: ignore[arg-type]
    assert found.windows[0].cost_nanousd == (2 * short if more == {"endpoint": "messages"} else short)


LABELS = st.sampled_from(["", "a", "b"])
made_calls = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, END_S - START_S - 1),
            "cost": st.sampled_from([0, 1, 2, 3, 5, 8, 40]),
            "user": LABELS,
            "tags": st.sets(st.sampled_from(["x", "y"])),
        }
    ),
    max_size=25,
)


def by_the_ledger(calls: list[dict[str, Any]], proposal: Proposal) -> set[int]:
    """Each call in turn through the ledger that gateways use: who is refused."""
    ledger, away = EmbeddedLedger(), set()
    for number, one in sorted(enumerate(calls), key=lambda item: (item[1]["at"], f"{item[0]:03}")):
        window = period(proposal.window, proposal.time_zone, START_S + one["at"])
        names = [f"q@{window.name}"]
        if "user" in proposal.varying:
            names = [f"{name}|user={one['user']}" for name in names]
        if "tag" in proposal.varying:
            names = [f"{name}|tag={tag}" for name in names for tag in sorted(one["tags"])]
        amount = one["cost"] if proposal.unit == "usd" else 1
        wanted = holds(*(hold(name, amount, proposal.limit) for name in names))
        if ledger.reserve(str(number), wanted) is not None:
            away.add(number)
        else:
            ledger.settle(str(number), dict.fromkeys(names, amount))
    return away


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made_calls,
    st.sampled_from(["usd", "requests"]),
    st.integers(0, 30),
    st.sampled_from(["hour", "day", "week", "month", "total"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.sampled_from([{}, {"user": "*"}, {"tag": "*"}, {"user": "*", "tag": "*"}]),
)
@example([{"at": 0, "cost": 8, "user": "", "tags": {"x", "y"}}] * 3, "usd", 20, "day", "UTC", {"tag": "*"})
def test_what_is_refused_is_what_the_ledger_refuses(tmp_path, calls, unit, limit, window, zone, scope):
    proposal = Proposal(unit=unit, limit=limit, window=window, time_zone=zone, scope=scope)
    records = [
        call(f"{n:03}", START_S + one["at"], cost_nanousd=one["cost"], user_id=one["user"], tags=tuple(one["tags"]))
        for n, one in enumerate(calls)
    ]
    away = by_the_ledger(calls, proposal)
    found = backtest(land(Path(mkdtemp(dir=tmp_path)), records), ORG, proposal, CATALOG, START_S, END_S)
    assert found.refused_calls == len(away)
    assert found.refused_nanousd == sum(calls[number]["cost"] for number in away)
    assert found.users == len({calls[number]["user"] for number in away} - {""})
    first = min((calls[number]["at"] for number in away), default=None)
    assert found.first_refused_us == (None if first is None else (START_S + first) * 10**6)


@pytest.mark.parametrize("limit", [0, 10**9])
def test_a_minute_is_a_window_too(tmp_path, limit):
    records = [call(f"{n}", START_S + n * 30, cost_nanousd=1) for n in range(10)]
    found = run(land(tmp_path, records), window="minute", unit="requests", limit=limit)
    assert len(found.windows) == 5
    assert found.refused_calls == (10 if limit == 0 else 0)
