import pytest

from gateway.examine import Call
from gateway.metering.counts import COUNT_MAX, INCONSISTENT
from gateway.metering.reading import Line, Reading
from gateway.settle import Charge, settle
from pricing.catalog import Catalog
from pricing.overrides import Override
from pricing.usage import Usage
from tests.support.stages import NOW_S, request_of, route_of, view_of

CATALOG = Catalog.load()
USAGE = Usage(input_text=1000, output_text=100)
# USD per million: 2.5 in, 10 out.
COST_NANOUSD = 1000 * 2_500 + 100 * 10_000


def charge(reading: Reading, *, requested: str = "gpt-4o", catalog: Catalog = CATALOG, upstream: str = "") -> Charge:
    view = view_of(f'[credentials.c]\nsecret = "s"\n[upstreams.openai]\ncredential_id = "c"\n{upstream}')
    route = route_of(request_of("/v1/chat/completions", b"{}"), view)
    return settle(reading, route, Call(requested, False, "", b"", False, b""), catalog, NOW_S)


def reported(*lines: Line, model: str | None = "gpt-4o-2024-08-06", **more: object) -> Reading:
    return Reading(lines=lines, provenance="reported", model=model, **more)  # type: ignore[arg-type]


def test_the_answering_model_is_priced():
    found = charge(reported(Line(USAGE)), requested="whatever")
    assert (found.cost_nanousd, found.model, found.usage) == (COST_NANOUSD, "gpt-4o-2024-08-06", USAGE)
    assert (found.provenance, found.price_version) == ("reported", CATALOG.version)
    assert found.price_match in ("exact", "alias")


def test_the_requested_model_is_priced_where_the_answer_names_none():
    assert charge(reported(Line(USAGE), model=None)).cost_nanousd == COST_NANOUSD


def test_the_operator_s_map_wins_over_what_the_answer_says():
    found = charge(reported(Line(USAGE), model="odd"), requested="mine", upstream='models = { mine = "gpt-4o" }')
    assert (found.cost_nanousd, found.model, found.price_match) == (COST_NANOUSD, "gpt-4o", "mapped")
    by_answer = charge(reported(Line(USAGE), model="odd"), requested="x", upstream='models = { odd = "gpt-4o" }')
    assert by_answer.price_match == "mapped"


def test_the_tier_the_answer_names_is_the_one_that_is_paid():
    flex = charge(reported(Line(USAGE), model="o3", service_tier="flex"))
    plain = charge(reported(Line(USAGE), model="o3"))
    assert flex.service_tier == "flex"
    assert None not in (flex.cost_nanousd, plain.cost_nanousd)
    assert flex.cost_nanousd != plain.cost_nanousd


def test_the_sum_of_many_short_calls_is_no_long_one():
    call, calls = Usage(input_text=1000, output_text=100), Usage(input_text=1_000_000, output_text=100_000)
    one = charge(reported(Line(call), model="gpt-5.5"))
    assert charge(reported(Line(calls, each_in=1000), model="gpt-5.5")).cost_nanousd == one.cost_nanousd * 1000
    assert charge(reported(Line(calls), model="gpt-5.5")).cost_nanousd > one.cost_nanousd * 1000


def test_an_unknown_model_is_unpriced_and_never_free():
    found = charge(reported(Line(USAGE), model="no-such-model"))
    assert (found.cost_nanousd, found.price_match, found.usage) == (None, "unpriced", USAGE)
    assert found.flags


def test_a_cost_that_no_ledger_counts_exactly_is_unknown():
    dear = CATALOG.with_overrides([Override("openai", "gpt-4o", {"input_text": "999999999"})])
    found = charge(reported(Line(Usage(input_text=10**10)), model="gpt-4o"), catalog=dear)
    assert (found.cost_nanousd, found.price_match, found.flags) == (None, "unpriced", ("cost_too_large",))
    assert found.tokens_in == 10**10
    assert (
        charge(reported(Line(Usage(input_text=9000)), model="gpt-4o"), catalog=dear).cost_nanousd
        == 8_999_999_991_000_000
    )


def test_one_line_without_a_price_makes_the_whole_cost_unknown():
    for lines in ((Line(USAGE), Line(USAGE, "no-such")), (Line(USAGE, "no-such"), Line(USAGE))):
        found = charge(reported(*lines))
        assert (found.cost_nanousd, found.price_match) == (None, "unpriced")
        assert found.usage == USAGE + USAGE


def test_lines_of_several_models_are_each_priced_as_their_own():
    mini = charge(reported(Line(USAGE), model="gpt-4o-mini")).cost_nanousd
    assert mini is not None
    found = charge(reported(Line(USAGE), Line(USAGE, "gpt-4o-mini")))
    assert found.cost_nanousd == COST_NANOUSD + mini


def test_a_bucket_without_a_rate_makes_the_cost_unknown_and_is_named():
    found = charge(reported(Line(Usage(input_text=1, input_pages=5))))
    assert found.cost_nanousd is None
    assert "no_rate:input_pages" in found.flags


def test_an_override_is_found_by_the_upstream_s_name():
    catalog = CATALOG.with_overrides([Override("openai", "*", {}, "0.5")])
    found = charge(reported(Line(USAGE)), catalog=catalog)
    assert (found.cost_nanousd, found.price_match) == (COST_NANOUSD // 2, "override")
    other = CATALOG.with_overrides([Override("azure", "*", {}, "0.5")])
    assert charge(reported(Line(USAGE)), catalog=other).cost_nanousd == COST_NANOUSD


def test_an_answer_that_names_no_usage_is_unknown_and_not_zero():
    found = charge(Reading(flags=("body_unreadable",)))
    assert found == Charge("unknown", model="gpt-4o", flags=("body_unreadable",))


@pytest.mark.parametrize("provenance", ["reported", "partial", "estimated"])
def test_where_the_numbers_come_from_is_kept(provenance):
    assert charge(Reading(lines=(Line(USAGE),), provenance=provenance, model="gpt-4o")).provenance == provenance


def test_work_at_an_organizations_own_upstream_is_not_that_of_anybody_else():
    told = reported(Line(USAGE), work_id="resp_1")
    assert charge(told).work_id == "openai:resp_1"
    assert charge(told, upstream='org_id = "default"').work_id == "default/openai:resp_1"


def test_a_sum_beyond_counting_is_unknown_and_costs_nobody_a_record():
    most = Usage(output_text=COUNT_MAX)
    assert charge(reported(Line(most), model="gpt-4o-mini")).usage == most
    for lines in ((Line(most), Line(most)), (Line(Usage(input_text=COUNT_MAX)), Line(Usage(cache_read_text=1)))):
        found = charge(reported(*lines, model="gpt-4o-mini", work_id="w"))
        assert (found.provenance, found.usage, found.cost_nanousd) == ("unknown", None, None)
        assert (found.flags, found.work_id) == ((INCONSISTENT,), "openai:w")


def test_what_goes_for_many_lines_is_flagged_once():
    assert charge(reported(*(Line(USAGE, f"no-such-{number}") for number in range(3)))).flags == ("unknown_model",)


def test_work_of_which_nothing_was_done_costs_nothing():
    found = charge(Reading(provenance="none", work_id="batch_1"))
    assert (found.provenance, found.cost_nanousd, found.usage, found.work_id) == ("none", 0, None, "openai:batch_1")
