"""Owns how a comparison is shown: as the API's structs, as CSV, as text for a terminal. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from control_plane.api.money import usd
from control_plane.reconciliation.compare import Compared, Comparison, Row
from control_plane.reconciliation.schema import Amount, CoverOut, ReportOut, RowOut, TotalOut

COLUMNS = (
    "day", "provider", "model", "compared", "ours", "theirs", "delta", "error", "verdict", "calls", "named",
)  # fmt: skip
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shown(compared: Compared, amount: int | None) -> Amount | None:
    """Dollars as text for a cost, else a count."""
    if amount is None or compared != "cost":
        return amount
    return usd(amount)


def report(comparison: Comparison, from_day: date, to_day: date, covered: Sequence[CoverOut]) -> ReportOut:
    return ReportOut(
        from_day=from_day.isoformat(),
        to_day=to_day.isoformat(),
        rows=[_row(row) for row in comparison.rows],
        totals=[
            TotalOut(
                one.provider,
                one.compared,
                _known(one.compared, one.ours),
                _known(one.compared, one.theirs),
                _known(one.compared, one.delta),
                shown(one.compared, one.error),
            )
            for one in comparison.totals
        ],
        verdicts=dict(Counter(row.verdict for row in comparison.rows)),
        covered=list(covered),
        unsupported=list(comparison.unsupported),
        currencies=list(comparison.currencies),
    )


def as_csv(rows: Iterable[RowOut]) -> str:
    """A line for each row under a line of names; an unknown amount is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in COLUMNS])
    return text.getvalue()


def as_text(shown_report: ReportOut) -> str:
    """For a terminal: what differs, then the sums."""
    lines = [f"{shown_report.from_day} to {shown_report.to_day} (UTC)", ""]
    differing = [row for row in shown_report.rows if row.verdict not in ("matches", "no_export")]
    for row in differing:
        bar = "?" if row.error is None else row.error
        lines.append(
            f"{row.day} {row.provider} {row.model or '(no model)'} {row.compared}: ours {row.ours},"
            f" theirs {row.theirs}, delta {row.delta} +-{bar}: {row.verdict}"
        )
    if not differing:
        lines.append("nothing differs by more than rounding")
    lines.append("")
    for total in shown_report.totals:
        bar = "?" if total.error is None else total.error
        lines.append(
            f"{total.provider} {total.compared}: ours {total.ours}, theirs {total.theirs}, delta {total.delta} +-{bar}"
        )
    lines.append(", ".join(f"{count} {verdict}" for verdict, count in sorted(shown_report.verdicts.items())))
    return "\n".join(lines) + "\n"


def _row(row: Row) -> RowOut:
    return RowOut(
        day=row.day.isoformat(),
        provider=row.provider,
        model=row.model,
        compared=row.compared,
        ours=shown(row.compared, row.ours),
        theirs=shown(row.compared, row.theirs),
        delta=shown(row.compared, row.delta),
        error=shown(row.compared, row.error),
        verdict=row.verdict,
        calls=row.calls,
        named=row.named,
    )


def _known(compared: Compared, amount: int) -> Amount:
    return usd(amount) if compared == "cost" else amount


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA) and not value.lstrip("-").replace(".", "").isdigit():
        return "'" + value
    return "" if value is None else value
