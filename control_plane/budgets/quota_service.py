"""Owns quotas: made, changed, deleted. The flush publishes what gateways must know (publish/outbox.py)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.audit.service import record
from control_plane.budgets import overrides
from control_plane.budgets.amounts import dollars_or_none, dollars_shown, read, shown_or_none
from control_plane.budgets.references import check_acceptable, check_dimensions, check_key, check_project
from control_plane.budgets.schema import THRESHOLDS_DEFAULT, QuotaCreate, QuotaEdit, QuotaOut
from control_plane.budgets.tables import Quota
from control_plane.db.ids import new_id
from control_plane.work import Work
from gateway.contract.policy import Unit, Window

_LIMIT, _CEILING = "body/limit", "body/ceiling_usd"
_PLACES = {"ceiling": _CEILING}


def listed(project_id: str | None) -> Select[Quota]:
    """All, or those of one project."""
    query = select(Quota)
    return query if project_id is None else query.where(Quota.project_id == project_id)


async def found(work: Work, ids: Sequence[str]) -> Sequence[Quota]:
    """Those of them that there are."""
    query = select(Quota).where(Quota.id.in_(ids)).order_by(Quota.id)
    return (await work.session.execute(query)).scalars().all()


async def find(work: Work, quota_id: str, *, to_change: bool = False) -> Quota:
    """Raises Problem 404. One that is to be changed is nobody else's to change until the transaction ends."""
    query = select(Quota).where(Quota.id == quota_id)
    return await find_one(work.session, query, "quota", to_change=to_change)


async def create(work: Work, wanted: QuotaCreate) -> Quota:
    """Raises Problem 400."""
    await check_project(work, wanted.project_id)
    check_dimensions(wanted.scope)
    window = wanted.window or _window(wanted.unit)
    quota = Quota(
        id=new_id("quo", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        name=wanted.name,
        unit=wanted.unit,
        limit_amount=read(wanted.unit, wanted.limit, _LIMIT),
        window=window,
        action=wanted.action,
        thresholds=_thresholds(wanted.unit, window) if wanted.thresholds is None else list(wanted.thresholds),
        scope=dict(wanted.scope),
        time_zone=wanted.time_zone,
        values_max=wanted.values_max,
        ceiling_nanousd=dollars_or_none(wanted.ceiling_usd, _CEILING),
        answers_429=wanted.answers_429,
        created_at_ms=work.now_ms,
        updated_at_ms=work.now_ms,
        version=1,
    )
    check_acceptable(quota, _PLACES)
    await check_key(work, wanted.scope)
    work.session.add(quota)
    await record(work, "quota:create", f"quota:{quota.id}", after=render(quota))
    return quota


async def change(work: Work, quota_id: str, wanted: QuotaEdit, if_match: str | None) -> Quota:
    """Raises Problem 400, 404, 412 where it was changed meanwhile."""
    quota = await find(work, quota_id, to_change=True)
    before = render(quota)
    edit(quota, if_match, work.now_ms)
    if wanted.scope is not msgspec.UNSET:
        check_dimensions(wanted.scope)
    for column, value in _columns(wanted, quota.unit).items():
        setattr(quota, column, value)
    check_acceptable(quota, _PLACES)
    if wanted.scope is not msgspec.UNSET:
        await check_key(work, wanted.scope)
    await record(work, "quota:update", f"quota:{quota.id}", before=before, after=render(quota))
    return quota


async def remove(work: Work, quota_id: str, if_match: str | None) -> None:
    """It limits nothing from now on; thresholds that were crossed stay told. Raises Problem 404, 412."""
    quota = await find(work, quota_id, to_change=True)
    before = render(quota)
    edit(quota, if_match, work.now_ms)
    await overrides.end_all(work, quota.id)
    await work.session.delete(quota)
    await record(work, "quota:delete", f"quota:{quota.id}", before=before)


def render(quota: Quota) -> QuotaOut:
    return QuotaOut(
        quota.id,
        quota.project_id,
        quota.name,
        quota.unit,
        shown_or_none(quota.unit, quota.limit_amount),
        quota.window,
        quota.action,
        quota.thresholds,
        quota.scope,
        quota.time_zone,
        quota.values_max,
        dollars_shown(quota.ceiling_nanousd),
        quota.answers_429,
        quota.created_at_ms,
    )


def _window(unit: Unit) -> Window:
    return "total" if unit == "concurrent" else "month"


def _thresholds(unit: Unit, window: Window) -> list[int]:
    """A limit of a minute or of calls at a time is reached all day: nobody wants to be told each time."""
    return [] if unit == "concurrent" or window in ("minute", "hour") else list(THRESHOLDS_DEFAULT)


def _columns(wanted: QuotaEdit, unit: Unit) -> dict[str, Any]:
    """The columns that an edit names, as they shall be. Raises Problem 400."""
    said = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not msgspec.UNSET}
    if "limit" in said:
        said["limit_amount"] = read(unit, said.pop("limit"), _LIMIT)
    if "ceiling_usd" in said:
        said["ceiling_nanousd"] = dollars_or_none(said.pop("ceiling_usd"), _CEILING)
    return said
