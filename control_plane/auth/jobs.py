"""Owns what is tidied up of sign-in: links that neither work nor count any more, and sessions that have ended."""

from sqlalchemy import delete

from control_plane.auth.links import HOUR_MS
from control_plane.auth.tables import BrowserSession, MagicLink
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.runner import Job

EVERY_S = 3_600.0


def forget_the_ended(database: Database) -> Job:
    async def run(now_ms: int) -> None:
        async with database.writing(EVERY_ORG) as session:
            # Those of the last hour count against the limits.
            old = (MagicLink.expires_at_ms <= now_ms, MagicLink.created_at_ms <= now_ms - HOUR_MS)
            await session.execute(delete(MagicLink).where(*old))
            await session.execute(delete(BrowserSession).where(BrowserSession.expires_at_ms <= now_ms))

    return Job("forget_ended_sign_ins", EVERY_S, run)
