"""Owns Snapshot: the files that a question about some days reads, each call in one of them and in no other."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from control_plane.keyring import Keyring
from control_plane.lake.absorbed import LogGone, absorbed
from control_plane.lake.curate import identities_in
from control_plane.lake.curated import Lake, open_tables
from control_plane.lake.identity import once, without
from control_plane.lake.landed import Unreadable, day_of, decode, raw_files, read_ahead
from control_plane.lake.rollups import pointer
from control_plane.lake.sampled import is_sampled
from control_plane.lake.standing import obey, orders
from control_plane.lake.table import File, State, Table, us
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Entry, Missing, StoreFault

# Rows of raw files that are kept decoded, some 700 bytes each: what comes in during some rounds of curation.
FRESH_ROWS_MAX = 200_000
# Curated files that are searched for a call that was sent a second time and is not absorbed yet.
SEARCHED_MAX = 64
# And calls of those, some 60 bytes each, which are kept.
SEARCHED_ROWS_MAX = 1_000_000
# A state may be tidied away between looking at it and reading it, by whoever was slower than the grace time.
ATTEMPTS = 3

_DAY_US = 86_400 * 1_000_000
# Beside `hourly`, whose commit says at which versions they are.
_HOURLY = ("hourly_users", "hourly_latency")
_DAILY = ("daily", "daily_users", "daily_sketches")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent state of the lake. Files are absolute paths or URLs of the store; immutable while it is asked.

    `events` are curated; the rollups are of exactly those, and so are `daily`, the files of a rollup of days by its
    name. `fresh` is an Arrow table in the schema of gateway/lake/schema.py of the calls that are landed and in none of
    them. A question over a rollup adds the same rollup of `fresh`. Files and `fresh` may hold rows of other days and
    projects too: a question filters rows.
    """

    version: int
    events: tuple[str, ...]
    hourly: tuple[str, ...]
    hourly_users: tuple[str, ...]
    hourly_latency: tuple[str, ...]
    fresh: Any  # pyarrow.Table
    # Files of `events` in which a row stands for `weight` calls: a sample. They are in no other field.
    sampled: tuple[str, ...] = ()
    # None where the rollups were made before there were any of days.
    daily: Mapping[str, tuple[str, ...]] | None = None
    # From when to when the rows of a rollup's file are, in microseconds, both included.
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])


class Backlog(StoreFault):
    """More raw files wait to be curated than a question can read: `lensai lake curate` is not running."""


def take_snapshot(
    lake: str, from_day: date, to_day: date, project_id: str | None = None, *, keyring: Keyring | None = None
) -> Snapshot:
    """The state now, without the files that hold nothing of these UTC days (both included) or of the project.

    `lake` is a directory or a store's URL. A lake without a curated table is no error: all is fresh. Files of ingest
    that no key of the ring signed are left out; without a ring none is checked.
    Raises StoreFault, Backlog, ValueError for a URL that no store serves.
    """
    return _reader(lake, keyring).take(from_day, to_day, project_id)


@lru_cache(maxsize=8)
def _reader(lake: str, keyring: Keyring | None) -> "Reader":
    return Reader(open_tables(lake, keyring))


class Reader:
    """A lake as one process reads it: it follows the tables' logs and keeps what it decoded. For several threads."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._lock = threading.Lock()
        self._fresh = _Fresh(lake)

    def take(self, from_day: date, to_day: date, project_id: str | None = None) -> Snapshot:
        """As take_snapshot."""
        with self._lock:
            for _ in range(ATTEMPTS - 1):
                try:
                    return self._take(from_day, to_day, project_id)
                except Missing:
                    continue
            return self._take(from_day, to_day, project_id)

    def _take(self, from_day: date, to_day: date, project_id: str | None) -> Snapshot:
        lake = self._lake
        hourly = lake.hourly.follow()
        now = pointer(lake.hourly, hourly)
        if now is None:
            fresh = self._fresh.of({}, State(), from_day)
            return Snapshot(-1, (), (), (), (), fresh)
        events = lake.events.follow(now.events)
        states = {"hourly": hourly} | {
            name: lake.rollups[name].follow(now.at[name]) for name in (*_HOURLY, *_DAILY) if name in now.at
        }
        try:
            names = absorbed(lake.events, events)
        except LogGone:
            raise StoreFault("commits of the table events are gone: run lensai lake curate") from None
        span = _us(from_day), _us(to_day) + _DAY_US
        files = {
            sampled: tuple(
                where for where, file in _within(lake.events, events, span, project_id) if is_sampled(file) is sampled
            )
            for sampled in (False, True)
        }
        rollups = {name: dict(_within(lake.rollups[name], state, span, None)) for name, state in states.items()}
        return Snapshot(
            now.events,
            files[False],
            *(tuple(rollups[name]) for name in ("hourly", *_HOURLY)),
            fresh=self._fresh.of(names, events, from_day),
            sampled=files[True],
            daily={name: tuple(rollups[name]) for name in _DAILY} if rollups.keys() >= set(_DAILY) else None,
            spans={where: (file.from_us, file.to_us) for found in rollups.values() for where, file in found.items()},
        )


def _within(table: Table, state: State, span: tuple[int, int], project_id: str | None) -> Iterator[tuple[str, File]]:
    """Where a table's files are that may hold rows of a time and a project."""
    for file in state.files.values():
        in_time = file.from_us < span[1] and file.to_us >= span[0]
        if in_time and (project_id is None or (file.project_id or "") == project_id):
            yield table.location(file), file


