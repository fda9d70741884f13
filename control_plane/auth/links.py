"""Owns sign-in links: asked for, limited, used once. Who asks for an address learns nothing of whether it is known.

For an address of nobody all is done as for one of somebody, down to a mail: that one is addressed to nobody.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.problems import Problem
from control_plane.auth import letters
from control_plane.auth.postman import post
from control_plane.auth.tables import MagicLink, Membership, User
from control_plane.auth.tokens import digest, new_token
from control_plane.settings import Settings
from control_plane.work import Work

HOUR_MS = 3_600_000
# Enough for somebody who mistypes; a mailbox that others aim at is not filled.
PER_ADDRESS_MAX = 5
# An office behind one address signs in on a Monday morning.
PER_CLIENT_MAX = 60
# Classes of PostgreSQL's advisory locks, any that nobody else takes.
_LOCK_ADDRESS, _LOCK_CLIENT = 0x1E15A2, 0x1E15A3


async def request(work: Work, email: str, client: str) -> None:
    """Puts a link on its way to whoever has the address. Raises Problem 429."""
    email = email.lower()
    # Invitations are not among them: who asks would learn of them.
    asked_for = (MagicLink.email == email) & (MagicLink.client != "")
    await _admit(work, asked_for, PER_ADDRESS_MAX, _LOCK_ADDRESS, email)
    await _admit(work, MagicLink.client == client, PER_CLIENT_MAX, _LOCK_CLIENT, client)
    query = select(User.id).join(Membership, Membership.user_id == User.id).where(User.email == email).limit(1)
    known = (await work.session.execute(query)).first() is not None
    expires_at_ms = work.now_ms + work.settings.link_s * 1000
    url = add(work.session, work.settings, email, work.now_ms, expires_at_ms, client=client)
    post(work, letters.sign_in(email if known else "", url, -(-work.settings.link_s // 60)), expires_at_ms)


async def admit_invitation(work: Work, email: str) -> None:
    """Raises Problem 429 where the address had too many invitations of late, of whomever."""
    invited = (MagicLink.email == email) & MagicLink.invitation_id.is_not(None)
    await _admit(work, invited, PER_ADDRESS_MAX, _LOCK_ADDRESS, email)


async def _admit(work: Work, whose: ColumnElement[bool], count_max: int, lock: int, name: str) -> None:
    """Raises Problem 429 where there are so many links within the hour. Those who ask at once are counted in turn."""
    await _one_at_a_time(work.session, lock, name)
    query = select(MagicLink.created_at_ms).where(whose, MagicLink.created_at_ms > work.now_ms - HOUR_MS)
    made: Sequence[int] = (await work.session.execute(query.order_by(MagicLink.created_at_ms))).scalars().all()
    if len(made) >= count_max:
        wait_s = -(-(made[-count_max] + HOUR_MS - work.now_ms) // 1000)
        raise Problem(
            429,
            "too_many_links",
            f"Too many links were asked for; use the latest, or ask again in {-(-wait_s // 60)} minutes",
            headers={"retry-after": str(max(1, wait_s))},
        )


def add(
    session: AsyncSession,
    settings: Settings,
    email: str,
    now_ms: int,
    expires_at_ms: int,
    *,
    client: str = "",
    invitation_id: str | None = None,
) -> str:
    """A new link's URL. The token stands behind `#`: no server's log and no scanner of mails spends it."""
    token = new_token("lml_")
    session.add(
        MagicLink(
            sha256=token.sha256,
            email=email,
            invitation_id=invitation_id,
            client=client,
            created_at_ms=now_ms,
            expires_at_ms=expires_at_ms,
            used_at_ms=None,
        )
    )
    return f"{settings.url}/sign-in#token={token.secret}"


async def use(work: Work, secret: str) -> MagicLink:
    """Spends a link, and with it the others of its address that sign in. Raises Problem 401."""
    open_ones = update(MagicLink).where(MagicLink.used_at_ms.is_(None)).values(used_at_ms=work.now_ms)
    this = (MagicLink.sha256 == digest(secret), MagicLink.expires_at_ms > work.now_ms)
    spend = open_ones.where(*this).returning(MagicLink)
    link = (await work.session.execute(spend, execution_options=_UNSYNCHRONIZED)).scalar_one_or_none()
    if link is None:
        raise refused()
    others = open_ones.where(MagicLink.email == link.email, MagicLink.invitation_id.is_(None))
    await work.session.execute(others, execution_options=_UNSYNCHRONIZED)
    return link


async def withdraw(work: Work, invitation_id: str) -> None:
    """An invitation's links work no more; they still count against the limit."""
    this = (MagicLink.invitation_id == invitation_id, MagicLink.used_at_ms.is_(None))
    spent = update(MagicLink).where(*this).values(used_at_ms=work.now_ms)
    await work.session.execute(spent, execution_options=_UNSYNCHRONIZED)


def refused() -> Problem:
    """The same for every link that does not sign in."""
    return Problem(401, "unauthenticated", "This link was used, has expired or is none: ask for another")


# Nothing of these rows is in the session yet.
_UNSYNCHRONIZED: dict[str, Any] = {"synchronize_session": False}


async def _one_at_a_time(session: AsyncSession, lock: int, name: str) -> None:
    """Until the transaction ends. SQLite lets one write at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(bytes.fromhex(digest(name)[:8]), signed=True)
        await session.execute(select(func.pg_advisory_xact_lock(lock, key)))
