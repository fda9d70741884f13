"""Owns questions to the lake: named SQL over the views of a scope, by DuckDB. Never writes.

A question has a limited memory and time, and ends when whoever asked is gone. Many are asked at once: each has a
connection, and its own view of one snapshot.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import pyarrow as pa

from control_plane.clock import now_ms
from control_plane.lake.curated import WEIGHT
from control_plane.lake.remote import Remote
from control_plane.lake.scope import DAILY, DAY_S, Relation, Scope, Sources, only, views
from control_plane.lake.snapshot import Backlog, Snapshot, take_snapshot
from gateway.lake.schema import SCHEMA
from gateway.lake.store import StoreFault

# A chart's question takes a tenth of a second; what takes longer than this was asked too broadly.
QUESTION_S = 20.0
# An alert waits for nobody: it can go out without the answer.
ALERT_S = 2.0
# Of all questions together.
MEMORY = "384MB"
THREADS = 2
# DuckDB uses every thread for each; more at once only wait in it.
AT_ONCE = 4
# A dashboard asks a dozen questions at a time. Who would wait behind this many comes again.
WAITING_MAX = 64
# Questions of one page see one state of the lake; a call is still in a chart within two seconds.
SNAPSHOT_S = 0.5
# Each holds some megabytes for as long as its reader takes.
STREAMS_MAX = 8
# Rows of one step of a long answer: some hundred kilobytes.
BATCH_ROWS = 2_000
# How often a connection is told to stop until it does: between two statements it does not hear it.
_INTERRUPT_EVERY_S = 0.05

_EVER_US = (-(2**62), 2**62)
# Lines at the beginning of a file of SQL.
_SAID = re.compile(r"\A(?:--[^\n]*\n|\s)*")
_PART = re.compile(r"\{(\w+)\}")

T = TypeVar("T")
Row = dict[str, Any]
Take = Callable[[str, date, date, str | None], Snapshot]


class Unanswered(Exception):
    """The lake did not answer: the answer is unknown, which is not "nothing". The message says why."""


class TooBusy(Unanswered):
    """As many questions wait as may."""


class NotCurated(Unanswered):
    """More calls wait to be curated than a question may read."""


class TookTooLong(Unanswered):
    """The question's time ended."""


class TooLarge(Unanswered):
    """The question took more memory than there is for it."""


class Top(NamedTuple):
    """Models and their cost in nano-USD, dearest first, of calls since then."""

    since_s: int
    costs: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Question:
    """A statement over the view of a relation, its parameters, and whose calls it is about.

    `grain_s` is how finely it looks, a day if it does not tell hours apart: whole days are answered from rollups of
    days, whole hours from those of hours, and what is finer from events.
    """

    sql: str
    relation: Relation
    scope: Scope
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    grain_s: int = DAY_S


class Answer(NamedTuple):
    """Rows in the statement's order, and which state of the lake they are of.

    `estimated`: of some of these calls the lake has a sample alone, and no rollup answered instead.
    """

    rows: list[Row]
    as_of_ms: int
    version: int
    estimated: bool = False


class Part(NamedTuple):
    """Some rows of a long answer, a pyarrow RecordBatch; `estimated` is the whole answer's, as an Answer's."""

    rows: Any
    estimated: bool