class _Fresh:
    """Raw files that are in no table yet, decoded once each."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._decoded: OrderedDict[str, Any] = OrderedDict()
        self._ids: dict[str, Any] = {}
        self._made: tuple[tuple[int, tuple[str, ...]], Any] = ((-1, ()), SCHEMA.empty_table())

    def of(self, names: Iterable[str], events: State, from_day: date) -> Any:
        """The rows of all raw files but those names, each call once. Raises StoreFault; Missing if one was deleted."""
        known = frozenset(names)
        waiting = [
            entry for entry in raw_files(self._lake.store) if entry.key not in known and _since(entry.key, from_day)
        ]
        keys = tuple(entry.key for entry in waiting)
        if self._made[0] != (events.version, keys):
            rows = obey(orders(self._lake.events, events), self._rows(waiting))
            self._made = (events.version, keys), self._without_known(rows, events)
        return self._made[1]

    def _rows(self, waiting: Sequence[Entry]) -> Any:
        tables: list[Any] = []
        rows = 0
        unread = [entry for entry in waiting if entry.key not in self._decoded]
        with contextlib.closing(read_ahead(self._lake.store, unread)) as reading:
            for entry in waiting:
                table = self._table(entry.key, reading)
                rows += table.num_rows
                if rows > FRESH_ROWS_MAX:
                    raise Backlog(f"more than {FRESH_ROWS_MAX} calls wait to be curated: run lensai lake curate")
                tables.append(table)
        self._forget(frozenset(entry.key for entry in waiting))
        return once(pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks())

    def _table(self, key: str, unread: "Iterator[tuple[Entry, Future[bytes]]]") -> Any:
        if key not in self._decoded:
            entry, read = next(unread)
            assert entry.key == key, "read in another order"
            try:
                self._decoded[key] = decode(key, read.result(), self._lake.keyring)
            except Unreadable:
                # Nobody can read it, and curation says so: it is not what is missing to an answer.
                self._decoded[key] = SCHEMA.empty_table()
        self._decoded.move_to_end(key)
        return self._decoded[key]

    def _forget(self, used: frozenset[str]) -> None:
        """Keeps what is used, and of the rest, which another question's days may need, as much as there is room."""
        room = FRESH_ROWS_MAX - sum(self._decoded[key].num_rows for key in used)
        for key in reversed(list(self._decoded)):
            if key not in used:
                room -= self._decoded[key].num_rows + 1
                if room < 0:
                    del self._decoded[key]

    def _without_known(self, rows: Any, events: State) -> Any:
        """Without calls that are curated already: sent a second time, and not absorbed a second time yet."""
        if not rows.num_rows:
            return rows
        times = pc.min_max(rows.column("ts"))
        first, last = times["min"].value, times["max"].value
        files = [file for file in events.files.values() if file.from_us <= last and file.to_us >= first]
        self._ids = {file.path: self._ids_of(file) for file in _searched(files)}
        return without(rows, self._ids.values())

    def _ids_of(self, file: File) -> Any:
        found = self._ids.get(file.path)
        if found is not None:
            return found
        return identities_in(self._lake, file)


def _searched(files: Iterable[File]) -> Iterator[File]:
    """The latest: of more it is not worth it, since the next round of curation removes what was sent again anyway."""
    rows = 0
    for file in sorted(files, key=lambda file: file.to_us, reverse=True)[:SEARCHED_MAX]:
        rows += file.rows
        if rows > SEARCHED_ROWS_MAX:
            break
        yield file


def _since(key: str, day: date) -> bool:
    """False for a landed file whose latest arrival was before the day; ingest's days are not of its calls' times."""
    return not key.startswith("landing/") or day_of(key) >= day.isoformat()


def _us(day: date) -> int:
    return us(datetime(day.year, day.month, day.day, tzinfo=UTC))
