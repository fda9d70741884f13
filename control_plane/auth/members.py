"""Owns members of an organization: their roles, and that there is always an owner."""

import msgspec
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import joinedload

from control_plane.api.etag import edit
from control_plane.api.find import find_one
from control_plane.api.problems import conflict, forbidden
from control_plane.audit.service import record
from control_plane.auth.roles import Role, may_grant
from control_plane.auth.schema import MemberEdit, MemberOut
from control_plane.auth.tables import BrowserSession, Membership
from control_plane.work import Work


def listed() -> Select[Membership]:
    return select(Membership).options(joinedload(Membership.user, innerjoin=True))


async def find(work: Work, member_id: str) -> Membership:
    """Raises Problem 404."""
    return await find_one(work.session, listed().where(Membership.id == member_id), "member")


async def change(work: Work, member_id: str, wanted: MemberEdit, if_match: str | None) -> Membership:
    """Raises Problem 403 for a role above one's own, 404, 409 for the last owner, 412."""
    member = await _to_change(work, member_id)
    before = render(member)
    edit(member, if_match, work.now_ms)
    if wanted.role is not msgspec.UNSET and wanted.role != member.role:
        may_hand_out(work, member.role)
        may_hand_out(work, wanted.role)
        await _keeps_an_owner(work, member)
        member.role = wanted.role
    await record(work, "member:update", f"member:{member.id}", before=before, after=render(member))
    return member


async def remove(work: Work, member_id: str, if_match: str | None) -> None:
    """Whose browsers look at this organization are signed out. Raises Problem 403, 404, 409 for the last owner, 412."""
    member = await _to_change(work, member_id)
    before = render(member)
    edit(member, if_match, work.now_ms)
    may_hand_out(work, member.role)
    await _keeps_an_owner(work, member)
    here = (BrowserSession.user_id == member.user_id, BrowserSession.org_id == member.org_id)
    await work.session.execute(delete(BrowserSession).where(*here))
    await work.session.delete(member)
    await record(work, "member:delete", f"member:{member.id}", before=before)


def may_hand_out(work: Work, role: Role) -> None:
    """Raises Problem 403 for a role that permits what one's own does not."""
    if not may_grant(work.principal.role, role):
        raise forbidden(f"The role {work.principal.role} may neither give nor take the role {role}; ask an owner")


def render(member: Membership) -> MemberOut:
    return MemberOut(member.id, member.user_id, member.user.email, member.user.name, member.role, member.created_at_ms)


async def _to_change(work: Work, member_id: str) -> Membership:
    """A member whom nobody else changes meanwhile. Raises Problem 404.

    Two owners who demote each other do so one after the other; rows are read anew by whoever waited.
    """
    await work.session.execute(_owners().with_for_update(key_share=True))
    await find_one(work.session, select(Membership.id).where(Membership.id == member_id), "member", to_change=True)
    return await find(work, member_id)


async def _keeps_an_owner(work: Work, member: Membership) -> None:
    if member.role == "owner" and len((await work.session.execute(_owners())).all()) < 2:
        raise conflict("This is the last owner: make somebody else an owner first")


def _owners() -> Select[str]:
    return select(Membership.id).where(Membership.role == "owner").order_by(Membership.id)
