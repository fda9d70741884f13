from decimal import Decimal

from control_plane.analytics.totals import NOTHING, added, change, less, nanousd, share, totals

ROW = {
    "calls": 10, "ok": 6, "refused": 1, "left_early": 1, "cost_usd": Decimal("1.500000001"), "priced_calls": 7,
    "tokens_in": 5, "tokens_out": 6, "cache_read_tokens": 2, "unpriced_calls": 2, "unmetered_calls": 1,
}  # fmt: skip


def test_what_is_neither_well_nor_refused_nor_left_is_an_error():
    assert totals(ROW).errors == 2
    assert totals(ROW).cost_usd == "1.500000001"


def test_a_cost_is_unknown_where_no_call_has_one_and_nothing_where_there_is_no_call():
    unpriced = ROW | {"priced_calls": 0, "unpriced_calls": 9, "cost_usd": None}
    assert totals(unpriced).cost_usd is None
    assert totals(NOTHING).cost_usd == "0.00"
    assert totals(ROW | {"priced_calls": 0, "unpriced_calls": 0, "cost_usd": None}).cost_usd == "0.00"


def test_tokens_are_unknown_where_no_call_has_a_usage():
    unknown = ROW | {"tokens_in": None, "unmetered_calls": 9}
    assert totals(unknown).tokens_in is None
    assert totals(unknown | {"unmetered_calls": 0}).tokens_in == 0
    refused = {name: ROW[name] for name in ROW if name != "unmetered_calls"} | {"tokens_in": None, "refused": 10}
    assert totals(refused).tokens_in == 0


def test_parts_add_up_and_a_part_can_be_taken_away():
    both = added([ROW, ROW])
    assert (both["calls"], both["cost_usd"]) == (20, Decimal("3.000000002"))
    assert less(both, [ROW]) == ROW
    assert added([])["calls"] == 0


def test_a_change_is_told_in_money_and_in_shares():
    half = ROW | {"calls": 5, "cost_usd": Decimal("3")}
    assert change(ROW, half).cost_usd == "-1.499999999"
    assert change(ROW, half).calls_share == 1.0
    assert change(ROW, NOTHING).cost_share is None


def test_a_share_of_nothing_is_unknown():
    assert share(1, 4) == 0.25
    assert share(1, 0) is None
    assert nanousd(None) == 0
