"""Owns the measurement of the lake: how long calls take to become tables, and questions of each kind to be answered.

`python -m bench.lake --rows 1000000`; exits with 1 if the tables, or an answer, have not every call that was landed.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from bench import report, results
from bench.cpu import machine
from control_plane.analytics import calls, forecast, service, shares
from control_plane.analytics.asked import Asked
from control_plane.analytics.period import Period
from control_plane.lake.query import Lake
from control_plane.lake.scope import Scope
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.story import Plan
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


class Measured(msgspec.Struct, frozen=True):
    """One run over so many calls of so many days."""

    rows: int
    days: int
    landed_mib: float
    wrote_s: float
    steps: list[Step]
    questions: list[Answered]
    counted: int  # calls, by an answer over all of the time

    @property
    def whole(self) -> bool:
        return self.counted == self.rows and all(step.status == 0 for step in self.steps)


class Run(msgspec.Struct, frozen=True):
    started: str
    machine: dict[str, str]
    measured: Measured


# Name, days back from now, how it is asked. What begins and ends within an hour is answered from events.
QUESTIONS: tuple[tuple[str, float, Asking], ...] = (
    ("summary and the period before, 7 days", 7, lambda lake, of: service.summary(lake, of, compared=True)),
    ("summary, 60 days", 60, lambda lake, of: service.summary(lake, of, compared=False)),
    ("cost by model, 30 days", 30, lambda lake, of: service.costs(lake, of, "model", "cost", 20, compared=False)),
    ("cost by user, 30 days", 30, lambda lake, of: service.costs(lake, of, "user", "cost", 20, compared=False)),
    ("cost by tag, 30 days", 30, lambda lake, of: service.costs(lake, of, "tag", "cost", 20, compared=False)),
    ("by day and model, 60 days", 60, lambda lake, of: service.timeseries(lake, of, "model", "day", 8, compared=False)),
    ("errors, 7 days", 7, lambda lake, of: shares.errors(lake, of, 20)),
    ("forecast of the month", 30, forecast.forecast),
    ("summary from events, 90 minutes", 1 / 16, lambda lake, of: service.summary(lake, of, compared=False)),
    ("newest calls of 7 days", 7, lambda lake, of: calls.calls(lake, of, calls.BY_TIME, 50, None)),
    ("dearest calls of 7 days", 7, lambda lake, of: calls.calls(lake, of, "cost", 50, None)),
)


def measure(directory: Path, rows: int, days: int, times: int) -> Measured:
    """Writes calls, curates them and asks. Raises OSError, StoreFault."""
    lake, now_s = directory / "lake", int(time.time())
    began = time.monotonic()
    made = _write(lake, Plan(rows, days, _SEED, now_s))
    wrote_s = time.monotonic() - began
    steps = [_step(words, lake) for words in (["curate"], ["rollup", "--everything"], ["verify"])]
    with closing(Lake(str(lake))) as questions:
        found = asyncio.run(_ask(questions, now_s, times))
        counted = asyncio.run(service.summary(questions, _of(now_s, days + 1), compared=False)).total.calls
    return Measured(rows, days, made / 2**20, wrote_s, steps, found, counted)


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
        taken: list[float] = []
        for _ in range(1 + times):
            began = time.monotonic()
            await asking(lake, _of(now_s, days))
            taken.append((time.monotonic() - began) * 1000)
        found.append(Answered(name, taken[0], *(_nearest(taken[1:], percent) for percent in (50, 95))))
    return found


def _nearest(taken: Sequence[float], percent: int) -> float:
    return sorted(taken)[-(-percent * len(taken) // 100) - 1]


def _of(now_s: int, days: float) -> Asked:
    """All of the organization's calls of so many days until now, in whole hours if it is some."""
    whole = _HOUR_S if days >= 1 else 60
    to_s = -(-now_s // whole) * whole
    during = Period(int(to_s - days * _DAY_S), to_s, _UTC)
    return Asked(Scope(_ORG, during.from_s, during.to_s, None, {}), during, now_s)


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    found = run.measured
    wrote = f"{found.rows:,} calls of {found.days} days, {found.landed_mib:.0f} MiB, written in {found.wrote_s:.0f} s."
    steps = [[one.name, f"{one.seconds:.1f}", f"{one.cpu_s:.1f}", f"{one.peak_mib:.0f}"] for one in found.steps]
    asked = [[one.name, *(f"{ms:.0f}" for ms in (one.first_ms, one.p50_ms, one.p95_ms))] for one in found.questions]
    tables = (
        report.table(("lensai lake", "s", "CPU s", "peak MiB"), steps, words=1),
        report.table(("question", "first ms", "p50 ms", "p95 ms"), asked, words=1),
    )
    verdict = "" if found.whole else f"**Invalid: {found.counted:,} calls were counted, or a step failed.**"
    return "\n\n".join(part for part in (f"{run.started}, {facts}", wrote, *tables, verdict) if part)


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
