"""Owns the rollups: the hours that changed are computed again from `events`, whole days are replaced, all or nothing.

The last commit, to `hourly`, says of which version of `events` the rollups are and at which versions they stand:
readers take exactly those. A process that dies before it leaves readers what they had; whoever comes next computes
the same hours again.

What retention deleted or sampled of a day is not there to be computed again. Its rows of the rollups are settled: kept
in a file of their own (settled.py), beside what is computed of calls that come late.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

import secrets
from collections import defaultdict
from datetime import date
from functools import cache
from hashlib import sha256
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from control_plane.lake.curate import Beaten, Step, no_step
from control_plane.lake.curated import DAILY, DATED, ROLLUPS, Lake, statement
from control_plane.lake.engine import Engine, engine, literal
from control_plane.lake.sampled import is_sampled
from control_plane.lake.settled import SETTLED, Owners, is_settled, settled_by, settling
from control_plane.lake.table import Change, File, State, Table
from gateway.lake.store import StoreFault

ROLLED = "rolled"
HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US
# Rows of the day's other hours are kept as they are.
_REPLACED = "SELECT * FROM ({new}) UNION ALL BY NAME SELECT * FROM kept ORDER BY org_id, project_id, hour"
_ALL_NEW = "SELECT * FROM ({new}) ORDER BY org_id, project_id, hour"


class Pointer(msgspec.Struct, frozen=True):
    """What the rollups are of: a version of `events`, and their own versions. `sql` is of the text that made them."""

    events: int
    at: dict[str, int]
    sql: str


class Span(NamedTuple):
    """Hours of a day's partition, from the first to before the end; None is all of them."""

    first_us: int | None = None
    end_us: int | None = None

    def with_file(self, file: File) -> "Span":
        first, end = file.from_us // HOUR_US * HOUR_US, (file.to_us // HOUR_US + 1) * HOUR_US
        if self.first_us is None or self.end_us is None:
            return self
        return Span(min(self.first_us, first), max(self.end_us, end))

    def meets(self, file: File) -> bool:
        if self.first_us is None or self.end_us is None:
            return True
        return file.from_us < self.end_us and file.to_us >= self.first_us


class Rolled(NamedTuple):
    days: int
    events: int  # the version of `events` that the rollups are of now


def pointer(hourly: Table, at: State) -> Pointer | None:
    """What the rollups are of; None if there are none yet. Raises StoreFault."""
    found = hourly.latest(ROLLED, at)
    return msgspec.convert(found[1], Pointer) if found else None


def settled(hourly: Table, at: State, before_ms: int) -> int:
    """The version of `events` that every reader who began since then has seen or a later one; -1 is none."""
    for version in range(at.version, -1, -1):
        commit = hourly.commit_at(version)
        if commit is None:
            break
        if ROLLED in commit.ours and commit.at_ms <= before_ms:
            return msgspec.convert(commit.ours[ROLLED], Pointer).events
    return -1


def roll_up(lake: Lake, now_ms: int, step: Step = no_step, *, everything: bool = False) -> Rolled | None:
    """Brings the rollups to the version of `events` that is there; None if they are there already.

    Raises StoreFault, EngineFault, Beaten.
    """
    # In this order: a table that is read later is never of an older version of events than one read before.
    bases = {name: lake.rollups[name].follow() for name in reversed(ROLLUPS)}
    was = pointer(lake.hourly, bases["hourly"])
    events = lake.events.follow()
    usable = was if was is not None and was.sql == _sql_digest() and not everything else None
    if events.version < 0 or (usable and usable.events == events.version):
        return None
    spans = _touched(lake.events, usable.events, events.version) if usable else None
    if spans is None:
        spans = _all(events, bases)
    settles = settled_by(lake.events, was.events, events.version) if was else {}
    spans |= dict.fromkeys(settles, Span())
    days = Days(lake, bases, events, now_ms)
    if was and settles:
        days.settle(_shown(lake, bases, was), settles)
    with engine() as database:
        for dt, span in sorted(spans.items()):
            step("day")
            days.replace(database, dt, span)
    commit_rollups(lake, bases, days, events.version, now_ms, step)
    return Rolled(len(spans), events.version)


