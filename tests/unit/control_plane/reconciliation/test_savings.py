from datetime import date

from control_plane.reconciliation.ours import start_s
from control_plane.reconciliation.rendered import savings
from control_plane.reconciliation.savings import ASSUMPTIONS, Blocked, caching, history, refusals, routing
from pricing.catalog import Catalog
from pricing.overrides import Override
from tests.support.written_calls import ORG, call, land, used

DAY = date(2026, 11, 24)
NOON_S = start_s(DAY) + 43_200
RATES = {"input_text": "10", "cache_read_text": "1", "cache_write": "12", "output_text": "20"}
CATALOG = Catalog.load([Override("*", "large", RATES), Override("*", "small", {"input_text": "1", "output_text": "2"})])
MILLION = 10**6


def lake(tmp_path) -> str:
    return land(
        tmp_path,
        [
            call("a", NOON_S, model="large", model_requested="large", cost_nanousd=4 * 10**9,
                 **used(input_text=MILLION, cache_read_text=2 * MILLION, cache_write=MILLION)),
            call("b", NOON_S, model="small", model_requested="large", cost_nanousd=2 * 10**9,
                 **used(input_text=MILLION, output_text=MILLION)),
            call("c", NOON_S, model="large", model_requested="large", outcome="refused",
                 refusal_code="budget_exceeded", cost_nanousd=0),
            call("d", NOON_S, model="other", model_requested="other", outcome="refused",
                 refusal_code="kill_switch", cost_nanousd=0),
            call("e", NOON_S, outcome="refused", refusal_code="invalid_key", cost_nanousd=0),
        ],
    )  # fmt: skip


def test_caches_save_the_price_of_input_less_what_they_cost(tmp_path):
    calls, _ = history(lake(tmp_path), ORG, DAY, DAY)
    [found] = caching(calls, CATALOG, NOON_S)
    assert (found.model, found.read_tokens, found.written_tokens) == ("large", 2 * MILLION, MILLION)
    assert found.saved_nanousd == (2 * 9 - 2) * 10**9
    assert caching(calls, Catalog.load(), NOON_S)[0].saved_nanousd is None


def test_a_cheaper_route_saves_the_difference_of_prices(tmp_path):
    calls, _ = history(lake(tmp_path), ORG, DAY, DAY)
    [found] = routing(calls, CATALOG, NOON_S)
    assert (found.model_requested, found.model, found.saved_nanousd) == ("large", "small", (30 - 3) * 10**9)


def test_a_snapshot_of_what_was_asked_for_is_no_other_route(tmp_path):
    records = [call("a", NOON_S, model="gpt-4o-2024-08-06", **used(input_text=5))]
    calls, _ = history(land(tmp_path, records), ORG, DAY, DAY)
    assert routing(calls, Catalog.load(), NOON_S) == []


def test_a_refusal_saves_the_average_of_its_like_where_there_is_one(tmp_path):
    calls, blocked = history(lake(tmp_path), ORG, DAY, DAY)
    found = {one.blocked: one.average_nanousd for one in refusals(blocked, calls)}
    assert [one.saved_nanousd for one in refusals(blocked, calls)] == [
        None if average is None else average * one.calls for one, average in found.items()
    ]
    assert found == {
        Blocked("budget_exceeded", "openai", "large", 1): 3 * 10**9,
        Blocked("kill_switch", "openai", "other", 1): None,
    }


def test_the_report_has_the_sums_and_what_they_rest_on(tmp_path):
    calls, blocked = history(lake(tmp_path), ORG, DAY, DAY)
    out = savings(calls, blocked, (), CATALOG, (DAY, DAY))
    assert (out.spent_usd, out.caching_usd, out.routing_usd, out.blocked_usd) == ("6.00", "16.00", "27.00", "3.00")
    assert out.assumptions == list(ASSUMPTIONS)
