"""Owns sessions of browsers: opened by a link, looked at, switched to another organization, ended."""

from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, delete, select, update

from control_plane.api.access import csrf_token
from control_plane.api.find import find_one
from control_plane.api.problems import conflict
from control_plane.audit.service import record
from control_plane.auth import invitations, links
from control_plane.auth.principal import Principal
from control_plane.auth.roles import GRANTED, PERMISSIONS
from control_plane.auth.schema import BrowserSessionOut, OrganizationOfMine, SessionOut
from control_plane.auth.tables import BrowserSession, MagicLink, Membership, Organization, User
from control_plane.auth.tokens import digest, new_token
from control_plane.db.engine import ACROSS, Database
from control_plane.db.ids import new_id
from control_plane.work import Work

USER_AGENT_CHARS_MAX = 200


class Opened(NamedTuple):
    """The secret is for the cookie alone."""

    secret: str
    session: SessionOut


async def sign_in(work: Work, token: str, user_agent: str, former_secret: str) -> Opened:
    """Spends a link; the session is new, and the browser's former one ends. Raises Problem 401."""
    link = await links.use(work, token)
    member = await invitations.accept(work, link) if link.invitation_id else await _member(work, link)
    token_of_session = new_token("lss_")
    browser = _browser(work, member, token_of_session.sha256, user_agent)
    await work.session.execute(delete(BrowserSession).where(BrowserSession.sha256 == digest(former_secret)))
    work.session.add(browser)
    principal = Principal("user", member.user_id, link.email, member.org_id, member.role, browser.id)
    own = replace(work, principal=principal)
    await record(own, "session:create", f"session:{browser.id}")
    return Opened(token_of_session.secret, await describe(own))


async def describe(work: Work) -> SessionOut:
    """Who asks, as what, and where else."""
    who = work.principal
    query = (
        select(Organization.id, Organization.name, Membership.role)
        .join(Membership, Membership.org_id == Organization.id)
        .where(Membership.user_id == who.id)
        .order_by(Organization.name, Organization.id)
    )
    mine = [OrganizationOfMine(*row) for row in await work.session.execute(query.execution_options(**ACROSS))] or [
        await _organization(work)
    ]
    return SessionOut(
        id=who.session_id or who.id,
        kind="user" if who.kind == "user" else "token",
        name=who.name,
        organization=next(one for one in mine if one.id == who.org_id),
        organizations=mine,
        permissions=[one for one in PERMISSIONS if one in GRANTED[who.role]],
        csrf_token=csrf_token(work.keyring, who) if who.kind == "user" else None,
        gateway_url=work.settings.gateway_url.rstrip("/") or None,
    )


async def switch(work: Work, database: Database, org_id: str) -> SessionOut:
    """Looks at another organization from now on, in whose audit log it stands, as signing in there would.

    In that organization's own transaction. Raises Problem 404 where the person is no member, 409 for a token.
    """
    who = _person(work)
    async with database.writing(org_id) as session:
        session.info["now_ms"] = work.now_ms
        query = select(Membership.role).where(Membership.org_id == org_id, Membership.user_id == who.id)
        role = await find_one(session, query, "organization")
        chosen = update(BrowserSession).where(BrowserSession.id == who.session_id).values(org_id=org_id)
        await session.execute(chosen)
        principal = Principal(who.kind, who.id, who.name, org_id, role, who.session_id)
        own = replace(work, session=session, principal=principal)
        await record(own, "session:switch", f"session:{who.session_id}")
        return await describe(own)


async def sign_out(work: Work) -> None:
    """Raises Problem 409 for a token."""
    who = _person(work)
    await _end(work, BrowserSession.id == who.session_id)
    await record(work, "session:delete", f"session:{who.session_id}")


def listed(work: Work) -> Select[BrowserSession]:
    """The person's browsers that are signed in."""
    return select(BrowserSession).where(
        BrowserSession.user_id == work.principal.id, BrowserSession.expires_at_ms > work.now_ms
    )


async def revoke(work: Work, session_id: str) -> None:
    """Signs another browser out, or this one. Raises Problem 404."""
    await find_one(work.session, listed(work).where(BrowserSession.id == session_id), "session")
    await _end(work, BrowserSession.id == session_id)
    await record(work, "session:delete", f"session:{session_id}")


async def revoke_others(work: Work) -> None:
    """Signs out every browser of the person but this one."""
    query = listed(work).where(BrowserSession.id != work.principal.session_id)
    for browser in (await work.session.execute(query)).scalars().all():
        await _end(work, BrowserSession.id == browser.id)
        await record(work, "session:delete", f"session:{browser.id}")


def render(work: Work, browser: BrowserSession) -> BrowserSessionOut:
    return BrowserSessionOut(
        id=browser.id,
        user_agent=browser.user_agent,
        current=browser.id == work.principal.session_id,
        created_at_ms=browser.created_at_ms,
        seen_at_ms=browser.seen_at_ms,
        expires_at_ms=browser.expires_at_ms,
    )


def _browser(work: Work, member: Membership, sha256: str, user_agent: str) -> BrowserSession:
    return BrowserSession(
        id=new_id("ses", work.now_ms),
        sha256=sha256,
        user_id=member.user_id,
        org_id=member.org_id,
        created_at_ms=work.now_ms,
        seen_at_ms=work.now_ms,
        expires_at_ms=work.now_ms + work.settings.session_s * 1000,
        secret_at_ms=work.now_ms,
        previous_sha256=None,
        previous_until_ms=None,
        user_agent=user_agent[:USER_AGENT_CHARS_MAX],
    )


async def _member(work: Work, link: MagicLink) -> Membership:
    """Where the person was last, or else was first. Raises Problem 401 for who is no member of anything any more."""
    last = (
        select(BrowserSession.org_id)
        .join(User, User.id == BrowserSession.user_id)
        .where(User.email == link.email)
        .order_by(BrowserSession.seen_at_ms.desc())
        .limit(1)
    )
    query = select(Membership).join(User, User.id == Membership.user_id).where(User.email == link.email)
    org_id = (await work.session.execute(last)).scalar_one_or_none()
    members = (await work.session.execute(query.order_by(Membership.id))).scalars().all()
    if not members:
        raise links.refused()
    return next((one for one in members if one.org_id == org_id), members[0])


async def _organization(work: Work) -> OrganizationOfMine:
    query = select(Organization.name).where(Organization.id == work.org_id)
    name = (await work.session.execute(query)).scalar_one()
    return OrganizationOfMine(work.org_id, name, work.principal.role)


async def _end(work: Work, which: ColumnElement[bool]) -> None:
    await work.session.execute(delete(BrowserSession).where(which))


def _person(work: Work) -> Principal:
    if work.principal.kind != "user":
        raise conflict("A service token has no session; this is for a browser that is signed in")
    return work.principal