def _touched(events: Table, since: int, to: int) -> dict[str, Span] | None:
    """The hours in which rows came or went; None if the log does not say it any more."""
    spans: dict[str, Span] = {}
    for version in range(since + 1, to + 1):
        commit = events.commit_at(version)
        if commit is None:
            return None
        for file in commit.added:
            if file.path in commit.changed:
                first, end = file.from_us // HOUR_US * HOUR_US, (file.to_us // HOUR_US + 1) * HOUR_US
                spans[file.dt] = spans.get(file.dt, Span(first, end)).with_file(file)
        for path in commit.removed & commit.changed:
            # Whoever removed rows did not say of which hours.
            spans[path.partition("dt=")[2].partition("/")[0]] = Span()
    return spans


def _all(events: State, bases: dict[str, State]) -> dict[str, Span]:
    states = (events, *bases.values())
    return {file.dt: Span() for state in states for file in state.files.values()}


def is_behind(now: Pointer, bases: dict[str, State]) -> bool:
    """Whether commits to rollups came that nobody points at: of an attempt that died before its last."""
    return any(bases[name].version != version for name, version in now.at.items())


def _shown(lake: Lake, bases: dict[str, State], was: Pointer) -> dict[str, State]:
    """The rollups as readers see them now: commits that nobody pointed at yet are not in it."""
    shown = {name: lake.rollups[name].follow(was.at[name]) for name in ROLLUPS if name not in ("hourly", *DAILY)}
    for name in shown:
        lake.rollups[name].follow(bases[name].version)
    return shown | {"hourly": bases["hourly"]}


