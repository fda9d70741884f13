from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from control_plane.reconciliation.compare import ALL, Covered, Row, compare
from control_plane.reconciliation.lines import Line, Measure
from control_plane.reconciliation.ours import Count, Day
from pricing.catalog import Catalog

DAY = date(2026, 11, 24)
CATALOG = Catalog.load()
COMPLETE, GROWING = Covered(True), Covered(False)


def counted(**given: Any) -> Day:
    """One call that used a thousand tokens of input, for two dollars."""
    values: dict[str, Any] = {
        "day": DAY, "provider": "openai", "model": "gpt-4o", "calls": 1, "silent_calls": 0, "unpriced_calls": 0,
        "counts": {"input": Count(1000)}, "cost_nanousd": 2 * 10**9,
    }  # fmt: skip
    return Day(**(values | given))


def said(quantity: int | None = None, cost: int | None = None, **given: Any) -> Line:
    values: dict[str, Any] = {
        "day": DAY, "provider": "openai", "model": "gpt-4o-2024-08-06", "meter": "m", "measure": "input",
        "quantity": quantity, "cost_nanousd": cost,
    }  # fmt: skip
    return Line(**(values | given))


def rows(ours: list[Day], lines: list[Line], cover: Covered | None = COMPLETE) -> dict[str, Row]:
    covered = {} if cover is None else {("openai", says, DAY): cover for says in ("usage", "cost")}
    found = compare(ours, lines, covered, DAY, DAY, CATALOG)  # type: ignore[arg-type]
    return {f"{row.model} {row.compared}": row for row in found.rows}


def verdict(ours: list[Day], lines: list[Line], cover: Covered | None = COMPLETE, at: str = "gpt-4o input") -> str:
    return rows(ours, lines, cover)[at].verdict


def test_what_is_the_same_matches_under_the_name_that_is_priced():
    row = rows([counted()], [said(1000)])["gpt-4o input"]
    assert (row.ours, row.theirs, row.delta, row.error, row.verdict) == (1000, 1000, 0, 0, "matches")
    assert row.named == "catalog"


def test_more_at_the_provider_is_traffic_that_went_around():
    assert verdict([counted()], [said(1001)]) == "bypass_suspected"
    assert verdict([counted()], [said(1001)], GROWING) == "bypass_suspected"
    assert verdict([], [said(5)]) == "bypass_suspected"
    assert verdict([], [said(5, model="o3")], at="o3 input") == "bypass_suspected"


def test_less_at_the_provider_is_ours_to_explain_once_its_day_is_complete():
    assert verdict([counted()], [said(999)]) == "overcounted"
    assert verdict([counted()], [said(999)], GROWING) == "incomplete"
    assert verdict([counted()], []) == "overcounted"


def test_without_an_import_nothing_is_said():
    row = rows([counted()], [], None)["gpt-4o input"]
    assert (row.theirs, row.delta, row.verdict) == (None, None, "no_export")


def test_a_guess_of_ours_is_the_error_bar():
    guessed = counted(counts={"input": Count(1000, unsure=200)})
    assert verdict([guessed], [said(1200)]) == "within_error"
    assert verdict([guessed], [said(800)]) == "within_error"
    assert verdict([guessed], [said(1201)]) == "bypass_suspected"


def test_a_call_of_which_nothing_is_known_may_be_as_large_as_the_others():
    silent = counted(calls=3, silent_calls=1)
    assert rows([silent], [said(1500)])["gpt-4o input"].error == 500
    assert verdict([silent], [said(1500)]) == "within_error"
    assert verdict([silent], [said(1501)]) == "bypass_suspected"


def test_where_nothing_is_known_nobody_can_tell():
    silent = counted(calls=1, silent_calls=1, counts={"input": Count(0)}, cost_nanousd=None, unpriced_calls=1)
    found = rows([silent], [said(10**9), said(cost=5)])
    assert (found["gpt-4o input"].error, found["gpt-4o input"].verdict) == (None, "within_error")
    assert (found["gpt-4o cost"].ours, found["gpt-4o cost"].verdict) == (None, "unpriced")


def test_calls_across_midnight_may_be_on_either_day():
    before = counted(day=DAY - timedelta(days=1), counts={"input": Count(50, across=50)}, cost_nanousd=1, cost_across=1)
    across = counted(counts={"input": Count(1000, across=30)})
    row = rows([before, across], [said(1050)])["gpt-4o input"]
    assert (row.error, row.verdict, row.day) == (80, "within_error", DAY)


def test_costs_match_up_to_what_rounding_can_do():
    lines = [said(cost=10**9), said(cost=10**9 + 3, measure="output")]
    assert verdict([counted()], lines, at="gpt-4o cost") == "matches"
    assert verdict([counted()], [said(cost=2 * 10**9 + 4)], at="gpt-4o cost") == "bypass_suspected"


