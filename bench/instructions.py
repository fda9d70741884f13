"""Owns the exact comparison of gateways: the instructions that each takes for a call, counted by valgrind.

CPU time of the same code moves by a tenth on a machine that others use; the number of its instructions does not. What
the kernel does for a call is not in it. `python -m bench.instructions --against ../other`, or `--quotas` for what those
cost.
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

from bench import report, results, scenarios, targets
from bench.load import Fleet
from bench.scenarios import Scenario
from bench.targets import HOST, Target

# Fifty times slower than the machine itself.
_START_TIMEOUT_S = 180.0
# A scenario's load: some hundred calls under valgrind.
_LOAD_S = 6.0
# What is done after the last byte is out, some fifty times slower.
_SETTLE_S = 1.0
# As many connections as can be served at that pace; and no pauses between events, which would be counted as idle turns.
# Not the transparent streams: what estimates them runs behind them, on a thread, and so in the count of what follows.
_SCENARIOS = tuple(
    msgspec.structs.replace(scenario, connections=min(scenario.connections, 16), interval_us=0)
    for scenario in (*scenarios.JSON[:2], *scenarios.STREAMS[:2])
)
# The name of callgrind's files, which a number follows.
_COUNT = "count"
_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


class Count(msgspec.Struct, frozen=True):
    """Instructions in user space while so many calls or events were served, all threads of the gateway.

    `idle`: what as long a time without any takes. Clocks are not slowed down by valgrind: left in, what is done by them
    would be divided among fifty times too few calls.
    """

    instructions: int
    units: int
    idle: int = 0

    @property
    def each(self) -> float:
        return (self.instructions - self.idle) / max(1, self.units)


class Row(msgspec.Struct, frozen=True):
    """One scenario on every gateway, by its name; the others are compared with the first."""

    scenario: str
    per: Literal["call", "event"]
    counts: dict[str, Count]

    def percent(self, name: str) -> float:
        """How many more instructions it takes than the first."""
        first = next(iter(self.counts.values()))
        return (self.counts[name].each / first.each - 1) * 100


class Variant(msgspec.Struct, frozen=True):
    """A gateway to count: of which checkout, under which quotas in TOML, and whether their ledger is a Redis."""

    name: str
    source: Path | None = None
    quotas: str = ""
    leases: bool = False


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
    first, *others = run.rows[0].counts
    head = ("scenario", "per", first, *(column for name in others for column in (name, "more")))
    return report.table(head, [_cells(row, first, others) for row in run.rows], words=2)


def _cells(row: Row, first: str, others: Sequence[str]) -> list[str]:
    cells = [row.scenario, row.per, f"{row.counts[first].each:,.0f}"]
    for name in others:
        cells += [f"{row.counts[name].each:,.0f}", f"**{row.percent(name):+.1f} %**"]
    return cells


async def _count(target: Target, scenario: Scenario, directory: Path) -> Count:
    """What as long a time takes without calls and with them, once warm, between dumps that begin a count at nothing."""
    requests = scenario.requests(target)
    async with Fleet(HOST, target.port, connections=scenario.connections) as fleet:
        await fleet.closed_loop(requests, duration_s=_LOAD_S / 2)
        await asyncio.sleep(_SETTLE_S)
        _dumped(target, directory)
        await asyncio.sleep(_LOAD_S + _SETTLE_S)
        idle = _dumped(target, directory)
        samples = await fleet.closed_loop(requests, duration_s=_LOAD_S)
        await asyncio.sleep(_SETTLE_S)
    if scenario.misses(samples):
        raise SystemExit(f"{scenario.name}: {scenario.misses(samples)} calls through {target.name} went wrong")
    units = samples.calls if scenario.per == "call" else samples.events
    return Count(_dumped(target, directory), units, idle)


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


def _counted(variant: Variant, chosen: Sequence[Scenario]) -> list[Count]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lensai-bench-")))
        policy = targets.policy_text(stack.enter_context(targets.provider()).port) + variant.quotas
        ledger = {"LENSAI_LEDGER_URL": stack.enter_context(targets.redis(directory))} if variant.leases else {}
        counted = targets.gateway_of(
            policy,
            directory,
            variant.name,
            environ=ledger,
            source=variant.source,
            under=("valgrind", "--tool=callgrind", f"--callgrind-out-file={directory / _COUNT}"),
            start_timeout_s=_START_TIMEOUT_S,
        )
        return uvloop.run(_counts(stack.enter_context(counted), chosen, directory))


def _variants(options: argparse.Namespace) -> list[Variant]:
    now = Variant("gateway")
    if options.against is not None:
        return [Variant("before", options.against.resolve()), now]
    return [now, Variant("quotas", quotas=targets.QUOTAS), Variant("leases", quotas=targets.QUOTAS, leases=True)]


def main(arguments: Sequence[str]) -> int:
    """The exit status; the table is on standard output."""
    options = argparse.ArgumentParser(prog="python -m bench.instructions", description="Instructions a call takes.")
    compared = options.add_mutually_exclusive_group(required=True)
    compared.add_argument("--against", type=Path, help="the root of another checkout, which is counted as `before`")
    compared.add_argument("--quotas", action="store_true", help="without quotas, with three, and with these in a Redis")
    options.add_argument("--only", action="append", help="scenarios whose name contains this text; may be repeated")
    given = options.parse_args(arguments)
    if not targets.is_installed("callgrind_control"):
        print("valgrind is not installed: apt-get install valgrind", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = scenarios.chosen(_SCENARIOS, given.only)
    started = results.now()
    counts = {variant.name: _counted(variant, chosen) for variant in _variants(given)}
    run = Run(
        started,
        tuple(
            Row(scenario.name, scenario.per, {name: each[number] for name, each in counts.items()})
            for number, scenario in enumerate(chosen)
        ),
    )
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='instructions-')}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
