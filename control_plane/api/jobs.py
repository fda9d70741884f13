"""Owns forgetting the answers that were kept for a repeated POST."""

from sqlalchemy import delete

from control_plane.api.tables import IdempotentAnswer
from control_plane.api.transaction import KEPT_MS
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.runner import Job

# A day and at most an hour: nobody repeats a request that long.
EVERY_S = 3_600.0


def forgetting(database: Database) -> Job:
    async def forget(now_ms: int) -> None:
        async with database.writing(EVERY_ORG) as session:
            await session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.created_at_ms < now_ms - KEPT_MS))

    return Job("forget_idempotent_answers", EVERY_S, forget)
