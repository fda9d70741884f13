"""Owns what the database and the lake say at a scrape. What does not answer is not shown: unknown is not zero."""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts.tables import Alert
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.lake.curated import Lake, open_tables
from control_plane.lake.waiting import Waiting, waiting
from control_plane.operating.telemetry import Readings
from control_plane.publish.tables import GatewayNode, PolicyItem, PolicyVersion
from gateway.lake.store import StoreFault

# A worker that says nothing new says so every ten seconds.
REPORTING_MS = 60_000
# To list a bucket takes a request for each thousand of files; scrapes of several come more often.
LAKE_EVERY_MS = 15_000
_NO_LABELS: tuple[str, ...] = ()
_log = logging.getLogger("lensai.control_plane.operating")


class Reader:
    """One for a process."""

    def __init__(self, database: Database, lake_url: str, now_ms: Callable[[], int]) -> None:
        self._database, self._now_ms = database, now_ms
        self._lake_url = lake_url
        self._looking = asyncio.Lock()
        self._looked_ms = 0
        self._waiting: Waiting | None = None

    @functools.cached_property
    def _lake(self) -> Lake:
        return open_tables(self._lake_url)

    async def read(self) -> Readings:
        """Everything that is known now."""
        readings: dict[str, dict[tuple[str, ...], float]] = {}
        now_ms = self._now_ms()
        try:
            async with self._database.reading(EVERY_ORG) as session:
                readings |= await _published(session, now_ms) | await _alerts(session, now_ms)
        except (SQLAlchemyError, OSError) as error:
            _log.warning("metrics_not_read", exc_info=error)
        readings["database_errors_total"] = {_NO_LABELS: self._database.errors}
        return readings | await self._behind(now_ms)

    async def _behind(self, now_ms: int) -> dict[str, dict[tuple[str, ...], float]]:
        async with self._looking:
            if self._waiting is None or now_ms - self._looked_ms >= LAKE_EVERY_MS:
                self._waiting, self._looked_ms = await self._look(), now_ms
            found = self._waiting
        if found is None:
            return {}
        age_s = 0.0 if found.oldest_s is None else max(now_ms / 1000 - found.oldest_s, 0.0)
        return {"lake_files_waiting": {_NO_LABELS: found.files}, "lake_oldest_seconds": {_NO_LABELS: age_s}}

    async def _look(self) -> Waiting | None:
        try:
            return await asyncio.to_thread(lambda: waiting(self._lake))
        except StoreFault as fault:
            _log.warning("lake_not_listed", extra={"reason": str(fault)})
            return None


async def _published(session: AsyncSession, now_ms: int) -> dict[str, dict[tuple[str, ...], float]]:
    version = (await session.execute(select(PolicyVersion.version))).scalar_one_or_none() or 0
    changed_ms = cast(int | None, (await session.execute(select(func.max(PolicyItem.changed_at_ms)))).scalar_one())
    current = GatewayNode.policy_version >= version
    query = select(current, func.count()).where(GatewayNode.seen_at_ms > now_ms - REPORTING_MS).group_by(current)
    nodes: dict[bool, int] = {bool(one[0]): one[1] for one in await session.execute(query)}
    readings: dict[str, dict[tuple[str, ...], float]] = {
        "gateways": {("current",): nodes.get(True, 0), ("behind",): nodes.get(False, 0)},
        "policy_version": {_NO_LABELS: version},
    }
    if changed_ms is not None:
        readings["policy_timestamp_seconds"] = {_NO_LABELS: changed_ms / 1000}
    return readings


async def _alerts(session: AsyncSession, now_ms: int) -> dict[str, dict[tuple[str, ...], float]]:
    due = Alert.state.in_(("due", "sending")), Alert.due_at_ms <= now_ms
    row = (await session.execute(select(func.count(), func.min(Alert.due_at_ms)).where(*due))).one()
    count, oldest_ms = row[0], cast(int | None, row[1])
    age_s = 0.0 if oldest_ms is None else (now_ms - oldest_ms) / 1000
    return {"alerts_waiting": {_NO_LABELS: count}, "alerts_oldest_seconds": {_NO_LABELS: age_s}}
