"""Owns asking the calls themselves: a connection on which `events` are one organization's, and of one time.

Its memory is bounded and what does not fit goes to a temporary directory. The one place that reads a snapshot's files
for questions that no rollup answers.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import tempfile
import threading
from collections.abc import Generator
from datetime import UTC, date, datetime, timedelta

import duckdb

from control_plane.lake.query import NotCurated, Unanswered
from control_plane.lake.snapshot import Backlog, take_snapshot
from gateway.lake.store import StoreFault

MEMORY = "512MB"
THREADS = 2
DISK = "8GB"
# A report over months of raw calls; a person waits for it.
ANSWER_S = 60.0

_VIEW = """
CREATE TEMP VIEW events AS SELECT * EXCLUDE (weight) FROM {rows}
WHERE org_id = getvariable('org_id')
    AND (getvariable('project_id') IS NULL OR project_id = getvariable('project_id'))
    AND epoch_us(ts) >= getvariable('from_us') AND epoch_us(ts) < getvariable('to_us')
"""


_FILES = "read_parquet(getvariable('{name}'), hive_partitioning = false, union_by_name = true)"


@contextlib.contextmanager
def over_calls(
    lake: str, org_id: str, from_s: int, to_s: int, project_id: str | None = None, *, within_s: float = ANSWER_S
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection with a view `events` of the calls that arrived in [from_s, to_s). Raises Unanswered.

    It is of one thread, and ends with the block; so does, with Unanswered, a question that takes too long. A lake that
    nobody has landed anything in is empty.
    """
    with tempfile.TemporaryDirectory(prefix="lensai-ask-") as spill:
        try:
            connection = duckdb.connect(":memory:", config=_limits(spill))
        except duckdb.Error as fault:
            raise Unanswered(type(fault).__name__) from None
        clock = threading.Timer(within_s, connection.interrupt)
        clock.start()
        try:
            _open(connection, lake, org_id, project_id, from_s, to_s)
            yield connection
        except Backlog as fault:
            raise NotCurated(str(fault)) from None
        except (duckdb.Error, OSError, StoreFault) as fault:
            raise Unanswered(type(fault).__name__) from fault
        finally:
            clock.cancel()
            clock.join()
            connection.close()


def _limits(spill: str) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": spill,
        "max_temp_directory_size": DISK,
        "preserve_insertion_order": "false",
    }


def _open(
    connection: duckdb.DuckDBPyConnection, lake: str, org_id: str, project_id: str | None, from_s: int, to_s: int
) -> None:
    snapshot = take_snapshot(lake, _day(from_s), _day(max(from_s, to_s - 1)) + timedelta(days=1), project_id)
    connection.register("fresh_rows", snapshot.fresh)
    values = {
        "org_id": org_id,
        "project_id": project_id,
        "from_us": from_s * 10**6,
        "to_us": to_s * 10**6,
        "files": list(snapshot.events),
        "sampled": list(snapshot.sampled),
    }
    for name, value in values.items():
        connection.execute(f"SET VARIABLE {name} = $1", [value])
    rows = "SELECT *, 1 AS weight FROM fresh_rows"
    if snapshot.events:
        rows += f" UNION ALL BY NAME SELECT *, 1 AS weight FROM {_FILES.format(name='files')}"  # noqa: S608
    if snapshot.sampled:
        # A row of a sample is as many calls as it stands for.
        rows += f" UNION ALL BY NAME SELECT rows.* FROM {_FILES.format(name='sampled')} AS rows, range(weight)"  # noqa: S608
    connection.execute(_VIEW.format(rows=f"({rows})"))


def _day(at_s: int) -> date:
    return datetime.fromtimestamp(at_s, UTC).date()
