"""Owns curation: raw files become rows of `events`, each call once, and small files become larger ones.

Every step may be the last of this process. Data files come first and nobody sees them; one commit makes them rows and
names the raw files they are of. What was not committed is done again and its files are vacuumed. Two who curate at
once do the same work, and the second one's commit is refused by the store.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

import contextlib
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from control_plane.lake.absorbed import ABSORBED, SINCE, LogGone, absorbed, since
from control_plane.lake.curated import Lake
from control_plane.lake.engine import ROW_GROUP
from control_plane.lake.identity import identities_of, once, without
from control_plane.lake.landed import Cut, Unreadable, Untrusted, decode, raw_files, read_ahead, set_aside
from control_plane.lake.sampled import dropped_of, is_sampled
from control_plane.lake.standing import carried, obey, orders
from control_plane.lake.table import NO_VALUE, Change, File, State, Table
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Entry, Missing, StoreFault

# Rows in memory at once beside those of one more file, of some 700 bytes each, twice while they are sorted.
BATCH_ROWS = 32_000
# Raw files of one commit: their names are in it.
BATCH_FILES = 2_000
# A call that was sent twice has the same time both times, or one that differs by a client's patience.
DUPLICATE_US = 3_600 * 1_000_000
# Times beyond these are of clocks that are wrong: their calls are kept, in one partition for each side.
FUTURE = timedelta(days=1)
PAST = timedelta(days=400)
FAR_FUTURE = "9999-12-31"
FAR_PAST = "1970-01-01"

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,80}")
_ZSTD_LEVEL = 3
_log = logging.getLogger("lensai.lake")

# Told before each step; tests end the process there.
Step = Callable[[str], None]


def no_step(_name: str) -> None:
    pass


class Beaten(Exception):
    """Somebody else committed first; what was to be done is to be looked at again."""


class Absorbed(NamedTuple):
    """What one commit took in. `duplicates` were there already; `skewed` have times no clock should show.

    `refused` files were set aside: ingest did not write them so. `expired` calls are past their retention.
    """

    files: int = 0
    rows: int = 0
    duplicates: int = 0
    skewed: int = 0
    refused: int = 0
    expired: int = 0


class Written(NamedTuple):
    """Files that a commit is to make rows, and the raw files that those are of."""

    keys: list[str]
    adds: list[File]
    what: Absorbed


def absorb(lake: Lake, now_ms: int, step: Step = no_step) -> Absorbed | None:
    """Takes in the next raw files in one commit; None if there is none. Raises StoreFault, Beaten."""
    base = lake.events.follow()
    step("look")
    there = raw_files(lake.store)
    names = names_of(lake.events, base)
    written = _write_next(lake, base, [entry for entry in there if entry.key not in names], now_ms, step)
    # Nothing of the rows is needed any more, and what comes next wants their memory.
    pa.default_memory_pool().release_unused()
    if not written.keys:
        return written.what if written.what.refused else None
    ours: dict[str, object] = {ABSORBED: written.keys, SINCE: since(names, (entry.key for entry in there), base)}
    ours |= carried(lake.events, base)
    step("commit")
    if not lake.events.commit(base, Change("WRITE", written.adds, (), ours), now_ms):
        raise Beaten
    step("committed")
    return written.what


def names_of(events: Table, state: State) -> dict[str, int]:
    """As `absorbed`; where the log is gone every file counts as new, and its rows are found in the table."""
    try:
        return absorbed(events, state)
    except LogGone:
        _log.warning("lake_log_gone", extra={"table": events.name, "version": state.version})
        return {}


def _write_next(lake: Lake, base: State, waiting: Sequence[Entry], now_ms: int, step: Step) -> Written:
    """Of the next batch; its rows are in memory for as long as this takes, and only while they are sorted twice."""
    keys, rows, refused = _take(lake, waiting)
    taken = rows.num_rows
    rows = obey(orders(lake.events, base), rows)
    kept = rows.num_rows
    rows = _without_known(lake, base, once(rows))
    rows, places = _sorted(rows, now_ms)
    adds = _write(lake, rows, places, now_ms, step)
    skewed = sum(file.rows for file in adds if file.dt in (FAR_PAST, FAR_FUTURE))
    what = Absorbed(len(keys), rows.num_rows, kept - rows.num_rows, skewed, refused, taken - kept)
    return Written(keys, adds, what)


def _take(lake: Lake, waiting: Sequence[Entry]) -> tuple[list[str], Any, int]:
    """Raw files, their rows, and how many files were set aside."""
    keys: list[str] = []
    tables: list[Any] = []
    rows = refused = 0
    with contextlib.closing(read_ahead(lake.store, waiting)) as reading:
        for entry, read in reading:
            if rows >= BATCH_ROWS or len(keys) >= BATCH_FILES:
                break
            if (data := _read(entry, read)) is None:
                continue
            try:
                tables.append(decode(entry.key, data, lake.keyring))
            except Untrusted as fault:
                _log.error("raw_file_refused", extra={"file": entry.key, "reason": str(fault)})
                set_aside(lake.store, entry.key, data)
                refused += 1
                continue
            except Unreadable as fault:
                # It stays where it is: for a person to look at, and for a version that can read it.
                _log.error("raw_file_unreadable", extra={"file": entry.key, "reason": str(fault)})
                continue
            keys.append(entry.key)
            rows += tables[-1].num_rows
    return keys, pa.concat_tables([SCHEMA.empty_table(), *tables]), refused


def _read(entry: Entry, read: "Future[bytes]") -> bytes | None:
    """None where there is nothing to take in: another round looks again."""
    try:
        return read.result()
    except Cut as fault:
        _log.warning("raw_file_cut", extra={"file": entry.key, "reason": str(fault)})
    except Missing:
        pass  # absorbed by somebody else, and deleted
    return None


def _without_known(lake: Lake, base: State, rows: Any) -> Any:
    """The rows of calls that the table does not hold within the time of a repetition."""
    return without(rows, (identities_in(lake, file) for file in _around(base, rows)))


def identities_in(lake: Lake, file: File) -> Any:
    """Of a curated file, and of the calls that sampling dropped from it.

    Raises StoreFault, also where the store answers with something else than was written.
    """
    with lake.store.open(lake.events.key(file)) as opened:
        try:
            found = identities_of(opened)
        except (pa.ArrowException, OSError) as error:
            raise StoreFault(f"{file.path} cannot be read ({type(error).__name__})") from None
    if len(found) != file.rows:
        raise StoreFault(f"{file.path} holds {len(found)} calls, and its commit says {file.rows}")
    if is_sampled(file):
        found = pa.chunked_array([*found.chunks, *dropped_of(lake.store, file).chunks], pa.string())
    return found


def _around(base: State, rows: Any) -> Iterator[File]:
    """Files of the table that may hold one of the calls."""
    hours = pc.unique(pc.divide(rows.column("ts").cast(pa.int64()), DUPLICATE_US)).to_pylist()
    for file in base.files.values():
        first, last = file.from_us // DUPLICATE_US - 1, file.to_us // DUPLICATE_US + 1
        if any(first <= hour <= last for hour in hours):
            yield file


def _sorted(rows: Any, now_ms: int) -> tuple[Any, Any]:
    """Rows by partition and time, and the partition of each."""
    days = _days(rows.column("ts"), now_ms)
    sorted_by = pa.table({"dt": days, "project_id": rows.column("project_id"), "ts": rows.column("ts")})
    order = pc.sort_indices(sorted_by, [(name, "ascending") for name in sorted_by.column_names])
    return rows.take(order), sorted_by.select(["dt", "project_id"]).take(order)


def _write(lake: Lake, rows: Any, places: Any, now_ms: int, step: Step) -> list[File]:
    """A file for each partition of sorted rows."""
    files: list[File] = []
    for start, stop in _runs(places):
        step("write")
        dt, project_id = places.column("dt")[start].as_py(), places.column("project_id")[start].as_py()
        files.append(put(lake, rows.slice(start, stop - start), dt, project_id, now_ms))
    return files


def _days(times: Any, now_ms: int) -> Any:
    """The partition of each time, as text."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    first, last = (pa.scalar(moment, times.type) for moment in (now - PAST, now + FUTURE))
    days = times.cast(pa.timestamp("us")).cast(pa.date32(), safe=False).cast(pa.string())
    days = pc.if_else(pc.less(times, first), FAR_PAST, days)
    return pc.if_else(pc.greater(times, last), FAR_FUTURE, days)


