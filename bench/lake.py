"""Owns the measurement of the lake: how long calls take to become tables, and questions of each kind to be answered.

`python -m bench.lake --rows 1000000`; exits with 1 if the tables, or an answer, have not every call that was landed.
"""

import argparse
import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import msgspec

from bench import report, results
from bench.cpu import machine
from control_plane.analytics import calls, forecast, service, shares
from control_plane.analytics.asked import Asked
from control_plane.analytics.period import Period
from control_plane.lake.curated import open_tables
from control_plane.lake.query import MEMORY, THREADS, Lake
from control_plane.lake.scope import Scope
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.story import Plan
from control_plane.lake.seed.world import SOURCES, users_of
from gateway.lake.store import open_store

_ROWS, _DAYS, _TIMES, _SEED = 1_000_000, 60, 20, 7
_ORG = "org_big"
_UTC = ZoneInfo("UTC")
_HOUR_S, _DAY_S = 3600, 86_400

Asking = Callable[[Lake, Asked], Awaitable[object]]


class Step(msgspec.Struct, frozen=True):
    """One command over the whole lake, in a process of its own."""

    name: str
    seconds: float
    cpu_s: float
    peak_mib: float
    status: int


class Answered(msgspec.Struct, frozen=True):
    """One kind of question, asked again and again, one at a time."""

    name: str
    first_ms: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float  # of the median, threads included


class Plain(msgspec.Struct, frozen=True):
    """DuckDB alone, with one file of all calls sorted by time and nothing else."""

    sorted_s: float
    mib: float
    questions: list[Answered]


class Measured(msgspec.Struct, frozen=True):
    """One run over so many calls of so many days."""

    rows: int
    days: int
    landed_mib: float
    wrote_s: float
    steps: list[Step]
    questions: list[Answered]
    plain: Plain
    counted: int  # calls, by an answer over all of the time

    @property
    def whole(self) -> bool:
        return self.counted == self.rows and all(step.status == 0 for step in self.steps)


class Run(msgspec.Struct, frozen=True):
    started: str
    machine: dict[str, str]
    measured: Measured


# Name, days back from now, how it is asked. What begins and ends within an hour is answered from events.
# One of those who call most.
_USER = users_of(next(iter(SOURCES)))[0]
_LATENCY = ("latency_ms", (50.0, 95.0, 99.0))
QUESTIONS: tuple[tuple[str, float, Asking], ...] = (
    ("summary and the period before, 7 days", 7, lambda lake, of: service.summary(lake, of, compared=True)),
    ("summary, 60 days", 60, lambda lake, of: service.summary(lake, of, compared=False)),
    ("cost by model, 30 days", 30, lambda lake, of: service.costs(lake, of, "model", "cost", 20, compared=False)),
    ("cost by user, 30 days", 30, lambda lake, of: service.costs(lake, of, "user", "cost", 20, compared=False)),
    ("cost by tag, 30 days", 30, lambda lake, of: service.costs(lake, of, "tag", "cost", 20, compared=False)),
    ("by day and model, 60 days", 60, lambda lake, of: service.timeseries(lake, of, "model", "day", 8, compared=False)),
    ("by hour and model, 7 days", 7, lambda lake, of: service.timeseries(lake, of, "model", "hour", 8, compared=False)),
    ("latency by model, 30 days", 30, lambda lake, of: service.latency(lake, of, *_LATENCY, "model", None, 20)),
    ("latency by day, 30 days", 30, lambda lake, of: service.latency(lake, of, *_LATENCY, None, "day", 20)),
    ("measured and estimated, 30 days", 30, shares.provenances),
    ("errors, 7 days", 7, lambda lake, of: shares.errors(lake, of, 20)),
    ("forecast of the month", 30, forecast.forecast),
    (
        "summary of one user from events, 7 days",
        7,
        lambda lake, of: service.summary(lake, _one_user(of), compared=False),
    ),
    ("summary from events, 90 minutes", 1 / 16, lambda lake, of: service.summary(lake, of, compared=False)),
    ("newest calls of 7 days", 7, lambda lake, of: calls.calls(lake, of, calls.BY_TIME, 50, None)),
    ("dearest calls of 7 days", 7, lambda lake, of: calls.calls(lake, of, "cost", 50, None)),
)


