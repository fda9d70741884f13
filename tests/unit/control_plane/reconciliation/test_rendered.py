import csv
import io
from datetime import date

from control_plane.reconciliation.compare import Comparison, Row, Total
from control_plane.reconciliation.rendered import COLUMNS, as_csv, as_text, report, shown

DAY = date(2026, 11, 24)
COST = Row(
    day=DAY, provider="openai", model="=gpt-4o", compared="cost", ours=10**9, theirs=None, delta=None, error=5,
    verdict="no_export", calls=1, named="none",
)  # fmt: skip
TOKENS = Row(
    day=DAY, provider="openai", model="o3", compared="input", ours=10, theirs=30, delta=20, error=None,
    verdict="bypass_suspected", calls=1, named="catalog",
)  # fmt: skip
COMPARISON = Comparison((COST, TOKENS), (Total("openai", "input", 10, 30, 20, None),), (), ())


def test_costs_are_dollars_and_tokens_are_counts():
    assert shown("cost", 1_500_000_000) == "1.50"
    assert shown("input", 1500) == 1500
    assert shown("cost", None) is None


def test_a_report_counts_its_verdicts():
    out = report(COMPARISON, DAY, DAY, ())
    assert out.verdicts == {"no_export": 1, "bypass_suspected": 1}
    assert (out.rows[0].ours, out.rows[0].error, out.totals[0].theirs) == ("1.00", "0.000000005", 30)


def test_c17_csv_has_a_line_for_each_row_and_no_formula():
    rows = list(csv.DictReader(io.StringIO(as_csv(report(COMPARISON, DAY, DAY, ()).rows))))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["model"] == "'=gpt-4o"
    assert (rows[0]["theirs"], rows[1]["delta"]) == ("", "20")


def test_a_terminal_shows_what_differs_and_the_sums():
    text = as_text(report(COMPARISON, DAY, DAY, ()))
    assert "2026-11-24 openai o3 input: ours 10, theirs 30, delta 20 +-?: bypass_suspected" in text
    assert "no_export:" not in text
    assert "1 bypass_suspected, 1 no_export" in text
    assert "nothing differs" in as_text(report(Comparison((), (), (), ()), DAY, DAY, ()))
