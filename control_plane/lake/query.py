"""Owns questions to the gateways' Parquet files, by DuckDB. Never writes; local directories alone, so far.

A question has little time and memory: who asks does something more important, and can do it without the answer.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb

# All of it: looking for files, and reading them.
QUERY_S = 2.0
MEMORY = "128MB"
# DuckDB takes 1 to 3 ms for each; gateways land one a second and worker, so these are the newest minutes.
FILES_MAX = 300
# A window is of a month at most, but for one without an end.
DAYS_MAX = 62
# Calls are filed under the day of the latest in their file; one that was long under way may come a day later.
_DAY = timedelta(days=1)

# cost_usd is a decimal of nine places: times 10^9 it is the exact integer.
_TOP = """
SELECT model, CAST(sum(cost_usd) * 1000000000 AS BIGINT) AS cost
FROM read_parquet(?)
WHERE org_id = ? AND (? IS NULL OR project_id = ?) AND ts >= to_timestamp(?) AND ts < to_timestamp(?)
GROUP BY model HAVING cost > 0 ORDER BY cost DESC, model LIMIT ?
"""


class Top(NamedTuple):
    """Models and their cost in nano-USD, dearest first, of calls since then: later than asked if files were many."""

    since_s: int
    costs: list[tuple[str, int]]


class Unanswered(Exception):
    """The lake is not there, or did not answer in time: the answer is unknown, which is not "nothing"."""


async def top_models(
    lake: str, org_id: str, project_id: str | None, from_s: int, to_s: int, limit: int, *, within_s: float = QUERY_S
) -> Top:
    """What cost most; `project_id` None is all of the organization's. Raises Unanswered."""
    return await asyncio.to_thread(_top_models, lake, (org_id, project_id, from_s, to_s, limit), within_s)


def _top_models(lake: str, asked: tuple[str, str | None, int, int, int], within_s: float) -> Top:
    org_id, project_id, from_s, to_s, limit = asked
    deadline = time.monotonic() + within_s
    files = _newest(lake, from_s, to_s, deadline)
    if len(files) > FILES_MAX:
        # What began after a file was written is in files that were written later still.
        files = files[:FILES_MAX]
        from_s = max(from_s, int(files[-1][0]) + 1)
    if not files:
        return Top(from_s, [])
    paths = [path for _, path in files]
    parameters = [paths, org_id, project_id, project_id, from_s, to_s, limit]
    rows = _ask(_TOP, parameters, deadline - time.monotonic())
    return Top(from_s, [(str(model), int(cost)) for model, cost in rows])


def _ask(query: str, parameters: Sequence[object], within_s: float) -> list[tuple[str, int]]:
    try:
        connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 1})
    except duckdb.Error as error:
        raise Unanswered(type(error).__name__) from None
    clock = threading.Timer(max(0.0, within_s), connection.interrupt)
    clock.start()
    try:
        return connection.execute(query, parameters).fetchall()
    except duckdb.Error as error:
        raise Unanswered(type(error).__name__) from None
    finally:
        clock.cancel()
        clock.join()
        connection.close()


def _newest(lake: str, from_s: int, to_s: int, deadline: float) -> list[tuple[float, str]]:
    """The landing files that may hold calls of the time, newest first, with when they were written; days as needed."""
    landing = Path(lake) / "landing"
    if "://" in lake or not landing.is_dir():
        raise Unanswered("no local lake")
    found: list[tuple[float, str]] = []
    for day in _days(from_s, to_s):
        found += _of_day(landing / f"dt={day.isoformat()}", deadline)
        if len(found) > FILES_MAX:
            break
    return sorted(found, reverse=True)


def _of_day(directory: Path, deadline: float) -> Iterator[tuple[float, str]]:
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if time.monotonic() > deadline:
                    raise Unanswered("too many files")
                if entry.name.endswith(".parquet"):
                    yield entry.stat().st_mtime, entry.path
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unanswered(type(error).__name__) from None


def _days(from_s: int, to_s: int) -> Iterator[date]:
    """The latest first."""
    day = datetime.fromtimestamp(to_s, UTC).date() + _DAY
    for _ in range(DAYS_MAX):
        yield day
        day -= _DAY
        if day < datetime.fromtimestamp(from_s, UTC).date():
            return
    raise Unanswered(f"more than {DAYS_MAX} days")
