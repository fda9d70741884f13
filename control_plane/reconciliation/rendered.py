"""Owns how a comparison is shown: as the API's structs, as CSV, as text for a terminal. Pure."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

from control_plane.api.cells import cell
from control_plane.api.money import usd
from control_plane.reconciliation.compare import Compared, Comparison, Row
from control_plane.reconciliation.lines import Line
from control_plane.reconciliation.ours import start_s
from control_plane.reconciliation.savings import (
    ASSUMPTIONS,
    Blocked,
    Caching,
    Refusals,
    Routing,
    Used,
    caching,
    refusals,
    routing,
)
from control_plane.reconciliation.schema import (
    Amount,
    BlockedOut,
    CachingOut,
    CoverOut,
    ReportOut,
    RoutingOut,
    RowOut,
    SavingsOut,
    TotalOut,
)
from pricing.catalog import Catalog

COLUMNS = (
    "day", "provider", "model", "compared", "ours", "theirs", "delta", "error", "verdict", "calls", "named",
)  # fmt: skip


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
        writer.writerow([cell(getattr(row, name)) for name in COLUMNS])
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
        billed=list(row.billed),
    )


def _known(compared: Compared, amount: int) -> Amount:
    return usd(amount) if compared == "cost" else amount


def savings(
    used: Sequence[Used], blocked: Sequence[Blocked], theirs: Sequence[Line], catalog: Catalog, days: tuple[date, date]
) -> SavingsOut:
    """What was saved in the days, with the providers' own figures beside ours."""
    at_s = start_s(days[1])
    cached, routed, refused = caching(used, catalog, at_s), routing(used, catalog, at_s), refusals(blocked, used)
    return SavingsOut(
        from_day=days[0].isoformat(),
        to_day=days[1].isoformat(),
        spent_usd=usd(sum(one.cost_nanousd for one in used)),
        provider_spent_usd=_spent(theirs),
        provider_cache_read_tokens=_read_from_caches(theirs),
        caching_usd=usd(sum(one.saved_nanousd or 0 for one in cached)),
        routing_usd=usd(sum(one.saved_nanousd or 0 for one in routed)),
        blocked_usd=usd(sum(one.saved_nanousd or 0 for one in refused)),
        caching=[_caching(one) for one in cached],
        routing=[_routing(one) for one in routed],
        blocked=[_blocked(one) for one in refused],
        assumptions=list(ASSUMPTIONS),
    )


def _spent(theirs: Sequence[Line]) -> dict[str, str]:
    """By provider, as it says itself; one that says no cost is not there."""
    spent: Counter[str] = Counter()
    for line in theirs:
        if line.cost_nanousd is not None:
            spent[line.provider] += line.cost_nanousd
    return {provider: usd(cost) for provider, cost in sorted(spent.items())}


def _read_from_caches(theirs: Sequence[Line]) -> dict[str, int]:
    """Tokens by provider, as it says itself."""
    read: Counter[str] = Counter()
    for line in theirs:
        if line.measure == "cache_read" and line.quantity is not None:
            read[line.provider] += line.quantity
    return dict(sorted(read.items()))


def _caching(saved: Caching) -> CachingOut:
    return CachingOut(
        provider=saved.provider,
        model=saved.model,
        cache_read_tokens=saved.read_tokens,
        cache_write_tokens=saved.written_tokens,
        saved_usd=_usd(saved.saved_nanousd),
    )


def _routing(saved: Routing) -> RoutingOut:
    return RoutingOut(
        provider=saved.provider,
        model_requested=saved.model_requested,
        model=saved.model,
        calls=saved.calls,
        saved_usd=_usd(saved.saved_nanousd),
    )


def _blocked(saved: Refusals) -> BlockedOut:
    return BlockedOut(
        refusal_code=saved.blocked.refusal_code,
        provider=saved.blocked.provider,
        model_requested=saved.blocked.model_requested,
        calls=saved.blocked.calls,
        average_usd=_usd(saved.average_nanousd),
        saved_usd=_usd(saved.saved_nanousd),
    )


def _usd(amount_nanousd: int | None) -> str | None:
    return None if amount_nanousd is None else usd(amount_nanousd)
