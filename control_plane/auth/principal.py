"""Owns who speaks: a person by cookie, a program by bearer token, a gateway. Every failure is nobody, never a default.

Looks a secret up by its SHA-256; the secret itself reaches no query and no log.
"""

from typing import Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.roles import Role
from control_plane.auth.tables import BrowserSession, GatewayToken, Membership, ServiceToken, User
from control_plane.auth.tokens import digest

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


async def by_session(session: AsyncSession, secret: str, now_ms: int) -> Principal | None:
    """Whose browser this is, if it is signed in and still a member of the organization it looks at."""
    query = (
        select(BrowserSession, User, Membership)
        .join(User, User.id == BrowserSession.user_id)
        .join(Membership, (Membership.user_id == User.id) & (Membership.org_id == BrowserSession.org_id))
        .where(BrowserSession.sha256 == digest(secret), BrowserSession.expires_at_ms > now_ms)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        return None
    browser, user, membership = found
    return Principal("user", user.id, user.email, membership.org_id, membership.role, browser.id)


async def by_token(session: AsyncSession, secret: str, now_ms: int) -> Principal | None:
    """Which program this is, if its token is neither revoked nor expired."""
    query = select(ServiceToken).where(ServiceToken.sha256 == digest(secret), ServiceToken.revoked_at_ms.is_(None))
    token = (await session.execute(query)).scalar_one_or_none()
    if token is None or (token.expires_at_ms is not None and token.expires_at_ms <= now_ms):
        return None
    return Principal("token", token.id, token.name, token.org_id, token.role)


async def gateway_by_token(session: AsyncSession, secret: str) -> GatewayToken | None:
    """Which gateway token this is, if it is not revoked."""
    query = select(GatewayToken).where(GatewayToken.sha256 == digest(secret), GatewayToken.revoked_at_ms.is_(None))
    return (await session.execute(query)).scalar_one_or_none()