class Days:
    """New files of days, and those they replace, by rollup."""

    def __init__(self, lake: Lake, bases: dict[str, State], events: State, now_ms: int) -> None:
        """`bases`: what the tables are, to commit on."""
        self._lake, self._bases, self._events, self._now_ms = lake, bases, events, now_ms
        self.adds: defaultdict[str, list[File]] = defaultdict(list)
        self.removes: defaultdict[str, list[File]] = defaultdict(list)
        self._of_day: defaultdict[str, list[File]] = defaultdict(list)
        for file in events.files.values():
            if not is_sampled(file):
                self._of_day[file.dt].append(file)
        self._shown: dict[str, State] = bases
        self._settles: dict[str, Owners] = {}

    def settle(self, shown: dict[str, State], settles: dict[str, Owners]) -> None:
        """Has the rows of these owners' days kept as they were shown."""
        self._shown, self._settles = shown, settles

    def replace(self, database: Engine, dt: str, span: Span) -> None:
        """Raises StoreFault, EngineFault."""
        files = [file for file in self._of_day[dt] if span.meets(file)]
        if files:
            paths = database.local(self._lake.store, self._lake.events, files)
            database.view("events", paths, _within(span, "ts"))
        for name in reversed(ROLLUPS):
            if name not in DAILY:
                self._hours(database, name, dt, span, bool(files))
        for name in ROLLUPS:
            if dt in self._settles and name not in DAILY:
                self._settle(database, name, dt)
        for name in DAILY:
            self.day(database, name, dt)
        database.forget_copies()

    def _hours(self, database: Engine, name: str, dt: str, span: Span, some: bool) -> None:
        old = [file for file in self._bases[name].files.values() if file.dt == dt and not is_settled(file)]
        self.removes[name] += old
        kept = [] if span.first_us is None else old
        if kept:
            paths = database.local(self._lake.store, self._lake.rollups[name], kept)
            database.view("kept", paths, f"NOT ({_within(span, 'hour')})")
        if some or kept:
            new = statement(name) if some else "SELECT * FROM kept LIMIT 0"
            self._put(database, name, dt, database.write((_REPLACED if kept else _ALL_NEW).format(new=new)))

    def day(self, database: Engine, name: str, dt: str) -> None:
        """Makes a day's rows of the hours that there will be. Raises StoreFault, EngineFault."""
        hours = DAILY[name]
        self.removes[name] += [file for file in self._bases[name].files.values() if file.dt == dt]
        stay = set(self._bases[hours].files.values()).difference(self.removes[hours])
        made = [file for file in (*stay, *self.adds[hours]) if file.dt == dt]
        if made:
            database.view("hours", database.local(self._lake.store, self._lake.rollups[hours], made))
            values = {"dt": date.fromisoformat(dt)} if name in DATED else None
            self._put(database, name, dt, database.write(statement(name), values))

    def _settle(self, database: Engine, name: str, dt: str) -> None:
        """What an attempt that died put there is replaced too: its rows are among those that are shown."""
        self.removes[name] += [file for file in self._bases[name].files.values() if file.dt == dt and is_settled(file)]
        files = [file for file in self._shown[name].files.values() if file.dt == dt]
        if files:
            table = self._lake.rollups[name]
            settled = database.local(self._lake.store, table, filter(is_settled, files))
            computed = database.local(self._lake.store, table, (file for file in files if not is_settled(file)))
            self._put(database, name, dt, settling(database, settled, computed, self._settles[dt]), SETTLED)

    def put(self, database: Engine, name: str, dt: str, select: str, old: File) -> None:
        """What a SELECT answers takes the place of a file. Raises StoreFault, EngineFault."""
        self.removes[name].append(old)
        self._put(database, name, dt, database.write(select), SETTLED if is_settled(old) else "")

    def _put(self, database: Engine, name: str, dt: str, data: bytes, prefix: str = "") -> None:
        rows, bounds = _extent(data, DAY_US if name in DAILY else HOUR_US)
        if not rows:
            return
        path = f"dt={dt}/{prefix}{secrets.token_hex(16)}.parquet"
        file = File(path, dt, None, rows, len(data), *bounds, self._now_ms)
        if not self._lake.store.create(self._lake.rollups[name].key(file), data):
            raise StoreFault("a name that was drawn is taken")
        self.adds[name].append(file)


def commit_rollups(lake: Lake, bases: dict[str, State], days: Days, events: int, now_ms: int, step: Step) -> None:
    """Commits new files of all rollups, of that version of `events`. Raises StoreFault, Beaten."""
    for name in ROLLUPS:
        table, adds, removes = lake.rollups[name], days.adds[name], days.removes[name]
        ours: dict[str, object] = {}
        if name == "hourly":
            at = {other: lake.rollups[other].state.version for other in ROLLUPS if other != name}
            ours[ROLLED] = msgspec.to_builtins(Pointer(events, at, _sql_digest()))
        if adds or removes or ours or bases[name].version < 0:
            step(f"commit {name}")
            if not table.commit(bases[name], Change("WRITE", adds, removes, ours), now_ms):
                raise Beaten
    step("committed")


def _extent(data: bytes, length_us: int) -> tuple[int, tuple[int, int]]:
    """How many rows a rollup's file has, and from when to when their hours, or days, are."""
    file = pq.ParquetFile(pa.BufferReader(data))
    if "hour" not in file.schema_arrow.names or not file.metadata.num_rows:
        return file.metadata.num_rows, (0, 0)
    hours = pc.min_max(file.read(columns=["hour"]).column("hour"))
    return file.metadata.num_rows, (hours["min"].value, hours["max"].value + length_us - 1)


def _within(span: Span, column: str) -> str:
    if span.first_us is None or span.end_us is None:
        return ""
    return f"{column} >= {literal(span.first_us)} AND {column} < {literal(span.end_us)}"


@cache
def _sql_digest() -> str:
    """Of the text that the rollups are made by: of another text they are made anew, all of them."""
    return sha256("".join(map(statement, ROLLUPS)).encode()).hexdigest()[:16]
