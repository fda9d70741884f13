"""Owns what tests see of the policy that is published: items as they are in the database, and its version."""

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from control_plane.db.engine import EVERY_ORG
from control_plane.publish.tables import PolicyItem
from tests.support.control_plane import ControlPlane


class Published(NamedTuple):
    """The latest state of an item; `body` is None for a tombstone."""

    version: int
    body: dict[str, Any] | None


async def published(plane: ControlPlane) -> dict[str, Published]:
    """Items by `kind:id`."""
    query = select(PolicyItem.kind, PolicyItem.id, PolicyItem.version, PolicyItem.body)
    async with plane.parts.database.reading(EVERY_ORG) as session:
        rows = (await session.execute(query)).all()
    return {f"{kind}:{id}": Published(version, _body(body)) for kind, id, version, body in rows}


async def version(plane: ControlPlane) -> int:
    return (await plane.parts.feed.latest()).version


def _body(raw: bytes | None) -> dict[str, Any] | None:
    return None if raw is None else msgspec.json.decode(raw)
