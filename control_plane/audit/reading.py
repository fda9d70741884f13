"""Owns reading the audit log: pages of it, all of it in order, and whether its chain holds."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.paging import Page, opaque, plain
from control_plane.api.problems import invalid
from control_plane.audit.chain import GENESIS, Broken, Entry, verify
from control_plane.audit.schema import AuditOut, Checked
from control_plane.audit.service import entry_of
from control_plane.audit.tables import AuditHead, AuditLog

# Entries in memory at once: some 500 KB.
CHUNK = 1_000


class Filters(NamedTuple):
    """What an entry must be; None is anything."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


async def listed(session: AsyncSession, filters: Filters, cursor: str | None, limit: int) -> Page[AuditOut]:
    """One page, newest first, of the session's organization."""
    query = _filtered(filters)
    if cursor is not None:
        query = query.where(AuditLog.number < _number(cursor))
    found = await session.execute(query.order_by(AuditLog.number.desc()).limit(limit + 1))
    rows = found.scalars().all()
    next_cursor = opaque(str(rows[limit - 1].number)) if len(rows) > limit else None
    return Page([_render(row) for row in rows[:limit]], next_cursor)


async def check(session: AsyncSession, org_id: str) -> Checked:
    """Walks an organization's chain from its first entry to its head."""
    # In this order: an entry that is added meanwhile moves the head, and is not looked for.
    top = (await session.execute(select(func.max(AuditLog.number)).where(AuditLog.org_id == org_id))).scalar() or 0
    head = await head_of(session, org_id)
    if top > head.number:
        return Checked(head.number, head.hash, Broken(head.number + 1, "it is behind the head of the chain"))
    number, last_hash = 0, GENESIS
    while entries := await following(session, org_id, number, head.number):
        if broken := verify(entries, number, last_hash):
            return Checked(number, last_hash, broken)
        number, last_hash = entries[-1].number, entries[-1].hash
    if number < head.number:
        return Checked(number, last_hash, Broken(number + 1, f"it is missing: the head is at {head.number}"))
    if last_hash != head.hash:
        return Checked(number, last_hash, Broken(number, "the head of the chain has another hash"))
    return Checked(number, last_hash, None)


class Head(NamedTuple):
    number: int
    hash: str


async def head_of(session: AsyncSession, org_id: str) -> Head:
    """The last entry of an organization; number 0 where there is none."""
    query = select(AuditHead.number, AuditHead.hash).where(AuditHead.org_id == org_id)
    found = (await session.execute(query)).one_or_none()
    return Head(0, GENESIS) if found is None else Head(*found)


async def following(session: AsyncSession, org_id: str, after: int, last: int) -> Sequence[Entry]:
    """The next entries of an organization in order, up to one; none where all were read."""
    query = select(AuditLog).where(AuditLog.org_id == org_id, AuditLog.number > after, AuditLog.number <= last)
    rows = (await session.execute(query.order_by(AuditLog.number).limit(CHUNK))).scalars().all()
    session.expunge_all()
    return [entry_of(row) for row in rows]


def _filtered(filters: Filters) -> Select[AuditLog]:
    query = select(AuditLog)
    for column in ("actor", "action", "subject"):
        if (wanted := getattr(filters, column)) is not None:
            query = query.where(getattr(AuditLog, column) == wanted)
    if filters.from_ms is not None:
        query = query.where(AuditLog.at_ms >= filters.from_ms)
    if filters.to_ms is not None:
        query = query.where(AuditLog.at_ms < filters.to_ms)
    return query


def _number(cursor: str) -> int:
    text = plain(cursor)
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise invalid("query/cursor", "take it from next_cursor of the page before, unchanged")
    return int(text)


def _render(row: AuditLog) -> AuditOut:
    return AuditOut(
        row.id,
        row.number,
        row.at_ms,
        row.actor,
        row.action,
        row.subject,
        row.meta,
        row.previous_hash,
        row.hash,
    )
