"""Owns the first start, when nobody may sign in yet, and the operator's way back in: links that a terminal is shown."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.tables import MagicLink, Membership, Organization, User
from control_plane.auth.tokens import new_token
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.settings import Settings


async def ensure_owner(database: Database, settings: Settings, now_ms: int) -> str | None:
    """Makes the organization and its owner where there is no user; the owner's sign-in link, or None."""
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        if (await session.execute(select(User.id).limit(1))).first() is not None:
            return None
        org_id, user_id = new_id("org", now_ms), new_id("usr", now_ms)
        email = settings.owner_email.lower()
        session.add(Organization(id=org_id, name="Default", created_at_ms=now_ms))
        session.add(User(id=user_id, email=email, created_at_ms=now_ms))
        await session.flush()
        session.add(
            Membership(id=new_id("mem", now_ms), org_id=org_id, user_id=user_id, role="owner", created_at_ms=now_ms)
        )
        return await sign_in_link(session, settings, email, now_ms)


async def sign_in_link(session: AsyncSession, settings: Settings, email: str, now_ms: int) -> str:
    """A link that signs in whoever opens it first, as the user with that address."""
    token = new_token("lml_")
    session.add(
        MagicLink(
            sha256=token.sha256,
            email=email,
            invitation_id=None,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + settings.link_s * 1000,
            used_at_ms=None,
        )
    )
    await session.flush()
    return f"{settings.url}/sign-in#{token.secret}"
