"""Owns adding to the audit log, in the transaction of the action itself: either both are there or neither."""

import re
from typing import Any, cast

import msgspec
from sqlalchemy import select, text

from control_plane.audit.chain import GENESIS, Entry, link_hash
from control_plane.audit.tables import AuditHead, AuditLog
from control_plane.db.ids import new_id
from control_plane.work import Work

MASKED = "…"
# Whose values never stand in the log, wherever they are; a hint of which it was is enough. Tokens, in the
# plural, are what models write.
_SECRET = re.compile(r"secret|sha256|sealed|token(?!s)|password|webhook_url")


async def record(work: Work, action: str, subject: str, *, before: object = None, after: object = None) -> None:
    """Adds an entry. `action` is `thing:verb`, `subject` is `thing:id`; before and after are structs or None."""
    meta = {name: masked(msgspec.to_builtins(value)) for name, value in (("before", before), ("after", after)) if value}
    if work.request_id:
        meta["request_id"] = work.request_id
    head = await _locked_head(work)
    entry = Entry(
        org_id=work.org_id,
        number=head.number + 1,
        at_ms=work.now_ms,
        actor=work.principal.actor,
        action=action,
        subject=subject,
        meta=meta,
        previous_hash=head.hash,
    )
    head.number, head.hash = entry.number, link_hash(entry)
    work.session.add(
        AuditLog(
            id=new_id("aud", work.now_ms),
            org_id=entry.org_id,
            number=entry.number,
            at_ms=entry.at_ms,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            meta=entry.meta,
            previous_hash=entry.previous_hash,
            hash=head.hash,
        )
    )
    await work.session.flush()


def entry_of(row: AuditLog) -> Entry:
    """A row as its link of the chain."""
    return Entry(
        row.org_id, row.number, row.at_ms, row.actor, row.action, row.subject, row.meta, row.previous_hash, row.hash
    )


def masked(value: Any) -> Any:
    """A value of builtins without what is secret, at any depth."""
    if isinstance(value, dict):
        named = cast(dict[str, Any], value)
        return {name: MASKED if _SECRET.search(name) and inner else masked(inner) for name, inner in named.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in cast(list[Any], value)]
    return value


async def _locked_head(work: Work) -> AuditHead:
    query = select(AuditHead).where(AuditHead.org_id == work.org_id).with_for_update()
    query = query.execution_options(populate_existing=True)
    head = (await work.session.execute(query)).scalar_one_or_none()
    if head is None:
        # Of two who write the first entry at once, both find the same head then.
        await work.session.execute(_FIRST_HEAD, {"org_id": work.org_id, "hash": GENESIS})
        head = (await work.session.execute(query)).scalar_one()
    return head


_FIRST_HEAD = text("INSERT INTO audit_heads (org_id, number, hash) VALUES (:org_id, 0, :hash) ON CONFLICT DO NOTHING")
