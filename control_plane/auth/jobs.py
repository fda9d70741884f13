"""Owns what is tidied up of sign-in: links that neither work nor count any more, ended sessions, old invitations."""

from sqlalchemy import delete

from control_plane.auth.links import HOUR_MS
from control_plane.auth.tables import BrowserSession, Invitation, MagicLink
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.runner import Job

EVERY_S = 3_600.0
# Who was invited when stands in the audit log for good.
INVITATION_KEPT_MS = 90 * 86_400_000


def forget_the_ended(database: Database) -> Job:
    async def run(now_ms: int) -> None:
        async with database.writing(EVERY_ORG) as session:
            # Those of the last hour count against the limits.
            old = (MagicLink.expires_at_ms <= now_ms, MagicLink.created_at_ms <= now_ms - HOUR_MS)
            await session.execute(delete(MagicLink).where(*old))
            await session.execute(delete(BrowserSession).where(BrowserSession.expires_at_ms <= now_ms))
            # An accepted one has expired by then too.
            await session.execute(delete(Invitation).where(Invitation.expires_at_ms <= now_ms - INVITATION_KEPT_MS))

    return Job("forget_ended_sign_ins", EVERY_S, run)
