"""Owns the exact comparison of two checkouts: the instructions that a gateway takes for a call, counted by valgrind.

CPU time of the same code moves by a tenth on a machine that others use; the number of its instructions does not. What
the kernel does for a call is not in it. `python -m bench.instructions --against ../other`.
"""

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec
import uvloop

from bench import results, scenarios, targets
from bench.load import Fleet
from bench.scenarios import Scenario
from bench.targets import HOST, Target

# Fifty times slower than the machine itself.
_START_TIMEOUT_S = 180.0
# A scenario's load: some hundred calls under valgrind, so that a timer's turn beside them is less than one percent.
_LOAD_S = 6.0
# What is done after the last byte is out, some fifty times slower.
_SETTLE_S = 1.0
# As many connections as can be served at that pace; and no pauses between events, which would be counted as idle turns.
_SCENARIOS = tuple(
    msgspec.structs.replace(scenario, connections=min(scenario.connections, 16), interval_us=0)
    for scenario in (*scenarios.JSON[:2], *scenarios.STREAMS[:3])
)
# The name of callgrind's files, which a number follows.
_COUNT = "count"
_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class Count(msgspec.Struct, frozen=True):
    """Instructions in user space while so many calls or events were served, all threads of the gateway."""

    instructions: int
    units: int

    @property
    def each(self) -> float:
        return self.instructions / max(1, self.units)


class Row(msgspec.Struct, frozen=True):
    """One scenario on both gateways."""

    scenario: str
    per: Literal["call", "event"]
    now: Count
    before: Count

    @property
    def percent(self) -> float:
        """How many more instructions than before."""
        return (self.now.each / self.before.each - 1) * 100


class Run(msgspec.Struct, frozen=True):
    started: str
    rows: tuple[Row, ...]


def total_of(dump: str) -> int:
    """The instructions of one dump of callgrind. Raises ValueError for a text that names none."""
    found = _TOTAL.search(dump)
    if found is None:
        raise ValueError("callgrind's file names no total")
    return int(found[1])


def markdown(run: Run) -> str:
    """The table of a run."""
    lines = ["| scenario | per | before | now | more |", "| --- | --- | ---: | ---: | ---: |"]
    lines += [
        f"| {row.scenario} | {row.per} | {row.before.each:,.0f} | {row.now.each:,.0f} | **{row.percent:+.1f} %** |"
        for row in run.rows
    ]
    return "\n".join(lines)


async def _count(target: Target, scenario: Scenario, directory: Path) -> Count:
    """The load once to warm up, and once between two dumps, each of which begins the next count at nothing."""
    requests = scenario.requests(target)
    async with Fleet(HOST, target.port, connections=scenario.connections) as fleet:
        await fleet.closed_loop(requests, duration_s=_LOAD_S / 2)
        await asyncio.sleep(_SETTLE_S)
        _dumped(target, directory)
        samples = await fleet.closed_loop(requests, duration_s=_LOAD_S)
        await asyncio.sleep(_SETTLE_S)
    if scenario.misses(samples):
        raise SystemExit(f"{scenario.name}: {scenario.misses(samples)} calls through {target.name} went wrong")
    units = samples.calls if scenario.per == "call" else samples.events
    return Count(_dumped(target, directory), units)


def _dumped(target: Target, directory: Path) -> int:
    """What was counted since the dump before this one. Blocks, when nothing else is to be done."""
    before = set(directory.glob(f"{_COUNT}.*"))
    command = ["callgrind_control", "--dump", str(target.pid)]
    subprocess.run(command, check=True, capture_output=True)
    (written,) = set(directory.glob(f"{_COUNT}.*")) - before
    return total_of(written.read_text())


async def _counts(target: Target, chosen: Sequence[Scenario], directory: Path) -> list[Count]:
    counts: list[Count] = []
    for scenario in chosen:
        print(f"… {scenario.name}, {target.name}", file=sys.stderr)
        counts.append(await _count(target, scenario, directory))
    return counts


def _counted(name: str, source: Path | None, chosen: Sequence[Scenario]) -> list[Count]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lensai-bench-")))
        policy = targets.policy_text(stack.enter_context(targets.provider()).port)
        under = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={directory / _COUNT}")
        counted = targets.gateway_of(
            policy, directory, name, environ={}, source=source, under=under, start_timeout_s=_START_TIMEOUT_S
        )
        return uvloop.run(_counts(stack.enter_context(counted), chosen, directory))


def main(arguments: Sequence[str]) -> int:
    """The exit status; the table is on standard output."""
    options = argparse.ArgumentParser(prog="python -m bench.instructions", description="Instructions a call takes.")
    options.add_argument("--against", type=Path, required=True, help="the root of another checkout")
    options.add_argument("--only", action="append", help="scenarios whose name contains this text; may be repeated")
    given = options.parse_args(arguments)
    if not targets.is_installed("callgrind_control"):
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = scenarios.chosen(_SCENARIOS, given.only)
    started = results.now()
    before = _counted("before", given.against.resolve(), chosen)
    now = _counted("gateway", None, chosen)
    rows = tuple(
        Row(scenario.name, scenario.per, after, earlier)
        for scenario, after, earlier in zip(chosen, now, before, strict=True)
    )
    run = Run(started, rows)
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='instructions-')}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
