from gateway.cli.totals import Totals
from gateway.contract.record import Record


def test_totals_add_what_is_known_and_tell_what_is_not() -> None:
    totals = Totals()
    totals.add(Record(request_id="1", ts_ns=0, outcome="ok", tokens_in=1000, tokens_out=5, cost_nanousd=7))
    totals.add(Record(request_id="2", ts_ns=0, outcome="ok", tokens_in=1, tokens_out=1, price_match="unpriced"))
    totals.add(Record(request_id="3", ts_ns=0, outcome="crashed", provenance="held"))
    totals.add(Record(request_id="4", ts_ns=0, outcome="upstream_error", status=429, cost_nanousd=0))

    assert totals.line().plain == (
        "4 calls · 2 not ok · 1 unpriced · 1 of unknown usage · 1,001 → 6 tokens · $0.000000007"
    )


def test_one_call_is_one_call() -> None:
    totals = Totals()
    totals.add(Record(request_id="1", ts_ns=0, outcome="ok"))

    assert totals.line().plain == "1 call · 0 → 0 tokens · $0.000000000"
