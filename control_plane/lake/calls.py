"""Owns asking the calls themselves: a connection on which `events` are one organization's, and of one time.

Its memory is bounded and what does not fit goes to a temporary directory: for reports that work on the calls at length,
in tables of their own. Whose calls those are is scope.py's business, here as for all questions.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import tempfile
import threading
from collections.abc import Generator

import duckdb

from control_plane.keyring import Keyring
from control_plane.lake.curated import WEIGHT
from control_plane.lake.query import NotCurated, Unanswered, rows_of, weighted
from control_plane.lake.remote import Remote
from control_plane.lake.scope import HOUR_S, Scope, Sources, views
from control_plane.lake.snapshot import Backlog, take_snapshot
from gateway.lake.schema import SCHEMA
from gateway.lake.store import StoreFault

MEMORY = "512MB"
THREADS = 2
DISK = "8GB"
# A report over months of raw calls; a person waits for it.
ANSWER_S = 60.0


@contextlib.contextmanager
def over_calls(
    lake: str,
    org_id: str,
    from_s: int,
    to_s: int,
    project_id: str | None = None,
    *,
    keyring: Keyring | None = None,
    within_s: float = ANSWER_S,
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection with a view `events` of the calls that arrived in [from_s, to_s). Raises Unanswered.

    It is of one thread, and ends with the block; so does, with Unanswered, a question that takes too long. A lake that
    nobody has landed anything in is empty. Files of ingest that no key of the ring signed are left out; without a ring
    none is checked.
    """
    with tempfile.TemporaryDirectory(prefix="lensai-ask-") as spill:
        try:
            connection = duckdb.connect(":memory:", config=_limits(spill))
        except duckdb.Error as fault:
            raise Unanswered(type(fault).__name__) from None
        clock = threading.Timer(within_s, connection.interrupt)
        clock.start()
        try:
            _open(connection, lake, Scope(org_id, from_s, to_s, project_id), keyring)
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


def _open(connection: duckdb.DuckDBPyConnection, lake: str, scope: Scope, keyring: Keyring | None) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    snapshot = take_snapshot(lake, *scope.days, scope.project_id, keyring=keyring)
    connection.register("fresh_rows", snapshot.fresh)
    for name, value in scope.variables().items():
        connection.execute(f"SET VARIABLE {name} = $1", [value])
    remote = Remote()
    sampled = rows_of(connection, remote, "sampled_files", snapshot.sampled, SCHEMA.append(WEIGHT))
    sources = Sources(rows_of(connection, remote, "event_files", snapshot.events, SCHEMA), weighted(sampled))
    for name, select in views(scope, "events", HOUR_S, sources):
        connection.execute(f"CREATE TEMP VIEW {name} AS {select}")
