"""Owns one run of retention: what the database says is done to the lake, and what was done is written down.

Every step may be the last; the next run begins from what is there. It blocks for as long as the lake takes, on a thread
of its own, and holds no transaction meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from sqlalchemy import or_, select, update

from control_plane.audit.service import record
from control_plane.auth.principal import Principal
from control_plane.auth.tables import Organization
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring
from control_plane.lake.curate import PAST, Beaten, Step, no_step
from control_plane.lake.curated import Lake
from control_plane.lake.erase import left, order, rewrite
from control_plane.lake.retain import Policy, Retained, retain
from control_plane.lake.standing import Erasure
from control_plane.lake.tidy import vacuum
from control_plane.retention.tables import ErasureRequest
from control_plane.retention.tiers import policy
from control_plane.settings import Settings
from control_plane.work import Work

# Curation commits every half a minute; somebody who is beaten so often comes again in an hour.
ATTEMPTS = 5
_PAST_MS = int(PAST.total_seconds() * 1000)
_log = logging.getLogger("lensai.lake")
T = TypeVar("T")


class Went(msgspec.Struct, frozen=True):
    """What the audit log says of an organization's run."""

    calls_deleted: int
    calls_sampled_out: int
    rollup_rows_deleted: int


@dataclass(frozen=True, slots=True)
class Retaining:
    """Where a run takes its orders from, and what it works on."""

    database: Database
    settings: Settings
    keyring: Keyring
    lake: Lake
    clock: Callable[[], int]
    step: Step = no_step

    @property
    def now_ms(self) -> int:
        """What is noted after a step is of after it: files of before may hold a name."""
        return self.clock()

    async def run(self, *, dry_run: bool = False) -> Retained:
        """Deletes, samples and erases. Raises StoreFault, EngineFault, Beaten."""
        wanted, asked = await self._wanted()
        done = await self._beside(lambda: self._retain(wanted, asked, dry_run=dry_run))
        if dry_run:
            return done
        await self._written_down(done)
        active = [one for one in asked if one.status != "done" and not _is_held(wanted, one.org_id)]
        if active:
            await self._erase(active)
        await self._beside(lambda: vacuum(self.lake, self.now_ms, self.step))
        if active:
            await self._looked_at(active)
        return done

    async def _wanted(self) -> tuple[Policy, Sequence[ErasureRequest]]:
        async with self.database.reading(EVERY_ORG) as session:
            young = ErasureRequest.done_at_ms > self.now_ms - _PAST_MS
            query = select(ErasureRequest).where(or_(ErasureRequest.status != "done", young))
            asked = (await session.execute(query.order_by(ErasureRequest.id))).scalars().all()
            return await policy(session, self.settings.retention), asked

    def _retain(self, wanted: Policy, asked: Sequence[ErasureRequest], *, dry_run: bool) -> Retained:
        # What was ordered once is ordered again, lest somebody cleared the log.
        erased = [_order(one) for one in asked if one.ordered_at_ms is not None]
        return retain(self.lake, wanted, self.now_ms, self.step, erased=erased, dry_run=dry_run)

    async def _beside(self, work: Callable[[], T]) -> T:
        """On a thread; again where somebody else committed first."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await asyncio.to_thread(work)
            except Beaten:
                continue
        return await asyncio.to_thread(work)

    async def _erase(self, active: Sequence[ErasureRequest]) -> None:
        erasures = [_order(one) for one in active]
        await self._beside(lambda: order(self.lake, erasures, self.now_ms, self.step))
        fresh = [one.id for one in active if one.ordered_at_ms is None]
        await self._note(fresh, status="erasing", ordered_at_ms=self.now_ms)
        files = await self._beside(lambda: rewrite(self.lake, erasures, self.now_ms, self.step))
        ids = [one.id for one in active]
        await self._note(ids, status="vacuuming", **({"rewritten_at_ms": self.now_ms} if files else {}))

    async def _looked_at(self, active: Sequence[ErasureRequest]) -> None:
        """Whether no file can name them any more."""
        for one in active:
            ordered_ms, rewritten_ms = await self._times(one.id)
            found = await self._beside(lambda since=ordered_ms, late=rewritten_ms: left(self.lake, since, late))
            await self._note([one.id], unsearched_files=found.unsearched)
            if not found.raw and not found.old_files:
                await self._note([one.id], status="done", done_at_ms=self.now_ms)
                await self._audited(one.org_id, "erasure:finish", f"erasure:{one.id}", None)

    async def _times(self, id: str) -> tuple[int, int]:
        async with self.database.reading(EVERY_ORG) as session:
            columns = ErasureRequest.ordered_at_ms, ErasureRequest.rewritten_at_ms
            ordered_ms, rewritten_ms = (await session.execute(select(*columns).where(ErasureRequest.id == id))).one()
            return ordered_ms or self.now_ms, max(ordered_ms or 0, rewritten_ms or 0)

    async def _note(self, ids: Sequence[str], **values: object) -> None:
        if ids and values:
            async with self.database.writing(EVERY_ORG) as session:
                await session.execute(update(ErasureRequest).where(ErasureRequest.id.in_(ids)).values(**values))

    async def _written_down(self, done: Retained) -> None:
        for org_id in sorted(done.deleted.keys() | done.dropped.keys() | done.rollup_rows.keys()):
            went = Went(done.deleted[org_id], done.dropped[org_id], done.rollup_rows[org_id])
            _log.info("retained", extra={"org_id": org_id, **msgspec.structs.asdict(went)})
            await self._audited(org_id, "retention:delete", f"organization:{org_id}", went)

    async def _audited(self, org_id: str, action: str, subject: str, after: Went | None) -> None:
        async with self.database.writing(EVERY_ORG) as session:
            known = select(Organization.id).where(Organization.id == org_id)
            if (await session.execute(known)).first() is None:
                return  # of a policy file's organization nobody keeps a log
            principal = Principal("system", "retention", "retention", org_id, "owner")
            work = Work(session, principal, self.now_ms, self.keyring, self.settings)
            await record(work, action, subject, after=after)


def _is_held(wanted: Policy, org_id: str) -> bool:
    return any(held == org_id or held.startswith(f"{org_id}/") for held in wanted.held)


def _order(one: ErasureRequest) -> Erasure:
    until_us = None if one.done_at_ms is None else one.done_at_ms * 1000
    return Erasure(one.id, one.org_id, one.salt, one.sha256, until_us)
