"""Owns what a key says without asking the database each time: whose it is, its secrets, its organization's rules.

What is known is believed for `TRUSTED_MS`: a key that was revoked, a project that was archived, rules that were changed
hold everywhere after that. While the database does not answer nobody is believed longer.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.problems import Problem
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.ingest.event import Origin
from control_plane.ingest.redact import Redactor, Rules
from control_plane.ingest.tables import IngestKey, Redaction
from control_plane.keyring import Keyring
from control_plane.projects.tables import Project
from control_plane.providers.tables import PriceOverride
from pricing.catalog import Catalog
from pricing.overrides import Override

TRUSTED_MS = 5_000
# Keys that are remembered, a few kilobytes each; the one that was looked up first goes first.
KEYS_MAX = 10_000
# Looks at the database for keys that nobody knows: who guesses ids must not keep it busy.
LOOKS_PER_S = 100

_ID = re.compile(r"igk_[0-9a-z]{26}")


class Known(NamedTuple):
    """A key that may sign. `secrets` are newest first; the second one signs until `previous_until_ms`."""

    origin: Origin
    secrets: tuple[bytes, ...]
    previous_until_ms: int
    events_per_s: int
    redactor: Redactor | None

    def secrets_at(self, now_ms: int) -> Sequence[bytes]:
        return self.secrets if now_ms < self.previous_until_ms else self.secrets[:1]


class KnownKeys:
    """Keys by id, as of the last few seconds."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring
        self._by_id: dict[str, tuple[Known, int]] = {}
        self._looking: dict[str, asyncio.Task[Known | None]] = {}
        self._looks_since_ms = self._looks = 0
        self._prices: Catalog | None = None

    def now(self, key_id: str, now_ms: int) -> Known | None:
        """What is known and still believed."""
        found = self._by_id.get(key_id)
        return found[0] if found is not None and 0 <= now_ms - found[1] < TRUSTED_MS else None

    async def find(self, key_id: str, now_ms: int) -> Known | None:
        """None for a key that does not sign. Raises Problem 429 if too many unknown ones are asked for."""
        if (known := self.now(key_id, now_ms)) is not None:
            return known
        if not _ID.fullmatch(key_id):
            return None
        looking = self._looking.get(key_id)
        if looking is None:
            if key_id not in self._by_id:
                self._count_a_look(now_ms)
            looking = self._looking[key_id] = asyncio.create_task(self._look(key_id, now_ms))
            looking.add_done_callback(lambda _: self._looking.pop(key_id, None))
        # One look for all who wait, and one of them that leaves does not end it.
        return await asyncio.shield(looking)

    def _count_a_look(self, now_ms: int) -> None:
        if not 0 <= now_ms - self._looks_since_ms < 1000:
            self._looks_since_ms, self._looks = now_ms, 0
        self._looks += 1
        if self._looks > LOOKS_PER_S:
            raise Problem(429, "too_many_requests", "Too many unknown keys: try again", headers={"retry-after": "1"})

    async def _look(self, key_id: str, now_ms: int) -> Known | None:
        if self._prices is None:
            # 50 ms of work, once.
            self._prices = await asyncio.to_thread(Catalog.load)
        async with self._database.reading(EVERY_ORG) as session:
            known = await _read(session, key_id, self._keyring, self._prices)
        self._by_id.pop(key_id, None)
        if known is not None:
            if len(self._by_id) >= KEYS_MAX:
                del self._by_id[next(iter(self._by_id))]
            self._by_id[key_id] = (known, now_ms)
        return known


async def _read(session: AsyncSession, key_id: str, keyring: Keyring, prices: Catalog) -> Known | None:
    query = select(IngestKey).where(IngestKey.id == key_id, IngestKey.revoked_at_ms.is_(None))
    key = (await session.execute(query)).scalar_one_or_none()
    if key is None:
        return None
    secrets = keyring.open(key.sealed, context_of(key)).split("\n")
    projects = select(Project.id).where(Project.org_id == key.org_id, Project.archived_at_ms.is_(None))
    if key.project_id is not None:
        projects = projects.where(Project.id == key.project_id)
    ids = frozenset((await session.execute(projects)).scalars())
    catalog = await _prices_of(session, key.org_id, prices)
    return Known(
        Origin(key.org_id, key.id, key.project_id, ids, catalog),
        tuple(secret.encode() for secret in secrets),
        key.previous_until_ms or 0,
        key.events_per_s,
        await _redactor_of(session, key.org_id, keyring),
    )


def context_of(row: IngestKey | Redaction) -> str:
    """What a row's secret is sealed for."""
    return f"{row.__tablename__}:{row.id}"


async def _prices_of(session: AsyncSession, org_id: str, prices: Catalog) -> Catalog:
    rows = (await session.execute(select(PriceOverride).where(PriceOverride.org_id == org_id))).scalars().all()
    if not rows:
        return prices
    return prices.with_overrides(
        [Override(row.upstream, row.model, row.rates, row.multiplier, row.starts_at_s, row.ends_at_s) for row in rows]
    )


async def _redactor_of(session: AsyncSession, org_id: str, keyring: Keyring) -> Redactor | None:
    row = (await session.execute(select(Redaction).where(Redaction.org_id == org_id))).scalar_one_or_none()
    if row is None:
        return None
    rules = msgspec.convert(row.rules, Rules)
    if rules == Rules():
        return None
    return Redactor(rules, keyring.open(row.sealed, context_of(row)).encode())