def _runs(places: Any) -> Iterator[tuple[int, int]]:
    """Where each partition's rows begin and end, in a sorted table."""
    counted = places.group_by(places.column_names, use_threads=False).aggregate([([], "count_all")])
    start = 0
    for rows in counted.column("count_all").to_pylist():
        yield start, start + rows
        start += rows


def put(lake: Lake, rows: Any, dt: str, project_id: str, now_ms: int, prefix: str = "") -> File:
    """Writes rows of one partition, sorted by time. Nobody sees them before a commit. Raises StoreFault."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        row_group_size=ROW_GROUP,
        store_schema=False,
        sorting_columns=[pq.SortingColumn(0)],
    )
    times = rows.column("ts")
    bounds = times[0].value, times[-1].value
    return store_file(lake, sink.getvalue().to_pybytes(), dt, project_id, rows.num_rows, bounds, now_ms, prefix)


def store_file(
    lake: Lake, data: bytes, dt: str, project_id: str, rows: int, bounds: tuple[int, int], now_ms: int, prefix: str = ""
) -> File:
    """Puts a file of `events` under a name of its own. Raises StoreFault."""
    path = f"dt={dt}/project_id={_folder(project_id)}/{prefix}{secrets.token_hex(16)}.parquet"
    file = File(path, dt, project_id or None, rows, len(data), *bounds, now_ms)
    if not lake.store.create(lake.events.key(file), data):
        raise StoreFault("a name that was drawn is taken")
    return file


def _folder(project_id: str) -> str:
    """A name that needs no escaping in paths and in Delta Lake's log, which has the value itself, as the rows have."""
    if not project_id:
        return NO_VALUE
    return project_id if _PLAIN.fullmatch(project_id) else f"sha256-{sha256(project_id.encode()).hexdigest()[:32]}"
