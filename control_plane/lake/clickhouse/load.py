"""Owns the way from the lake to ClickHouse: days are loaded whole, each replaced in one step, as often as one likes.

A day is put together beside the tables and takes its partition's place when it is complete: who asks meanwhile sees the
day as it was, and what the lake has no more (erased, aged out) is gone. Its rollups follow at once: made of its calls,
and with the rows that the lake keeps of calls that are gone. Those stand for a sample too, which comes after them.
"""

# pyarrow ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from control_plane.lake.clickhouse.server import Server
from control_plane.lake.clickhouse.words import SETTINGS, in_clickhouse, without_remarks
from control_plane.lake.curated import WEIGHT
from control_plane.lake.query import following
from control_plane.lake.remote import Remote
from control_plane.lake.scope import Relation, rollup_sql
from control_plane.lake.settled import is_settled_path
from control_plane.lake.snapshot import Snapshot, take_snapshot
from gateway.lake.schema import SCHEMA

# Of one insert: some 30 MB as Arrow, 5 as Parquet.
ROWS_MAX = 50_000
ROLLUPS: tuple[Relation, ...] = ("hourly", "hourly_users", "hourly_latency")
_DAY = timedelta(days=1)
_TABLES = Path(__file__).parent / "tables.sql"
_ROWS = SCHEMA.append(WEIGHT)
_PARTITIONS = ds.partitioning(pa.schema([("dt", pa.string()), ("project_id", pa.string())]), flavor="hive")


def create(server: Server) -> None:
    """Makes the tables that are not there. Raises ServerFault."""
    for statement in without_remarks(_TABLES.read_text("utf-8")).split(";"):
        server.execute(statement)


def load(server: Server, lake: str, from_day: date, to_day: date, told: Callable[[date, int], None]) -> int:
    """Replaces the UTC days (both included), oldest first; how many rows. Raises ServerFault, StoreFault."""
    remote, rows = Remote(), 0
    day = from_day
    while day <= to_day:
        loaded = _load_day(server, remote, take_snapshot(lake, day, day), day)
        told(day, loaded)
        rows, day = rows + loaded, day + _DAY
    return rows


def _load_day(server: Server, remote: Remote, snapshot: Snapshot, day: date) -> int:
    partition = f"{day:%Y%m%d}"
    _begin(server, "event_rows")
    rows = _insert(server, _rows([ds.dataset(snapshot.fresh), *_dataset(remote, snapshot.events, SCHEMA)], day))
    # Calls that are there twice become one.
    server.execute("OPTIMIZE TABLE event_rows_loading FINAL")
    for name in ROLLUPS:
        _begin(server, f"{name}_rows")
        select = f"WITH events AS (SELECT * FROM event_rows_loading) {following(rollup_sql(name))}"  # noqa: S608
        server.execute(f"INSERT INTO {name}_rows_loading {in_clickhouse(select)} {SETTINGS}")
        for file in filter(is_settled_path, getattr(snapshot, name)):
            server.insert(f"{name}_rows_loading", _read(remote, file))
    # Only now: the rows of calls that were sampled are in the rollups' files already.
    rows += _insert(server, _rows(_dataset(remote, snapshot.sampled, _ROWS), day))
    for name in ("event", *ROLLUPS):
        _replace(server, f"{name}_rows", partition)
    return rows


def _insert(server: Server, tables: Iterable[Any]) -> int:
    """How many rows they are."""
    rows = 0
    for table in tables:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", store_schema=False)
        server.insert("event_rows_loading", sink.getvalue().to_pybytes())
        rows += table.num_rows
    return rows


def _read(remote: Remote, file: str) -> bytes:
    """A file of a snapshot, whole."""
    if "://" not in file:
        return Path(file).read_bytes()
    *place, key = file.split("/", 3)
    with remote.open("/".join(place), key) as opened:
        return opened.read() or b""


def _begin(server: Server, table: str) -> None:
    """An empty table beside another; what a loader that died left of it is gone."""
    server.execute(f"DROP TABLE IF EXISTS {table}_loading")
    server.execute(f"CREATE TABLE {table}_loading AS {table}")


def _replace(server: Server, table: str, partition: str) -> None:
    """What was put together beside a table takes its partition's place; a partition of no rows is none."""
    (counted,) = server.ask(f"SELECT count() AS rows FROM {table}_loading", {}).to_pylist()  # noqa: S608
    what = f"REPLACE PARTITION {partition} FROM {table}_loading" if counted["rows"] else f"DROP PARTITION {partition}"
    server.execute(f"ALTER TABLE {table} {what}")
    server.execute(f"DROP TABLE {table}_loading")


def _rows(datasets: Iterable[Any], day: date) -> Iterator[Any]:
    """The calls that arrived on a day, in tables of _ROWS."""
    begin = datetime.combine(day, time(), UTC)
    of_day = (pc.field("ts") >= pa.scalar(begin)) & (pc.field("ts") < pa.scalar(begin + _DAY))
    for dataset in datasets:
        columns = [name for name in _ROWS.names if name in dataset.schema.names]
        for batch in dataset.to_batches(columns=columns, filter=of_day, batch_size=ROWS_MAX):
            if batch.num_rows:
                yield _complete(pa.Table.from_batches([batch]))


def _dataset(remote: Remote, files: tuple[str, ...], schema: Any) -> Iterator[Any]:
    """One of the files, if there are any."""
    if files and "://" in files[0]:
        yield remote.dataset(files, schema)
    elif files:
        yield ds.dataset(list(files), schema=schema, partitioning=_PARTITIONS)


def _complete(table: Any) -> Any:
    """With the empty project, whose partition's directory reads as null; and a weight of one where there is none."""
    at = SCHEMA.get_field_index("project_id")
    named = pc.fill_null(table.column("project_id").cast(pa.string()), "")
    table = table.set_column(at, SCHEMA.field(at), named)
    if WEIGHT.name not in table.column_names:
        table = table.append_column(WEIGHT, pa.array([1] * table.num_rows, WEIGHT.type))
    return table.cast(_ROWS)
