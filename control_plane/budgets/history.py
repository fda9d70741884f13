"""Owns what happened to a budget or a quota: thresholds that were crossed, and overrides. The newest come first.

What its windows came to is asked of the lake (control_plane/backtest): counters are forgotten after a while.
"""

from sqlalchemy import select

from control_plane.budgets import overrides
from control_plane.budgets.amounts import shown, shown_or_none
from control_plane.budgets.references import compiled
from control_plane.budgets.schema import HistoryOut, PastCrossingOut, PastOverrideOut
from control_plane.budgets.status import values
from control_plane.budgets.tables import BudgetEvent, Override
from control_plane.work import Work
from gateway.contract.policy import Quota

# A page that a person reads; the audit log has all of it.
ROWS_MAX = 100


async def history(work: Work, limited: overrides.Limited) -> HistoryOut:
    quota = compiled(limited)
    crossed = (
        select(BudgetEvent)
        .where(BudgetEvent.budget_id == quota.id)
        .order_by(BudgetEvent.fired_at_ms.desc(), BudgetEvent.threshold.desc())
        .limit(ROWS_MAX)
    )
    granted = (
        select(Override)
        .where(Override.limited_id == quota.id)
        .order_by(Override.created_at_ms.desc(), Override.id.desc())
        .limit(ROWS_MAX)
    )
    return HistoryOut(
        crossed=[_crossing(row, quota) for row in (await work.session.execute(crossed)).scalars()],
        overrides=[_override(row, quota) for row in (await work.session.execute(granted)).scalars()],
    )


def _crossing(row: BudgetEvent, quota: Quota) -> PastCrossingOut:
    return PastCrossingOut(
        percent=row.threshold,
        values=values(row.counter, quota),
        settled=shown(quota.unit, row.settled),
        limit=shown(quota.unit, row.limit_amount),
        window_starts_at_s=row.starts_at_s,
        fired_at_ms=row.fired_at_ms,
    )


def _override(row: Override, quota: Quota) -> PastOverrideOut:
    return PastOverrideOut(
        id=row.id,
        limit=shown_or_none(quota.unit, row.limit_amount),
        until_s=row.until_s,
        reason=row.reason,
        created_by=row.created_by,
        created_at_ms=row.created_at_ms,
        ended_at_ms=row.ended_at_ms,
    )
