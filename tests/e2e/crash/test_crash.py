"""A short run of the crash harness (`make crash` is the long one), and that its judge is not blind."""

import datetime
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.e2e.crash.__main__ import report
from tests.e2e.crash.harness import run
from tests.e2e.crash.verdict import judge
from tests.support.gateways import Row

KILLS = int(os.environ.get("TESTS_CRASH_KILLS", "6"))
SEED = int(os.environ.get("TESTS_CRASH_SEED", "1"))


def line(mark: str, **changed: Any) -> dict[str, Any]:
    tokens = {"input": 7, "cache_read": 2, "cache_write": 0, "cache_write_1h": 0, "output": 4, "reasoning": 1}
    return {"mark": mark, "state": "completed", "tokens": tokens, "amount_nanousd": 4_100, **changed}


def row(mark: str, **changed: Any) -> Row:
    columns = {
        "ts": datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
        "request_id": f"req-{mark}",
        "metadata": f'{{"mark": "{mark}"}}',
        "outcome": "ok",
        "provenance": "reported",
        "tokens_in": 9,
        "tokens_out": 5,
        "cost_usd": Decimal("0.000004100"),
    }
    return Row({**columns, **changed}, landed_ns=0)


HELD: dict[str, Any] = {
    "outcome": "crashed", "provenance": "held", "tokens_in": None, "tokens_out": None, "cost_usd": None,
}  # fmt: skip


def test_every_billed_call_is_recorded_once_however_often_the_gateway_is_killed(tmp_path: Path):
    done = run(tmp_path, KILLS, SEED, say=lambda _: None)

    assert done.verdict.faultless, report(done)
    assert done.budgets.faults == [], report(done)
    assert len(done.budgets.settled) > 2
    assert done.verdict.of_billed["reported"] > KILLS
    assert done.verdict.of_billed["held"] > 0
    assert done.kills["in service"] + done.kills["during its start"] == KILLS


def test_equal_books_are_faultless():
    verdict = judge([line("a"), line("b", state="client_left")], [row("a"), row("b", **HELD), row("c", **HELD)])

    assert verdict.faultless
    assert (verdict.of_billed["reported"], verdict.of_billed["held"], verdict.of_unbilled["crashed"]) == (1, 1, 1)


def test_a_billed_call_without_a_record_is_missing():
    assert judge([line("a"), line("b")], [row("b")]).missing == ["a"]


def test_a_call_recorded_twice_is_a_duplicate():
    assert judge([line("a")], [row("a"), row("a")]).duplicate == ["req-a", "a"]
    assert judge([line("a")], [row("a"), row("a", request_id="req-other")]).duplicate == ["a"]


def test_reported_numbers_must_be_the_bills_of_a_complete_call():
    assert judge([line("a")], [row("a", tokens_out=4)]).different
    assert judge([line("a")], [row("a", cost_usd=Decimal("0.000004101"))]).different
    assert judge([line("a", state="client_left")], [row("a")]).different
    assert judge([line("a", state="cut")], [row("a", tokens_out=4)]).different


def test_a_stream_that_was_cut_behind_its_last_number_is_complete():
    assert judge([line("a", state="cut")], [row("a")]).faultless


def test_a_call_that_was_not_seen_to_end_must_not_claim_numbers():
    assert judge([line("a")], [row("a", **{**HELD, "tokens_in": 9})]).different
    assert judge([line("a")], [row("a", **{**HELD, "provenance": "none"})]).different


def test_a_cost_without_a_bill_is_a_difference():
    assert judge([], [row("a")]).different
    assert judge([line("a"), line("a")], [row("a")]).different
