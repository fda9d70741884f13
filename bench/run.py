"""Owns a run: starts the targets, measures every scenario on each in alternating rounds, reports.

`python -m bench` or `make bench`. Exits with 1 if any call failed.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import uvloop

from bench import hotspots, report, results, scenarios, targets
from bench.cpu import machine
from bench.samples import Samples
from bench.scenarios import Measurement, Scenario
from bench.targets import Target


class Plan(msgspec.Struct, frozen=True):
    """What a run does, and for how long: rounds, and the duration of each for CPU and for latency."""

    scenarios: tuple[Scenario, ...]
    rounds: int
    cpu_s: float
    latency_s: float


_FULL = Plan((*scenarios.JSON, *scenarios.STREAMS, *scenarios.LATENCY), rounds=7, cpu_s=1.0, latency_s=3.0)
_QUICK = Plan(
    (*scenarios.JSON, scenarios.STREAMS[0], scenarios.STREAMS[-1], *scenarios.LATENCY),
    rounds=3,
    cpu_s=0.3,
    latency_s=0.5,
)


async def _measure_rounds(scenario: Scenario, compared: Sequence[Target], plan: Plan) -> report.Rounds:
    """All rounds of one scenario; every other round goes through the targets backwards."""
    duration_s = plan.cpu_s if scenario.rate is None else plan.latency_s
    rounds: list[dict[str, Measurement]] = []
    merged = {target.name: Samples() for target in compared}
    for number in range(plan.rounds):
        measured: dict[str, Measurement] = {}
        for target in compared if number % 2 == 0 else reversed(compared):
            measured[target.name], samples = await scenarios.measure(target, scenario, duration_s, seed=number)
            merged[target.name].merge(samples)
        rounds.append({target.name: measured[target.name] for target in compared})
    return report.Rounds(scenario, rounds, {name: scenarios.spreads(samples) for name, samples in merged.items()})


async def _measure_all(plan: Plan, direct: Target, proxies: Sequence[Target]) -> report.Run:
    started, facts, measured = results.now(), machine(), list[report.Rounds]()
    for scenario in plan.scenarios:
        print(f"… {scenario.name}", file=sys.stderr)
        # Without a proxy there is no CPU to count, only a latency to compare with.
        compared = proxies if scenario.rate is None else [direct, *proxies]
        measured.append(await _measure_rounds(scenario, compared, plan))
    return report.Run(started, facts, measured)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m bench", description="CPU and latency beside nginx.")
    options.add_argument("--quick", action="store_true", help="under a minute: fewer scenarios, shorter rounds")
    options.add_argument("--only", action="append", help="scenarios whose name contains this text; may be repeated")
    options.add_argument(
        "--proxies",
        default="nginx,gateway",
        help="which to run, by commas: nginx, gateway; with quotas, too: quotas, leases (default: %(default)s)",
    )
    options.add_argument("--peers", action="store_true", help="LiteLLM's proxy too, if PATH has one")
    options.add_argument("--against", type=Path, help="the root of another checkout, whose gateway runs as `before`")
    options.add_argument("--rounds", type=int, help="rounds of each scenario")
    options.add_argument("--profile", action="store_true", help="where the time of the last proxy goes (needs --only)")
    return options.parse_args(arguments)


def _plan(options: argparse.Namespace) -> Plan:
    plan = _QUICK if options.quick else _FULL
    chosen = scenarios.chosen(plan.scenarios, options.only)
    return msgspec.structs.replace(plan, scenarios=chosen, rounds=options.rounds or plan.rounds)


def _proxies(options: argparse.Namespace) -> list[str]:
    """The proxies asked for whose programs are installed."""
    names = options.proxies.split(",") + (["litellm"] if options.peers else [])
    missing = [name for name in names if name in _NEEDS and not targets.is_installed(_NEEDS[name][0])]
    for name in missing:
        program, install = _NEEDS[name]
        print(f"not run: {name}, {program} is not on PATH ({install})", file=sys.stderr)
    return [name for name in names if name not in missing]


_STARTS = {
    "nginx": targets.nginx,
    "gateway": targets.gateway,
    "quotas": targets.with_quotas,
    "leases": targets.with_leases,
    "litellm": targets.litellm,
}
# The program of each that is not ours alone, and how to install it.
_NEEDS = {
    "nginx": ("nginx", "apt-get install nginx-light"),
    "leases": ("redis-server", "apt-get install redis-server"),
    "litellm": ("litellm", "pip install 'litellm[proxy]' in an environment of its own"),
}


def _compare(plan: Plan, names: Sequence[str], against: Path | None, directory: Path, stack: ExitStack) -> int:
    direct = stack.enter_context(targets.provider())
    proxies = [stack.enter_context(_STARTS[name](direct.port, directory)) for name in names]
    if against is not None:
        proxies.append(stack.enter_context(targets.gateway(direct.port, directory, "before", against)))
    run = uvloop.run(_measure_all(plan, direct, proxies))
    print(report.markdown(run))
    print(f"Written to {results.save(run, run.started)}", file=sys.stderr)
    return 1 if any(result.errors() for result in run.results) else 0


def _profile(scenario: Scenario, name: str, directory: Path, stack: ExitStack) -> int:
    direct = stack.enter_context(targets.provider())
    gateway = stack.enter_context(_STARTS[name](direct.port, directory))
    print(uvloop.run(hotspots.profile(gateway, scenario, directory)))
    return 0


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output, what it is doing on standard error."""
    options = _options(arguments)
    plan = _plan(options)
    # A SIGTERM must unwind the stack as Ctrl-C does, or the processes of the run outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lensai-bench-")))
        if options.profile:
            return _profile(plan.scenarios[0], _proxies(options)[-1], directory, stack)
        return _compare(plan, _proxies(options), options.against, directory, stack)
