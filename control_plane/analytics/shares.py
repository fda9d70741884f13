"""Owns questions about how calls ended and how well they are known: errors, refusals, provenance."""

from control_plane.analytics.asked import Asked
from control_plane.analytics.schema import ErrorRow, Errors, ProvenanceRow, Provenances
from control_plane.analytics.service import SQL, ask_together
from control_plane.analytics.totals import nanousd, share, totals
from control_plane.lake.query import Lake, Question, Row

# Whose count it is; `deferred` is told by a later call.
_KINDS = {
    "reported": "measured",
    "partial": "measured",
    "estimated": "estimated",
    "held": "unknown",
    "unknown": "unknown",
    "deferred": "unknown",
    "none": "none",
}
_PROVENANCES = len(_KINDS)


async def errors(lake: Lake, asked: Asked, limit: int) -> Errors:
    whole, found = await ask_together(
        lake,
        [
            Question(SQL["summary"], "hourly", asked.scope),
            Question(SQL["errors"], "hourly", asked.scope, {"limit": limit}),
        ],
    )
    total = totals(whole.rows[0])
    return Errors(
        about=asked.about(whole, found),
        total=total,
        rows=[ErrorRow(**row, share=row["calls"] / max(total.calls, 1)) for row in found.rows],
    )


async def provenances(lake: Lake, asked: Asked) -> Provenances:
    given: dict[str, object] = {"by": "provenance", "sort": "cost", "limit": _PROVENANCES, "first": []}
    answer = await lake.ask(Question(SQL["costs"], "hourly", asked.scope, given))
    whole, rows = answer.rows[0], answer.rows[1:]
    measured = [row for row in rows if _KINDS.get(row["value"]) == "measured"]
    counted = sum(row["calls"] for row in rows if _KINDS.get(row["value"]) != "none")
    return Provenances(
        about=asked.about(answer),
        total=totals(whole),
        rows=[_provenance(row, whole) for row in rows],
        measured_cost_share=share(sum(nanousd(row["cost_usd"]) for row in measured), nanousd(whole["cost_usd"])),
        measured_calls_share=share(sum(row["calls"] for row in measured), counted),
    )


def _provenance(row: Row, whole: Row) -> ProvenanceRow:
    return ProvenanceRow(
        provenance=row["value"],
        kind=_KINDS.get(row["value"], "unknown"),
        calls=row["calls"],
        calls_share=row["calls"] / max(whole["calls"], 1),
        cost_usd=totals(row).cost_usd,
        cost_share=None if row["cost_usd"] is None else share(nanousd(row["cost_usd"]), nanousd(whole["cost_usd"])),
    )
