"""Owns pages: a list newest first, cut by size, and a cursor for what follows. A cursor says nothing but an id."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.problems import invalid

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
_ID = re.compile(r"[a-z]{2,5}_[0-9a-z]{26}")

T = TypeVar("T")
R = TypeVar("R")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items, newest first; `next_cursor` fetches those that follow, null at the end."""

    items: list[T]
    next_cursor: str | None = None


async def page(
    session: AsyncSession,
    query: Select[R],
    id_column: Any,
    cursor: str | None,
    limit: int,
    render: Callable[[R], T],
) -> Page[T]:
    """One page of a query over rows whose ids sort by age."""
    if cursor is not None:
        query = query.where(id_column < _id(cursor))
    rows: Sequence[R] = (await session.execute(query.order_by(id_column.desc()).limit(limit + 1))).scalars().all()
    kept = list(rows[:limit])
    following = opaque(cast(Any, kept[-1]).id) if len(rows) > limit else None
    return Page([render(row) for row in kept], following)


def opaque(text: str) -> str:
    """A cursor."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def plain(cursor: str) -> str:
    """What a cursor was made of; nothing where nobody made it."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


def _id(cursor: str) -> str:
    id = plain(cursor)
    if not _ID.fullmatch(id):
        raise invalid("query/cursor", "take it from next_cursor of the page before, unchanged")
    return id
