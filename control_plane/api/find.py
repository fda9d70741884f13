"""Owns finding the row that a request names, or saying that there is none."""

from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.problems import not_found

R = TypeVar("R")


async def find_one(session: AsyncSession, query: Select[R], called: str, *, to_change: bool = False) -> R:
    """The row of a query that has one at most; `called` is what people call it.

    `to_change`: nobody else changes it until the transaction ends, but rows that refer to it may be added: who adds one
    has published it by then, and would wait for a change that waits to be. Raises Problem 404, also for another
    organization's.
    """
    found = await session.execute(query.with_for_update(key_share=True) if to_change else query)
    row = found.scalar_one_or_none()
    if row is None:
        raise not_found(called)
    return row
