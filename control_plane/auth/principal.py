"""Owns who speaks: a person by cookie, a program by bearer token, a gateway. Every failure is nobody, never a default.

Looks a secret up by its SHA-256; the secret itself reaches no query and no log.
"""

from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.roles import Role
from control_plane.auth.tables import BrowserSession, GatewayToken, Membership, ServiceToken, User
from control_plane.auth.tokens import digest
from control_plane.db.engine import EVERY_ORG, Database

COOKIE = "lensai_session"
# A token's last use is written down so often, not with every request.
SEEN_EVERY_MS = 60_000

Kind = Literal["user", "token", "gateway", "system"]


class Principal(msgspec.Struct, frozen=True):
    """Who speaks, for which organization, as what. `session_id` is of a browser."""

    kind: Kind
    id: str
    name: str  # the e-mail address of a person, the name of a token
    org_id: str
    role: Role
    session_id: str = ""

    @property
    def actor(self) -> str:
        """How the audit log names it: `user:usr_…`."""
        return f"{self.kind}:{self.id}"


class SignedIn(NamedTuple):
    """Who speaks, and the row that proves it."""

    principal: Principal
    proof: BrowserSession | ServiceToken


async def by_session(session: AsyncSession, secret: str, now_ms: int) -> SignedIn | None:
    """Whose browser this is, if it is signed in and still a member of the organization it looks at."""
    sha256 = digest(secret)
    until = BrowserSession.previous_until_ms
    previous = (BrowserSession.previous_sha256 == sha256) & (until.is_(None) | (until > now_ms))
    query = (
        select(BrowserSession, User, Membership)
        .join(User, User.id == BrowserSession.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.org_id == BrowserSession.org_id))
        .where((BrowserSession.sha256 == sha256) | previous, BrowserSession.expires_at_ms > now_ms)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    browser, user, membership = found
    principal = Principal("user", user.id, user.email, membership.org_id, membership.role, browser.id)
    return SignedIn(principal, browser)


async def by_token(session: AsyncSession, secret: str, now_ms: int) -> SignedIn | None:
    """Which program this is, if its token is neither revoked nor expired."""
    query = select(ServiceToken).where(ServiceToken.sha256 == digest(secret), ServiceToken.revoked_at_ms.is_(None))
    token = (await session.execute(query)).scalar_one_or_none()
    if token is None or (token.expires_at_ms is not None and token.expires_at_ms <= now_ms):
        return None
    return SignedIn(Principal("token", token.id, token.name, token.org_id, token.role), token)


async def still_speaks(session: AsyncSession, who: Principal, now_ms: int) -> bool:
    """Whether what proved who it is still does: for answers that go on for minutes."""
    if who.kind == "user":
        browser = BrowserSession
        here = (browser.id == who.session_id, browser.org_id == who.org_id, browser.expires_at_ms > now_ms)
        query = select(browser.id).where(*here)
    else:
        ends = ServiceToken.expires_at_ms
        in_use = (ServiceToken.revoked_at_ms.is_(None), ends.is_(None) | (ends > now_ms))
        query = select(ServiceToken.id).where(ServiceToken.id == who.id, *in_use)
    return (await session.execute(query)).first() is not None


async def gateway_by_token(session: AsyncSession, secret: str) -> GatewayToken | None:
    """Which gateway token this is, if it is not revoked."""
    query = select(GatewayToken).where(GatewayToken.sha256 == digest(secret), GatewayToken.revoked_at_ms.is_(None))
    return (await session.execute(query)).scalar_one_or_none()


async def note_use(database: Database, token: ServiceToken | GatewayToken, now_ms: int) -> None:
    """Writes down when a token was used, now and then."""
    if token.used_at_ms is not None and now_ms - token.used_at_ms < SEEN_EVERY_MS:
        return
    table = type(token)
    async with database.writing(EVERY_ORG) as session:
        await session.execute(update(table).where(table.id == token.id).values(used_at_ms=now_ms))
