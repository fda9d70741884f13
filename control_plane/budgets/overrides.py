"""Owns minutes of grace: one at a time for a budget or a quota, until its time is over or somebody ends it.

A gateway obeys one override of a quota, so another one ends the one before, in the same transaction.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from control_plane.api.problems import Problem, invalid
from control_plane.audit.service import record
from control_plane.budgets.amounts import shown_or_none
from control_plane.budgets.schema import OverrideOut
from control_plane.budgets.tables import Budget, Override, Quota
from control_plane.db.ids import new_id
from control_plane.work import Work
from gateway.contract.policy import Unit
from gateway.quota_rules import LIMIT_MAX

Limited = Budget | Quota


async def grant(
    work: Work, limited: Limited, minutes: int, limit_amount: int | None, reason: str, pointer: str
) -> Override:
    """Grace from now on, of a row that was found to be changed. Raises Problem 400 for a limit out of bounds."""
    if limit_amount is not None and not 0 <= limit_amount <= LIMIT_MAX:
        raise invalid(pointer, f"is out of bounds; use 0 to {LIMIT_MAX}")
    await end_all(work, limited.id)
    # To gateways the limit is another one from here on, also once it is what it was before.
    limited.version += 1
    override = Override(
        id=new_id("ovr", work.now_ms),
        org_id=work.org_id,
        limited_id=limited.id,
        limit_amount=limit_amount,
        until_s=work.now_s + minutes * 60,
        reason=reason,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        ended_at_ms=None,
    )
    work.session.add(override)
    await record(work, f"{kind(limited)}:override", subject(limited), after=render(override, unit(limited)))
    return override


async def end(work: Work, limited: Limited) -> None:
    """Raises Problem 404 where none is in force."""
    override = await in_force(work, limited.id)
    if override is None:
        raise Problem(404, "not_found", "No override is in force, so there is none to end")
    await end_all(work, limited.id)
    await record(work, f"{kind(limited)}:end_override", subject(limited), before=render(override, unit(limited)))


async def end_all(work: Work, limited_id: str) -> None:
    """Those whose time is over are ended too: a gateway that still knows one would take no other."""
    for override in await _not_ended(work, limited_id):
        override.ended_at_ms = min(work.now_ms, override.until_s * 1000)
    await work.session.flush()


async def in_force(work: Work, limited_id: str) -> Override | None:
    """The one whose time is not over."""
    return (await all_in_force(work, [limited_id])).get(limited_id)


async def all_in_force(work: Work, limited_ids: Sequence[str]) -> Mapping[str, Override]:
    """Those whose time is not over, by what they are of."""
    query = select(Override).where(Override.limited_id.in_(limited_ids), Override.ended_at_ms.is_(None))
    rows = (await work.session.execute(query)).scalars()
    return {row.limited_id: row for row in rows if row.until_s > work.now_s}


def render(override: Override, unit: Unit) -> OverrideOut:
    return OverrideOut(
        override.id,
        shown_or_none(unit, override.limit_amount),
        override.until_s,
        override.reason,
        override.created_by,
        override.created_at_ms,
    )


def unit(limited: Limited) -> Unit:
    return "usd" if isinstance(limited, Budget) else limited.unit


def kind(limited: Limited) -> str:
    return "budget" if isinstance(limited, Budget) else "quota"


def subject(limited: Limited) -> str:
    """As the audit log names it."""
    return f"{kind(limited)}:{limited.id}"


async def _not_ended(work: Work, limited_id: str) -> Sequence[Override]:
    query = select(Override).where(Override.limited_id == limited_id, Override.ended_at_ms.is_(None))
    return (await work.session.execute(query)).scalars().all()
