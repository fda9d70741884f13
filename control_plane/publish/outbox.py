"""Owns that no change is forgotten: a flush of a row that gateways must know writes its item in the same transaction.

Features know nothing of it. Changes by bulk statements (`update(Table)`) would pass it by, so there are none.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, delete, event, insert, select, update
from sqlalchemy.orm import Session, UOWTransaction

from control_plane.db.engine import OrgSession
from control_plane.publish.compile import Compiled, compile_row, gone
from control_plane.publish.tables import PolicyItem, PolicyVersion

# What a session that published something has in its `info`, for whoever wakes the feed after the commit.
PUBLISHED = "published_version"

_encoder = msgspec.json.Encoder(order="deterministic")


def publish_before_flush(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    """A `before_flush` listener."""
    changed = [compile_row(row) for row in (*session.new, *(row for row in session.dirty if session.is_modified(row)))]
    items = [*changed, *(gone(row) for row in session.deleted)]
    if found := [item for item in items if item is not None]:
        publish(session, found)


def publish(session: Session, items: list[Compiled]) -> None:
    """Writes the items that are not there as they are, all with one new version."""
    connection = session.connection()
    now_ms: int = session.info["now_ms"]
    version = 0
    for item in items:
        body = None if item.body is None else _encoder.encode(item.body)
        if _stored(connection, item) == body:
            continue
        version = version or _next_version(connection)
        _store(connection, item, version, body, now_ms)
    if version:
        session.info[PUBLISHED] = version


def _stored(connection: Connection, item: Compiled) -> bytes | None:
    query = select(PolicyItem.body).where(PolicyItem.kind == item.kind, PolicyItem.id == item.id)
    return connection.execute(query).scalar_one_or_none()


def _next_version(connection: Connection) -> int:
    """Held until the transaction ends: who reads a version has read all before it."""
    query = update(PolicyVersion).values(version=PolicyVersion.version + 1).returning(PolicyVersion.version)
    return connection.execute(query).scalar_one()


def _store(connection: Connection, item: Compiled, version: int, body: bytes | None, now_ms: int) -> None:
    same = (PolicyItem.kind == item.kind, PolicyItem.id == item.id)
    connection.execute(delete(PolicyItem).where(*same))
    values = {"kind": item.kind, "id": item.id, "version": version, "body": body, "changed_at_ms": now_ms}
    connection.execute(insert(PolicyItem).values(values))


# For every process that changes rows: the application and the commands beside it import this module.
event.listen(OrgSession, "before_flush", publish_before_flush)