class Lake:
    """Questions to one lake: a directory or a store's URL. Made once; `close` ends what is still asked."""

    def __init__(
        self,
        url: str,
        *,
        memory: str = MEMORY,
        question_s: float = QUESTION_S,
        take: Take = take_snapshot,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.url = url
        self._question_s = question_s
        self._database = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory,
                "threads": THREADS,
                # Nothing is spilled to the disk: what does not fit is refused.
                "max_temp_directory_size": "0B",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        # Objects of a lake never change, so what their footers say is kept.
        self._database.execute("SET GLOBAL parquet_metadata_cache = true")
        self._threads = ThreadPoolExecutor(AT_ONCE, "lake")
        self._snapshots = _Snapshots(url, take, clock)
        self._remote = Remote()
        self._waiting = self._streams = 0
        self._counting = threading.Lock()

    async def ask(self, question: Question, *, within_s: float | None = None) -> Answer:
        """All rows. Raises Unanswered."""
        return await self._run(lambda asked: asked.answer(question), within_s)

    async def parts(self, question: Question) -> AsyncIterator[Part]:
        """The rows as they come, in parts of a bounded size; the first has none, but the columns.

        The time limit is for each. Raises Unanswered.
        """
        if self._streams >= STREAMS_MAX:
            raise TooBusy("too many long answers at once")
        self._streams += 1
        asked = _Asked(self._database, self._snapshots, self._remote)
        try:
            reader, estimated = await self._step(asked, lambda: asked.reader(question), self._question_s)
            yield Part(pa.RecordBatch.from_pylist([], schema=reader.schema), estimated)
            while (rows := await self._step(asked, lambda: next(reader, None), self._question_s)) is not None:
                yield Part(rows, estimated)
        finally:
            self._streams -= 1
            asked.close()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._database.close()

    async def _run(self, work: Callable[["_Asked"], T], within_s: float | None) -> T:
        asked = _Asked(self._database, self._snapshots, self._remote)

        def whole() -> T:
            with contextlib.closing(asked):
                return work(asked)

        return await self._step(asked, whole, self._question_s if within_s is None else within_s)

    async def _step(self, asked: "_Asked", work: Callable[[], T], within_s: float) -> T:
        """What a thread comes to, which is stopped where nobody waits for it any more."""
        self._begins()
        running = self._threads.submit(_translated, work)
        running.add_done_callback(lambda _: self._ended())
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.wrap_future(running)
        except TimeoutError:
            raise TookTooLong("it took too long") from None
        finally:
            asked.stop(running)

    def _begins(self) -> None:
        with self._counting:
            if self._waiting >= WAITING_MAX:
                raise TooBusy("too many questions at once")
            self._waiting += 1

    def _ended(self) -> None:
        with self._counting:
            self._waiting -= 1


class _Asked:
    """One question on a connection of its own. Used by one thread at a time; `stop` may come from any."""

    def __init__(self, database: duckdb.DuckDBPyConnection, snapshots: "_Snapshots", remote: Remote) -> None:
        self._connection = database.cursor()
        self._snapshots, self._remote = snapshots, remote
        self._stopped = threading.Event()

    def answer(self, question: Question) -> Answer:
        taken = self._snapshots.of(question.scope)
        self._execute(self._prepared(question, taken.snapshot), question.parameters)
        rows = self._named(self._connection.fetchall())
        estimated = self._is_estimated(question, taken.snapshot)
        return Answer(rows, taken.as_of_ms, taken.snapshot.version, estimated)

    def reader(self, question: Question) -> tuple[Any, bool]:
        """A pyarrow RecordBatchReader, whose rows are computed as they are read, and whether they are an estimate."""
        snapshot = self._snapshots.of(question.scope).snapshot
        sql = self._prepared(question, snapshot)
        # Before the rows: a connection that is asked something else forgets what it was about to read.
        estimated = self._is_estimated(question, snapshot)
        asked = self._connection.sql(sql, params=dict(question.parameters) or None)
        return asked.to_arrow_reader(BATCH_ROWS), estimated

    def stop(self, running: Future[Any]) -> None:
        """Ends what the thread does, if it has not ended, and then closes; does not wait for it."""
        if running.cancel() or running.done():
            return
        self._stopped.set()
        threading.Thread(target=self._interrupt_until, args=(running,), daemon=True).start()

    def close(self) -> None:
        """What was stopped is closed when its thread has let go of it."""
        if not self._stopped.is_set():
            self._connection.close()

    def _interrupt_until(self, running: Future[Any]) -> None:
        while not running.done():
            self._connection.interrupt()
            time.sleep(_INTERRUPT_EVERY_S)
        self._connection.close()

    def _prepared(self, question: Question, snapshot: Snapshot) -> str:
        """The statement behind the views that it is about. One text: what is planned once takes half as long."""
        scope = question.scope
        self._connection.register("fresh_rows", snapshot.fresh)
        sources = self._sources(question, snapshot)
        for name, value in scope.variables().items():
            self._execute(f"SET VARIABLE {name} = $value", {"value": value})
        made = (
            f"{name} AS NOT MATERIALIZED ({select})"
            for name, select in views(scope, question.relation, question.grain_s, sources)
        )
        return f"WITH {', '.join(made)} {following(question.sql)}"

    def _is_estimated(self, question: Question, snapshot: Snapshot) -> bool:
        """Whatever the filters are: calls that have what they ask for may be among those that a sample left out."""
        scope = replace(question.scope, filters={})
        if not snapshot.sampled or question.scope.is_rolled_up(question.relation, question.grain_s):
            return False
        sampled = self._sampled(snapshot)
        self._execute(f"SELECT 1 FROM {sampled} WHERE {only(scope, 'ts')} AND weight > 1 LIMIT 1")  # noqa: S608
        return bool(self._connection.fetchall())

    def _sampled(self, snapshot: Snapshot) -> str | None:
        return self._files("sampled_files", snapshot.sampled, SCHEMA.append(WEIGHT))

    def _sources(self, question: Question, snapshot: Snapshot) -> Sources:
        relation, scope = question.relation, question.scope
        if not scope.is_rolled_up(relation, question.grain_s):
            sampled = self._sampled(snapshot)
            if relation != "events":  # a list of calls has each row once
                sampled = weighted(sampled)
            return Sources(self._files("event_files", snapshot.events, SCHEMA), sampled)
        between_s = scope.whole_days(question.grain_s) if snapshot.daily is not None else (scope.to_s, scope.to_s)
        days = [] if snapshot.daily is None else _in(snapshot, snapshot.daily[DAILY[relation]], [between_s])
        edges = [(scope.from_s, between_s[0]), (between_s[1], scope.to_s)]
        hours = _in(snapshot, getattr(snapshot, relation), edges)
        return Sources(hours=self._files("hour_files", hours), days=self._files("day_files", days), between_s=between_s)

    def _files(self, name: str, files: Sequence[str], schema: Any = None) -> str | None:
        return rows_of(self._connection, self._remote, name, files, schema)

    def _execute(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        if self._stopped.is_set():
            raise Unanswered("nobody waits for it")
        self._connection.execute(sql, parameters or None)

    def _named(self, rows: Sequence[Sequence[Any]]) -> list[Row]:
        names = [column[0] for column in self._connection.description or ()]
        return [dict(zip(names, row, strict=True)) for row in rows]


# Of files in a bucket; rollups have the columns of their first.
class _Taken(NamedTuple):
    snapshot: Snapshot
    as_of_ms: int
    until: float


class _Snapshots:
    """Snapshots by days and project, each for a moment."""

    def __init__(self, url: str, take: Take, clock: Callable[[], int]) -> None:
        self._url, self._take, self._clock = url, take, clock
        self._lock = threading.Lock()
        self._taking: dict[tuple[date, date, str | None], threading.Lock] = {}
        self._taken: dict[tuple[date, date, str | None], _Taken] = {}

    def of(self, scope: Scope) -> _Taken:
        key = (*scope.days, scope.project_id)
        with self._lock:
            taking = self._taking.setdefault(key, threading.Lock())
        # Of those that ask for the same at once, one looks.
        with taking:
            now = time.monotonic()
            taken = self._taken.get(key)
            if taken is None or taken.until < now:
                as_of_ms = self._clock()
                taken = _Taken(self._take(self._url, *key), as_of_ms, now + SNAPSHOT_S)
            with self._lock:
                self._forget(now)
                self._taken[key] = taken
            return taken

    def _forget(self, now: float) -> None:
        for key in [key for key, taken in self._taken.items() if taken.until < now]:
            del self._taken[key]
            self._taking.pop(key, None)


def rows_of(
    connection: duckdb.DuckDBPyConnection, remote: Remote, name: str, files: Sequence[str], schema: Any = None
) -> str | None:
    """What stands for the rows of some files in a statement, where `name` is its own; None if there are no files.

    `schema` are the columns, where one file may have fewer than others. Raises OSError, duckdb.Error.
    """
    if not files:
        return None
    if "://" in files[0]:
        connection.register(name, remote.dataset(files, schema))
        return name
    connection.execute(f"SET VARIABLE {name} = $1", [list(files)])
    return f"read_parquet(getvariable('{name}'), hive_partitioning = true, hive_types_autocast = false)"


def weighted(sampled: str | None) -> str | None:
    """The rows of a sample, each as often as it stands for a call, and then for one."""
    if sampled is None:
        return None
    return f"(SELECT * REPLACE (CAST(1 AS BIGINT) AS weight) FROM {sampled}, range(weight))"  # noqa: S608


def _in(snapshot: Snapshot, files: Sequence[str], spans_s: Sequence[tuple[int, int]]) -> list[str]:
    """Those that may hold rows of one of some times [from, to), in seconds."""

    def meets(file: str) -> bool:
        first_us, last_us = snapshot.spans.get(file, _EVER_US)
        return any(first_us < to_s * 10**6 and last_us >= from_s * 10**6 for from_s, to_s in spans_s if from_s < to_s)

    return [file for file in files if meets(file)]


def following(statement: str) -> str:
    """A statement behind relations that stand before its own, without what is said of it first."""
    text = _SAID.sub("", statement).strip()
    return f", {text.removeprefix('WITH ')}" if text.startswith("WITH ") else text


def _translated(work: Callable[[], T]) -> T:
    """Drivers' errors become Unanswered here, once; they may quote paths, so their class alone is told."""
    try:
        return work()
    except duckdb.OutOfMemoryException:
        raise TooLarge("it takes too much memory") from None
    except duckdb.InterruptException:
        raise TookTooLong("it was stopped") from None
    except Backlog as error:
        raise NotCurated(str(error)) from None
    except (duckdb.Error, pa.ArrowException, OSError, StoreFault) as error:
        raise Unanswered(f"the lake cannot be read ({type(error).__name__})") from error


def named(directory: Path, **parts: str) -> Mapping[str, str]:
    """The statements of a directory's .sql files, by the files' names without their ending.

    `{name}` in one stands for a file of its directory `parts`, or for one of those that are given: what several
    statements say is said once. Nothing that anybody asks for is among them.
    """
    for path in (directory / "parts").glob("*.sql"):
        parts[path.stem] = _SAID.sub("", path.read_text()).strip()
    texts = {path.stem: path.read_text() for path in sorted(directory.glob("*.sql"))}
    return {name: _PART.sub(lambda found: parts[found[1]], text) for name, text in texts.items()}


_QUESTIONS = named(Path(__file__).parent / "sql" / "questions")


async def top_models(
    lake: Lake, org_id: str, project_id: str | None, from_s: int, to_s: int, limit: int, *, within_s: float = ALERT_S
) -> Top:
    """What cost most; `project_id` None is all of the organization's. Raises Unanswered."""
    if "://" not in lake.url and not await asyncio.to_thread(Path(lake.url).is_dir):
        raise Unanswered("there is no lake")
    question = Question(_QUESTIONS["top_models"], "hourly", Scope(org_id, from_s, to_s, project_id), {"limit": limit})
    rows = (await lake.ask(question, within_s=within_s)).rows
    return Top(from_s, [(row["model"], int(row["cost_usd"].scaleb(9))) for row in rows])
