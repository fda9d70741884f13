"""Owns budgets: made, changed, deleted. The flush publishes what gateways must know (publish/outbox.py)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.money import nanousd, usd
from control_plane.audit.service import record
from control_plane.budgets import overrides
from control_plane.budgets.amounts import dollars_or_none, dollars_shown
from control_plane.budgets.references import check_acceptable, check_dimensions, check_key, check_project
from control_plane.budgets.schema import BudgetCreate, BudgetEdit, BudgetOut
from control_plane.budgets.tables import Budget
from control_plane.db.ids import new_id
from control_plane.work import Work

_LIMIT, _CEILING = "body/limit_usd", "body/ceiling_usd"
_PLACES = {"limit": _LIMIT, "ceiling": _CEILING, "window": "body/period"}


def listed(project_id: str | None) -> Select[Budget]:
    """All, or those of one project."""
    query = select(Budget)
    return query if project_id is None else query.where(Budget.project_id == project_id)


async def found(work: Work, ids: Sequence[str]) -> Sequence[Budget]:
    """Those of them that there are."""
    query = select(Budget).where(Budget.id.in_(ids)).order_by(Budget.id)
    return (await work.session.execute(query)).scalars().all()


async def find(work: Work, budget_id: str, *, to_change: bool = False) -> Budget:
    """Raises Problem 404. One that is to be changed is nobody else's to change until the transaction ends."""
    query = select(Budget).where(Budget.id == budget_id)
    return await find_one(work.session, query, "budget", to_change=to_change)


async def create(work: Work, wanted: BudgetCreate) -> Budget:
    """Raises Problem 400."""
    await check_project(work, wanted.project_id)
    check_dimensions(wanted.scope)
    budget = Budget(
        id=new_id("bud", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        name=wanted.name,
        limit_nanousd=nanousd(wanted.limit_usd, _LIMIT),
        period=wanted.period,
        hard_stop=wanted.hard_stop,
        thresholds=list(wanted.thresholds),
        scope=dict(wanted.scope),
        time_zone=wanted.time_zone,
        ceiling_nanousd=dollars_or_none(wanted.ceiling_usd, _CEILING),
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
    check_acceptable(budget, _PLACES)
    await check_key(work, wanted.scope)
    work.session.add(budget)
    await record(work, "budget:create", f"budget:{budget.id}", after=render(budget))
    return budget


async def change(work: Work, budget_id: str, wanted: BudgetEdit, if_match: str | None) -> Budget:
    """Raises Problem 400, 404, 412 where it was changed meanwhile."""
    budget = await find(work, budget_id, to_change=True)
    before = render(budget)
    edit(budget, if_match, work.now_ms)
    if wanted.scope is not msgspec.UNSET:
        check_dimensions(wanted.scope)
    for column, value in _columns(wanted).items():
        setattr(budget, column, value)
    check_acceptable(budget, _PLACES)
    if wanted.scope is not msgspec.UNSET:
        await check_key(work, wanted.scope)
    await record(work, "budget:update", f"budget:{budget.id}", before=before, after=render(budget))
    return budget


async def remove(work: Work, budget_id: str, if_match: str | None) -> None:
    """It limits nothing from now on; thresholds that were crossed stay told. Raises Problem 404, 412."""
    budget = await find(work, budget_id, to_change=True)
    before = render(budget)
    edit(budget, if_match, work.now_ms)
    await overrides.end_all(work, budget.id)
    await work.session.delete(budget)
    await record(work, "budget:delete", f"budget:{budget.id}", before=before)


def render(budget: Budget) -> BudgetOut:
    return BudgetOut(
        budget.id,
        budget.project_id,
        budget.name,
        usd(budget.limit_nanousd),
        budget.period,
        budget.hard_stop,
        budget.thresholds,
        budget.scope,
        budget.time_zone,
        dollars_shown(budget.ceiling_nanousd),
        budget.created_at_ms,
    )


def _columns(wanted: BudgetEdit) -> dict[str, Any]:
    """The columns that an edit names, as they shall be. Raises Problem 400."""
    said = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
    if "limit_usd" in said:
        said["limit_nanousd"] = nanousd(said.pop("limit_usd"), _LIMIT)
    if "ceiling_usd" in said:
        said["ceiling_nanousd"] = dollars_or_none(said.pop("ceiling_usd"), _CEILING)
    return said
