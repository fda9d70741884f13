"""Owns jobs: what is done every so often by one process of all, beside the API. A job that fails is tried again.

A lease in the database says who runs a job and until when; a process that died leaves it, and another takes over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from control_plane.db.engine import EVERY_ORG, Database
from control_plane.jobs.tables import JobLease

# A job that takes longer than its lease renews it by running again; another process takes over after this.
LEASE_MARGIN_MS = 30_000
# What is left of a lease that need not be renewed: a job of every second writes it twice a minute, and not sixty times.
_LEFT_MS = LEASE_MARGIN_MS // 2
_log = logging.getLogger("lensai.control_plane.jobs")


class Job(NamedTuple):
    """`run` is given the time; it opens its own transactions, and must be safe to run again after a crash."""

    name: str
    every_s: float
    run: Callable[[int], Awaitable[None]]


class Ran(Protocol):
    """Is told of each run."""

    def __call__(self, job: str, took_ms: int, *, well: bool) -> None: ...


def untold(job: str, took_ms: int, *, well: bool) -> None:
    """Where nobody counts."""


class Runner:
    """Runs jobs; `holder` names this process, `ran` is told of runs that ended, not of turns that were another's."""

    def __init__(self, database: Database, holder: str, now_ms: Callable[[], int], ran: Ran = untold) -> None:
        self._database, self._holder, self._now_ms, self._ran = database, holder, now_ms, ran
        self._held_until_ms: dict[str, int] = {}

    async def keep_running(self, job: Job) -> None:
        """Until it is cancelled."""
        while True:
            await self.run_once(job)
            await asyncio.sleep(job.every_s)

    async def run_once(self, job: Job) -> bool:
        """Whether it was this process's turn, and it went well."""
        began_ms = self._now_ms()
        try:
            if not await self._claim(job):
                return False
            await job.run(self._now_ms())
        except Exception as error:
            _log.exception("job_failed", exc_info=error, extra={"job": job.name})
            self._ran(job.name, self._now_ms() - began_ms, well=False)
            return False
        self._ran(job.name, self._now_ms() - began_ms, well=True)
        return True

    async def _claim(self, job: Job) -> bool:
        """Takes the lease if it is free, ended or this process's already."""
        now_ms = self._now_ms()
        until_ms = now_ms + int(job.every_s * 1000) + LEASE_MARGIN_MS
        if self._held_until_ms.get(job.name, 0) - now_ms > int(job.every_s * 1000) + _LEFT_MS:
            return True
        self._held_until_ms.pop(job.name, None)
        if not await self._take(job.name, until_ms, now_ms):
            return False
        self._held_until_ms[job.name] = until_ms
        return True

    async def _take(self, name: str, until_ms: int, now_ms: int) -> bool:
        free = or_(JobLease.until_ms < now_ms, JobLease.holder == self._holder)
        claim = update(JobLease).where(JobLease.name == name, free)
        async with self._database.writing(EVERY_ORG) as session:
            values = {"holder": self._holder, "until_ms": until_ms, "ran_at_ms": now_ms}
            claimed = await session.execute(claim.values(values).returning(JobLease.name))
            if claimed.one_or_none() is not None:
                return True
            if await session.get(JobLease, name) is not None:
                return False
        return await self._first(name, until_ms, now_ms)

    async def _first(self, name: str, until_ms: int, now_ms: int) -> bool:
        """A job that nobody ran yet; of two who try, one does."""
        try:
            async with self._database.writing(EVERY_ORG) as session:
                session.add(JobLease(name=name, holder=self._holder, until_ms=until_ms, ran_at_ms=now_ms))
        except SQLAlchemyError:
            return False
        return True
