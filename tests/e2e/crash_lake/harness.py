"""Owns one run: calls through a real gateway, whose landing and curation die at file operation after file operation.

In the end three books must agree: what the provider bills, what the ledger charged, what the lake holds.
"""

import json
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as parquet

from control_plane.lake.curated import open_tables
from control_plane.lake.snapshot import Reader
from control_plane.lake.verify import verify
from tests.e2e.crash.budgets import QUOTAS, Budgets
from tests.e2e.crash.harness import CLIENTS, LANDING_TIMEOUT_S, SETTINGS
from tests.e2e.crash.load import Client, Target
from tests.e2e.crash.verdict import Verdict, judge
from tests.support.gateways import Gateway, Row, gateway_on, sandbox_upstreams, wait_until
from tests.support.lakes import EVER, seen
from tests.support.processes import Child, running_sandbox

DYING = "tests.e2e.crash_lake.dying"
# No process does so many file operations before it ends by itself.
NEVER = 10**9
# A landing that has segments to land reaches any of its first operations at once.
DEATH_TIMEOUT_S = 30.0
# File operations of one segment's landing, and of one that finds its own file there.
LAND_STEPS = 12
# A segment of some ten calls, to land or to curate, on a machine that does other things.
LANDED_S = 0.2

Say = Callable[[str], None]


@dataclass
class Run:
    """What was done, and what came of it."""

    deaths: Counter[str] = field(default_factory=Counter[str])
    steps: dict[str, list[int]] = field(default_factory=lambda: {"landing": [], "curation": []})
    sent: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    budgets: Budgets = field(default_factory=Budgets)
    differences: list[str] = field(default_factory=list[str])  # what verify found, and totals that do not agree

    @property
    def faultless(self) -> bool:
        return self.verdict.faultless and not self.budgets.faults and not self.differences


def run(directory: Path, seed: int, curations: Sequence[int] | None, say: Say) -> Run:
    """`curations`: the operations at which curation dies; None: each of them, until one run ends by itself.

    The operations and the calls follow from the seed; how they interleave does not.
    """
    with (
        running_sandbox() as sandbox,
        gateway_on(directory / "data", sandbox_upstreams(sandbox), SETTINGS) as gateway,
    ):
        target = Target(gateway.add_key())
        with gateway.config.open("a") as file:
            file.write(QUOTAS)
        clients = [Client(target, f"c{number}", f"{seed}/{number}") for number in range(CLIENTS)]
        done = Run()
        gateway.start()
        target.port = gateway.port
        target.up.set()
        for client in clients:
            client.start()
        try:
            _die_often(gateway, done, Random(seed), curations, say)
        finally:
            target.stopped.set()
        _end_well(gateway, clients)
        done.sent = sum(client.sent for client in clients)
        with urllib.request.urlopen(sandbox + "/_sandbox/bill") as answer:
            lines = json.load(answer)["lines"]
        _judge(gateway, done, lines)
        return done


def _die_often(gateway: Gateway, done: Run, random: Random, curations: Sequence[int] | None, say: Say) -> None:
    for last in curations if curations is not None else range(1, NEVER):
        landing = random.randint(1, LAND_STEPS)
        wait_until(lambda: len(gateway.segments()) > 1, lambda: "no segments to land")
        done.deaths["landing"] += _dies(gateway, landing, "gateway", "lake")
        done.steps["landing"].append(landing)
        ended = not _dies(gateway, last, "control_plane.cli.lake", "curate", "--quiet", "--lake", str(gateway.lake))
        done.deaths["curation"] += not ended
        done.steps["curation"].append(last)
        done.differences += _torn(gateway, last)
        if last % 20 == 0:
            say(f"curation died at operation {last}")
        if ended and curations is None:
            say(f"curation ended by itself before operation {last}")
            return


def _dies(gateway: Gateway, last: int, module: str, *arguments: str) -> bool:
    """Whether a process was killed at an operation on the data; else it ended well by itself."""
    words = (sys.executable, "-m", DYING, "kill", str(last), str(gateway.data_dir), module, *arguments)
    child = Child(words, {**SETTINGS, "LENSAI_DATA_DIR": str(gateway.data_dir)})
    try:
        wait_until(lambda: child.returncode is not None, child.output, DEATH_TIMEOUT_S)
        assert child.returncode in (0, -9), child.output()
        return child.returncode == -9
    finally:
        child.close()


def _torn(gateway: Gateway, last: int) -> Iterator[str]:
    """What a reader sees right after a death: every landed call once, whatever was under way."""
    landed = {row["request_id"] for row in gateway.rows()}
    now = seen(Reader(open_tables(str(gateway.lake))).take(*EVER)).calls
    if now != len(landed):
        yield f"after operation {last} a reader sees {now} calls, and {len(landed)} landed"


def _end_well(gateway: Gateway, clients: list[Client]) -> None:
    for client in clients:
        client.join()
        assert client.fault is None, client.fault
    gateway.stop()
    gateway.start_lake()
    # Both died again and again while calls went on: what they have before them by now takes its time.
    timeout_s = LANDING_TIMEOUT_S + len(gateway.segments()) * LANDED_S
    wait_until(lambda: not gateway.segments(), lambda: f"not landed: {len(gateway.segments())} segments", timeout_s)
    gateway.kill_lake()
    curate = Child((sys.executable, "-m", "control_plane.cli.lake", "curate", "--lake", str(gateway.lake)))
    try:
        wait_until(lambda: curate.returncode is not None, curate.output, timeout_s)
        assert curate.returncode == 0, curate.output()
    finally:
        curate.close()


def _judge(gateway: Gateway, done: Run, lines: Sequence[dict[str, Any]]) -> None:
    lake = open_tables(str(gateway.lake))
    taken = Reader(lake).take(*EVER)
    if taken.fresh.num_rows:
        done.differences.append(f"{taken.fresh.num_rows} calls are not curated")
    rows = [Row(columns, 0) for file in taken.events for columns in parquet.ParquetFile(file).read().to_pylist()]
    done.verdict = judge(lines, rows)
    done.budgets.look(gateway.journal)
    done.budgets.reconcile(lines, rows)
    found = verify(lake, gateway.journal)
    done.differences += found.differences
    costs = sum(row.cost_nanousd or 0 for row in rows)
    if (found.calls, int(found.cost_usd.scaleb(9))) != (len(rows), costs):
        done.differences.append(f"verify: {found.calls} calls, {found.cost_usd}; events: {len(rows)}, {costs}")
