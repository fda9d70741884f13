"""Owns the job that ends overrides whose time is over: gateways obey the time by themselves, this lets them forget."""

from sqlalchemy import select

from control_plane.budgets.tables import Override
from control_plane.db.engine import EVERY_ORG, Database

EVERY_S = 60.0
# Of one transaction; the next run takes the rest.
ENDED_MAX = 500


async def end_overrides(database: Database, now_ms: int) -> None:
    """Row by row through the ORM, so that each is published as gone."""
    over = (
        select(Override)
        .where(Override.ended_at_ms.is_(None), Override.until_s <= now_ms // 1000)
        .order_by(Override.id)
        .limit(ENDED_MAX)
        .with_for_update(skip_locked=True)
    )
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        for override in (await session.execute(over)).scalars():
            override.ended_at_ms = override.until_s * 1000
