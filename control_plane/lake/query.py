"""Owns questions to the gateways' Parquet files, by DuckDB. Never writes; local directories alone, so far.

A question has little time and memory: who asks does something more important, and can do it without the answer.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

QUERY_S = 2.0
MEMORY = "128MB"
# More of them cannot be opened in the time; listing them would take it all.
FILES_MAX = 5_000
# A window is of a month at most, but for one without an end.
DAYS_MAX = 62
# Calls are filed under the day of the latest in their file; one that was long under way may come a day later.
_LATER = timedelta(days=1)

# cost_usd is a decimal of nine places: times 10^9 it is the exact integer.
_TOP = """
SELECT model, CAST(sum(cost_usd) * 1000000000 AS BIGINT) AS cost
FROM read_parquet(?, union_by_name = true)
WHERE org_id = ? AND (? IS NULL OR project_id = ?) AND ts >= to_timestamp(?) AND ts < to_timestamp(?)
GROUP BY model HAVING cost > 0 ORDER BY cost DESC, model LIMIT ?
"""

Costs = list[tuple[str, int]]


class Unanswered(Exception):
    """The lake is not there, or did not answer in time: the answer is unknown, which is not "nothing"."""


async def top_models(
    lake: str, org_id: str, project_id: str | None, from_s: int, to_s: int, limit: int, *, within_s: float = QUERY_S
) -> Costs:
    """Models and what they cost in nano-USD, dearest first; `project_id` None is all of the organization's.

    Raises Unanswered.
    """
    return await asyncio.to_thread(_top_models, lake, (org_id, project_id, from_s, to_s, limit), within_s)


def _top_models(lake: str, asked: tuple[str, str | None, int, int, int], within_s: float) -> Costs:
    org_id, project_id, from_s, to_s, limit = asked
    files = list(_files(lake, from_s, to_s))
    if len(files) > FILES_MAX:
        raise Unanswered(f"more than {FILES_MAX} files")
    if not files:
        return []
    rows = _ask(_TOP, [files, org_id, project_id, project_id, from_s, to_s, limit], within_s)
    return [(str(model), int(cost)) for model, cost in rows]


def _ask(query: str, parameters: Sequence[object], within_s: float) -> list[tuple[str, int]]:
    try:
        connection = duckdb.connect(":memory:", config={"memory_limit": MEMORY, "threads": 1})
    except duckdb.Error as error:
        raise Unanswered(type(error).__name__) from None
    clock = threading.Timer(within_s, connection.interrupt)
    clock.start()
    try:
        return connection.execute(query, parameters).fetchall()
    except duckdb.Error as error:
        raise Unanswered(type(error).__name__) from None
    finally:
        clock.cancel()
        clock.join()
        connection.close()


def _files(lake: str, from_s: int, to_s: int) -> Iterator[str]:
    """The landing files that may hold calls of the time, up to one more than the limit."""
    landing = Path(lake) / "landing"
    if "://" in lake or not landing.is_dir():
        raise Unanswered("no local lake")
    number = 0
    for day in _days(from_s, to_s):
        for file in sorted((landing / f"dt={day.isoformat()}").glob("*.parquet")):
            yield str(file)
            number += 1
            if number > FILES_MAX:
                return


def _days(from_s: int, to_s: int) -> Iterator[date]:
    last = datetime.fromtimestamp(to_s, UTC).date() + _LATER
    first = datetime.fromtimestamp(from_s, UTC).date()
    if (last - first).days > DAYS_MAX:
        raise Unanswered(f"more than {DAYS_MAX} days")
    while first <= last:
        yield first
        first += _LATER
