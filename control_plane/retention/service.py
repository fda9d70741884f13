"""Owns an organization's times, holds and erasures, as people ask for them. What is done to the lake is run.py's."""

import secrets

import msgspec
from sqlalchemy import Select, select

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import conflict, invalid
from control_plane.audit.service import record
from control_plane.auth import organizations
from control_plane.db.ids import new_id
from control_plane.lake.retain import Tier
from control_plane.lake.standing import digest
from control_plane.projects.tables import Project
from control_plane.retention.schema import (
    ErasureCreate,
    ErasureOut,
    HoldCreate,
    HoldOut,
    RetentionEdit,
    RetentionOut,
    Times,
)
from control_plane.retention.tables import ErasureRequest, LegalHold, RetentionSetting
from control_plane.retention.tiers import DEFAULT, plan_of, shortened, tiers
from control_plane.work import Work


async def setting(work: Work) -> RetentionSetting:
    """The organization's own times; a new row, of the version 0, where it has none."""
    found = (await work.session.execute(select(RetentionSetting))).scalar_one_or_none()
    return found or RetentionSetting(
        id=new_id("ret", work.now_ms), org_id=work.org_id, events_days=None, rollups_days=None, version=0
    )


async def shown(work: Work, own: RetentionSetting) -> RetentionOut:
    known = tiers(work.settings.retention)
    plan = await plan_of(work.session, work.settings.retention, work.org_id)
    tier = known.get(plan, known[DEFAULT])
    held = (await work.session.execute(holding().limit(1))).first() is not None
    effective = _times(shortened(tier, own))
    return RetentionOut(plan, _times(tier), Times(own.events_days, own.rollups_days), effective, tier.one_of, held)


def _times(tier: Tier) -> Times:
    return Times(tier.events_days or None, tier.rollups_days or None)


async def change(work: Work, wanted: RetentionEdit, if_match: str | None) -> RetentionSetting:
    """Raises Problem 400 for a time that the plan does not have, 412 where it was changed meanwhile."""
    # One edit of an organization after the other: the first two at once would find no row of its times to wait for.
    await organizations.own(work, to_change=True)
    own = await setting(work)
    before = await shown(work, own)
    edit(own, if_match, work.now_ms)
    for name in ("events_days", "rollups_days"):
        if (days := getattr(wanted, name)) is not msgspec.UNSET:
            _fits(name, days, getattr(before.of_plan, name))
            setattr(own, name, days)
    after = await shown(work, own)
    if _longer(after.effective.events_days, after.effective.rollups_days):
        raise invalid("body/rollups_days", "must not be less than events_days: calls would outlive their sums")
    work.session.add(own)
    await record(work, "retention:update", f"organization:{work.org_id}", before=before, after=after)
    return own


def _fits(name: str, days: int | None, of_plan: int | None) -> None:
    if days is not None and of_plan is not None and days > of_plan:
        raise invalid(f"body/{name}", f"the plan keeps {of_plan} days; an organization may keep less")


def _longer(days: int | None, other: int | None) -> bool:
    return other is not None and (days is None or days > other)


def holding() -> Select[LegalHold]:
    """Holds that are not released."""
    return select(LegalHold).where(LegalHold.released_at_ms.is_(None))


def holds(*, released: bool) -> Select[LegalHold]:
    return select(LegalHold).where(LegalHold.released_at_ms.is_not(None)) if released else holding()


async def find_hold(work: Work, hold_id: str, *, to_change: bool = False) -> LegalHold:
    """Raises Problem 404."""
    query = select(LegalHold).where(LegalHold.id == hold_id)
    return await find_one(work.session, query, "hold", to_change=to_change)


async def hold(work: Work, wanted: HoldCreate) -> LegalHold:
    """From the next run on nothing of it is deleted. Raises Problem 400 for a project that is not there."""
    if wanted.project_id is not None:
        query = select(Project.id).where(Project.id == wanted.project_id)
        if (await work.session.execute(query)).first() is None:
            raise invalid("body/project_id", "name a project of this organization; GET /v1/projects lists them")
    made = LegalHold(
        id=new_id("hld", work.now_ms),
        org_id=work.org_id,
        project_id=wanted.project_id,
        reason=wanted.reason,
        created_by=work.principal.actor,
        created_at_ms=work.now_ms,
        released_by=None,
        released_at_ms=None,
    )
    work.session.add(made)
    await record(work, "hold:create", f"hold:{made.id}", after=render_hold(made))
    return made


async def release(work: Work, hold_id: str) -> None:
    """What is past its time goes with the next run; one that was released stays so. Raises Problem 404."""
    held = await find_hold(work, hold_id, to_change=True)
    if held.released_at_ms is not None:
        return
    before = render_hold(held)
    held.released_by, held.released_at_ms = work.principal.actor, work.now_ms
    await record(work, "hold:release", f"hold:{held.id}", before=before, after=render_hold(held))


def render_hold(held: LegalHold) -> HoldOut:
    return HoldOut(
        held.id,
        held.project_id,
        held.reason,
        held.created_by,
        held.created_at_ms,
        held.released_by,
        held.released_at_ms,
    )


def erasures() -> Select[ErasureRequest]:
    return select(ErasureRequest)


async def find_erasure(work: Work, erasure_id: str) -> ErasureRequest:
    """Raises Problem 404."""
    return await find_one(work.session, erasures().where(ErasureRequest.id == erasure_id), "erasure")


async def erase(work: Work, wanted: ErasureCreate) -> ErasureRequest:
    """Asks for it; the next run begins. The name is neither kept nor logged. Raises Problem 409 while a hold holds."""
    held = (await work.session.execute(holding().order_by(LegalHold.id).limit(1))).scalar_one_or_none()
    if held is not None:
        raise conflict(f"The hold {held.id} ({held.reason}) forbids it; release it first, or wait until it is released")
    salt = secrets.token_hex(16)
    asked = ErasureRequest(
        id=new_id("era", work.now_ms),
        org_id=work.org_id,
        salt=salt,
        sha256=digest(salt, work.org_id, wanted.user),
        status="pending",
        requested_by=work.principal.actor,
        requested_at_ms=work.now_ms,
        ordered_at_ms=None,
        rewritten_at_ms=None,
        done_at_ms=None,
        unsearched_files=0,
    )
    work.session.add(asked)
    await record(work, "erasure:create", f"erasure:{asked.id}", after=render_erasure(asked))
    return asked


def render_erasure(asked: ErasureRequest) -> ErasureOut:
    return ErasureOut(
        asked.id, asked.status, asked.requested_by, asked.requested_at_ms, asked.done_at_ms, asked.unsearched_files
    )