def measure(directory: Path, rows: int, days: int, times: int) -> Measured:
    """Writes calls, curates them and asks. Raises OSError, StoreFault."""
    lake, now_s = directory / "lake", int(time.time())
    began = time.monotonic()
    # Elsewhere: a process starts with the peak of the one that started it, which is to say nothing of the steps.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:
        made = elsewhere.submit(_write, lake, Plan(rows, days, _SEED, now_s)).result()
    wrote_s = time.monotonic() - began
    steps = [_step(words, lake) for words in (["curate"], ["rollup", "--everything"], ["verify"])]
    plain = _plain(lake, directory / "one.parquet", now_s, times)
    with closing(Lake(str(lake))) as questions:
        found = asyncio.run(_ask(questions, now_s, times))
        counted = asyncio.run(service.summary(questions, _of(now_s, days + 1), compared=False)).total.calls
    return Measured(rows, days, made / 2**20, wrote_s, steps, found, plain, counted)


def _write(lake: Path, plan: Plan) -> int:
    """Bytes of the landed files."""
    places = plain_places(_ORG)
    with closing(Generator(plan, places)) as generator:
        return landing.write(open_store(str(lake)), Seeded(plan, places), generator, lambda _: None).bytes


def _step(words: Sequence[str], lake: Path) -> Step:
    began = time.monotonic()
    command = [sys.executable, "-m", "control_plane.cli.lake", *words, "--lake", str(lake)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    return Step(" ".join(words), seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode)


async def _ask(lake: Lake, now_s: int, times: int) -> list[Answered]:
    found: list[Answered] = []
    for name, days, asking in QUESTIONS:
        taken: list[Taken] = []
        for _ in range(1 + times):
            began = Taken(time.monotonic(), time.process_time())
            await asking(lake, _of(now_s, days))
            taken.append(began.until_now())
        found.append(_answered(name, taken))
    return found


class Taken(NamedTuple):
    """Seconds of the clock, and of all of this process's threads."""

    wall_s: float
    cpu_s: float

    def until_now(self) -> "Taken":
        return Taken(time.monotonic() - self.wall_s, time.process_time() - self.cpu_s)


def _answered(name: str, taken: Sequence[Taken]) -> Answered:
    again = [one.wall_s * 1000 for one in taken[1:]]
    cpu = [one.cpu_s * 1000 for one in taken[1:]]
    return Answered(name, taken[0].wall_s * 1000, _nearest(again, 50), _nearest(again, 95), _nearest(cpu, 50))


# The same questions as a person writes them, over all calls in one file: name, days back, SELECT.
PLAIN: tuple[tuple[str, float, str], ...] = (
    ("summary, 7 days", 7, "SELECT count(*), sum(cost_usd), sum(tokens_in) FROM calls"),
    ("summary, 60 days", 60, "SELECT count(*), sum(cost_usd), sum(tokens_in) FROM calls"),
    ("cost by model, 30 days", 30, "SELECT model, count(*), sum(cost_usd) FROM calls GROUP BY 1 ORDER BY 3 DESC"),
    ("cost by user, 30 days", 30, "SELECT user_id, count(*), sum(cost_usd) FROM calls GROUP BY 1 ORDER BY 3 DESC"),
    ("cost by tag, 30 days", 30, "SELECT unnest(tags), count(*), sum(cost_usd) FROM calls GROUP BY 1 ORDER BY 3 DESC"),
    (
        "by day and model, 60 days",
        60,
        "SELECT date_trunc('day', ts), model, count(*), sum(cost_usd) FROM calls GROUP BY 1, 2",
    ),
    ("newest calls of 7 days", 7, "SELECT * FROM calls ORDER BY ts DESC LIMIT 50"),
    ("dearest calls of 7 days", 7, "SELECT * FROM calls ORDER BY cost_usd DESC NULLS LAST LIMIT 50"),
)


def _plain(lake: Path, one: Path, now_s: int, times: int) -> Plain:
    """What no lake is needed for: how a single sorted file is asked, with as much memory and as many threads."""
    with duckdb.connect(config={"memory_limit": MEMORY, "threads": THREADS}) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET GLOBAL parquet_metadata_cache = true")
        began = time.monotonic()
        database.execute(f"SET temp_directory = '{one.parent / 'spill'}'")
        events = open_tables(str(lake)).events
        files = [events.location(file) for file in events.follow().files.values()]
        database.read_parquet(files, hive_partitioning=False).create_view("events")
        database.execute(f"COPY (FROM events ORDER BY ts) TO '{one}' (FORMAT parquet, COMPRESSION zstd)")
        sorted_s = time.monotonic() - began
        found = [
            _answered(name, _plainly(database, one, now_s - days * _DAY_S, ask, times)) for name, days, ask in PLAIN
        ]
    return Plain(sorted_s, one.stat().st_size / 2**20, found)


def _plainly(database: duckdb.DuckDBPyConnection, one: Path, from_s: float, select: str, times: int) -> list[Taken]:
    since = f"ts >= make_timestamptz({int(from_s) * 10**6})"
    database.execute(f"CREATE OR REPLACE TEMP VIEW calls AS SELECT * FROM read_parquet('{one}') WHERE {since}")
    taken: list[Taken] = []
    for _ in range(1 + times):
        began = Taken(time.monotonic(), time.process_time())
        database.sql(select).to_arrow_table()
        taken.append(began.until_now())
    return taken


def _nearest(taken: Sequence[float], percent: int) -> float:
    return sorted(taken)[-(-percent * len(taken) // 100) - 1]


def _of(now_s: int, days: float) -> Asked:
    """All of the organization's calls of so many days until now, in whole hours if it is some."""
    whole = _HOUR_S if days >= 1 else 60
    to_s = -(-now_s // whole) * whole
    during = Period(int(to_s - days * _DAY_S), to_s, _UTC)
    return Asked(Scope(_ORG, during.from_s, during.to_s, None, {}), during, now_s)


def _one_user(asked: Asked) -> Asked:
    """Narrowed by what the rollup has no column for."""
    return replace(asked, scope=replace(asked.scope, filters={"user_id": (_USER,)}))


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    found = run.measured
    wrote = f"{found.rows:,} calls of {found.days} days, {found.landed_mib:.0f} MiB, written in {found.wrote_s:.0f} s."
    steps = [[one.name, f"{one.seconds:.1f}", f"{one.cpu_s:.1f}", f"{one.peak_mib:.0f}"] for one in found.steps]
    plain = (
        f"Plain DuckDB over one file of all calls sorted by time ({found.plain.mib:.0f} MiB,"
        f" sorted in {found.plain.sorted_s:.0f} s):"
    )
    tables = (
        report.table(("lensai lake", "s", "CPU s", "peak MiB"), steps, words=1),
        _questions(found.questions),
        plain,
        _questions(found.plain.questions),
    )
    verdict = "" if found.whole else f"**Invalid: {found.counted:,} calls were counted, or a step failed.**"
    return "\n\n".join(part for part in (f"{run.started}, {facts}", wrote, *tables, verdict) if part)


def _questions(found: Sequence[Answered]) -> str:
    rows = [[one.name, *(f"{ms:.0f}" for ms in (one.first_ms, one.p50_ms, one.p95_ms, one.cpu_ms))] for one in found]
    return report.table(("question", "first ms", "p50 ms", "p95 ms", "CPU ms"), rows, words=1)


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output."""
    options = argparse.ArgumentParser(prog="python -m bench.lake", description="What curation and questions cost.")
    options.add_argument("--rows", type=int, default=_ROWS, help=f"calls (default: {_ROWS})")
    options.add_argument("--days", type=int, default=_DAYS, help=f"of so many days (default: {_DAYS})")
    options.add_argument("--times", type=int, default=_TIMES, help=f"each question so often (default: {_TIMES})")
    asked = options.parse_args(arguments)
    started, facts = results.now(), machine()
    with tempfile.TemporaryDirectory(prefix="lensai-bench-") as directory:
        measured = measure(Path(directory), asked.rows, asked.days, asked.times)
    run = Run(started, facts, measured)
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='lake-')}", file=sys.stderr)
    return 0 if measured.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