def test_costs_of_no_one_model_are_compared_as_a_whole():
    other = counted(model="o3", cost_nanousd=10**9)
    of_none = said(cost=10**9, model="", measure="other")
    found = rows([counted(), other], [said(cost=2 * 10**9), of_none])
    assert [name for name in found if name.endswith("cost")] == [f"{ALL} cost"]
    assert (found["* cost"].ours, found["* cost"].theirs) == (3 * 10**9, 3 * 10**9)


def test_a_cost_in_another_currency_is_not_compared_and_named():
    covered = {("openai", "cost", DAY): COMPLETE, ("openai", "usage", DAY): COMPLETE}
    found = compare([counted()], [said(1000, currency="EUR")], covered, DAY, DAY, CATALOG)
    assert found.currencies == ("EUR",)
    assert {row.compared: row.verdict for row in found.rows} == {"input": "matches", "cost": "no_export"}


def test_totals_are_of_what_both_sides_have():
    [inputs] = [
        total
        for total in compare(
            [counted(), counted(model="o3", counts={"input": Count(7, unsure=2)})],
            [said(1001), said(7, model="o3")],
            {("openai", "usage", DAY): COMPLETE},
            DAY,
            DAY,
            CATALOG,
        ).totals
        if total.compared == "input"
    ]
    assert (inputs.ours, inputs.theirs, inputs.delta, inputs.error) == (1007, 1008, 1, 2)


def test_providers_without_exports_are_named_and_endpoints_of_one_bill_are_one():
    ours = [counted(provider="groq"), counted(provider="bedrock-mantle", model="openai.gpt-oss-120b")]
    found = compare(ours, [], {}, DAY, DAY, CATALOG)
    assert found.unsupported == ("groq",)
    assert {row.provider for row in found.rows} == {"bedrock"}


amounts = st.integers(0, 10**6)
MODELS = st.sampled_from(["gpt-4o", "gpt-4o-2024-08-06", "o3"])
MEASURES: tuple[Measure, ...] = ("input", "cache_read", "cache_write", "output")


@given(
    st.lists(st.tuples(MODELS, st.sampled_from(MEASURES), amounts, amounts)),
    st.lists(st.tuples(st.sampled_from(["gpt-4o-2024-08-06", "o3"]), st.sampled_from(MEASURES), amounts)),
)  # fmt: skip
def test_each_row_is_what_a_plain_computation_says(made, billed):
    ours = [
        counted(model=model, counts={measure: Count(total + unsure, unsure)}) for model, measure, total, unsure in made
    ]
    lines = [said(quantity, model=model, measure=measure) for model, measure, quantity in billed]
    found = rows(ours, lines)
    for model in ("gpt-4o", "o3"):
        for measure in MEASURES:
            own = [one for one in made if one[0].removesuffix("-2024-08-06") == model and one[1] == measure]
            theirs = sum(one[2] for one in billed if one[0].removesuffix("-2024-08-06") == model and one[1] == measure)
            total, unsure = sum(one[2] + one[3] for one in own), sum(one[3] for one in own)
            row = found.get(f"{model} {measure}")
            if row is None:
                assert total == theirs == 0
                continue
            assert (row.ours, row.theirs, row.delta, row.error) == (total, theirs, theirs - total, unsure)
            differs = abs(theirs - total)
            assert (row.verdict == "matches") == (differs == 0)
            assert (row.verdict == "bypass_suspected") == (theirs - total > unsure)
            assert (row.verdict == "overcounted") == (total - theirs > unsure)


def test_what_a_bills_name_means_is_stored_for_one_provider_and_what_is_asked_for_goes_before():
    lines = [said(1000, model="our-private-name")]
    covered = {("openai", "usage", DAY): COMPLETE}

    def named(stored: dict[str, dict[str, str]], mapped: dict[str, str] | None = None) -> set[tuple[str, str, Any]]:
        found = compare([counted()], lines, covered, DAY, DAY, CATALOG, mapped, stored)  # type: ignore[arg-type]
        return {(row.model, row.named, row.billed) for row in found.rows if row.theirs}

    assert named({"openai": {"our-private-name": "gpt-4o"}}) == {("gpt-4o", "mapped", ("our-private-name",))}
    assert named({"azure": {"our-private-name": "gpt-4o"}}) == {("our-private-name", "none", ("our-private-name",))}
    assert named({"openai": {"our-private-name": "gpt-5"}}, {"Our-Private-Name": "gpt-4o"}) == {
        ("gpt-4o", "mapped", ("our-private-name",))
    }
