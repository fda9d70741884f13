"""Owns one run: a gateway that is killed at random moments under load, started again, and judged at the end."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.e2e.crash.budgets import QUOTAS, Budgets
from tests.e2e.crash.load import Client, Target
from tests.e2e.crash.verdict import Verdict, judge
from tests.support.gateways import Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import Child, running_sandbox

# So many callers keep both cores of a small machine busy, and dozens of calls open at each kill.
CLIENTS = 12
# Rotation, sealing and landing happen many times a second, so that kills fall into them too.
SETTINGS = {
    "LENSAI_SEGMENT_AGE_MS": "60",
    "LENSAI_JOURNAL_SYNC_MS": "10",
    "LENSAI_LAKE_POLL_MS": "10",
    "LENSAI_LOG_LEVEL": "info",
}
# A share of the kills falls into the start, which reads the dead process's journal; the rest into service.
STARTUP_SHARE = 0.2
# Most lives are short, for many kills a minute; some are long enough for what runs on threads to end.
SERVICE_MEAN_S, SERVICE_MAX_S = 0.4, 4.0
LAKE_SHARE = 0.25
# What is left to land after the last kill.
LANDING_TIMEOUT_S = 60.0

Say = Callable[[str], None]


@dataclass
class Run:
    """What was done, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter[str])
    sent: int = 0
    states: Counter[str] = field(default_factory=Counter[str])  # of the bill's lines
    verdict: Verdict = field(default_factory=Verdict)
    budgets: Budgets = field(default_factory=Budgets)


def run(directory: Path, kills: int, seed: int, say: Say) -> Run:
    """Kills the gateway so often. The moments and the calls follow from the seed; how they interleave does not."""
    with (
        running_sandbox() as sandbox,
        gateway_on(directory / "data", sandbox_upstreams(sandbox), SETTINGS) as gateway,
    ):
        target = Target(gateway.add_key())
        with gateway.config.open("a") as file:
            file.write(QUOTAS)
        clients = [Client(target, f"c{number}", f"{seed}/{number}") for number in range(CLIENTS)]
        done = Run()
        gateway.start_lake()
        for client in clients:
            client.start()
        try:
            _kill_often(gateway, target, done, kills, Random(seed), say)
            _end_well(gateway, target, clients)
        finally:
            target.stopped.set()
        done.sent = _sent(clients)
        with urllib.request.urlopen(sandbox + "/_sandbox/bill") as answer:
            lines = json.load(answer)["lines"]
        done.states.update(line["state"] for line in lines)
        rows = gateway.rows()
        done.verdict = judge(lines, rows)
        done.budgets.look(gateway.journal)
        done.budgets.reconcile(lines, rows)
        return done


def _kill_often(gateway: Gateway, target: Target, done: Run, kills: int, random: Random, say: Say) -> None:
    startup_s = 1.0
    for count in range(1, kills + 1):
        child = gateway.spawn()
        if random.random() < STARTUP_SHARE:
            where = "during its start"
            # Most of a start is imports; recovery comes at its end.
            time.sleep(startup_s * random.triangular(0.0, 1.0, 0.95))
        else:
            where = "in service"
            startup_s = _serve(gateway, target, child)
            time.sleep(min(random.expovariate(1 / SERVICE_MEAN_S), SERVICE_MAX_S))
        gateway.kill()
        target.up.clear()
        done.budgets.look(gateway.journal)
        done.kills[where] += 1
        if random.random() < LAKE_SHARE:
            gateway.kill_lake()
            gateway.start_lake()
            done.kills["lake"] += 1
        if count % 20 == 0:
            say(f"{count} of {kills} kills")


def _serve(gateway: Gateway, target: Target, child: Child) -> float:
    """Lets the load in as soon as the gateway listens. Returns the seconds it took."""
    began_s = time.monotonic()
    gateway.listening(child)
    target.port = gateway.port
    target.up.set()
    return time.monotonic() - began_s


def _end_well(gateway: Gateway, target: Target, clients: list[Client]) -> None:
    """A last start, the end of the load, a drain, and everything landed."""
    _serve(gateway, target, gateway.spawn())
    enough = _sent(clients) + 2 * CLIENTS
    wait_until(lambda: _sent(clients) >= enough, lambda: "no calls after the last crash")
    target.stopped.set()
    for client in clients:
        client.join()
        assert client.fault is None, client.fault
    gateway.stop()
    wait_until(lambda: not gateway.segments(), lambda: f"not landed: {gateway.segments()}", LANDING_TIMEOUT_S)


def _sent(clients: list[Client]) -> int:
    return sum(client.sent for client in clients)
