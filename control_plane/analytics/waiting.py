"""Owns waiting for the lake on somebody's behalf: while they are there, and what they are told if it fails."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar import Request

from control_plane.api.problems import Problem
from control_plane.lake.query import NotCurated, TooBusy, TookTooLong, TooLarge, Unanswered

T = TypeVar("T")

_RETRY = {"retry-after": "1"}
_NOT_CURATED = (
    "More calls have landed than a question can read before they are curated: an operator runs `lensai lake curate`,"
    " or sets LENSAI_CONTROL_LAKE_CURATE_S"
)
_BROAD = "ask for a shorter period, whole hours, or fewer filters"


async def answered(request: Request[Any, Any, Any], answering: Coroutine[Any, Any, T]) -> T:
    """The answer. Whoever hangs up ends the question. Raises Problem 503 and 422."""
    asking = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise Problem(499, "client_gone", "Nobody waits for the answer")
        return asking.result()
    except Unanswered as fault:
        raise as_problem(fault) from fault
    finally:
        asking.cancel()
        leaving.cancel()
        await asyncio.gather(asking, leaving, return_exceptions=True)


def as_problem(fault: Unanswered) -> Problem:
    if isinstance(fault, TookTooLong | TooLarge):
        return Problem(422, "too_broad", f"The question was stopped: {fault}; {_BROAD}")
    if isinstance(fault, TooBusy):
        return Problem(503, "unavailable", "Too many questions are asked at once: try again", headers=_RETRY)
    if isinstance(fault, NotCurated):
        return Problem(503, "not_curated", _NOT_CURATED, headers={"retry-after": "30"})
    return Problem(503, "unavailable", "The lake cannot be read: try again; the log says more", headers=_RETRY)


async def _left(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
