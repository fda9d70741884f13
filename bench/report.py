"""Owns the tables: measurements of all rounds in, Markdown out. Does no I/O."""

from collections.abc import Sequence
from statistics import median

import msgspec

from bench.samples import Spread
from bench.scenarios import Measurement, Scenario, Spreads

# Gateways that differ from the target `gateway` in one thing.
VARIANTS = ("before", "quotas", "leases")


class Rounds(msgspec.Struct, frozen=True):
    """One scenario: per round, each target's measurement by name; and each target's latencies over all rounds."""

    scenario: Scenario
    rounds: list[dict[str, Measurement]]
    whole: dict[str, Spreads]

    def cpu_us(self, target: str) -> float:
        """Median over the rounds."""
        return median(measured[target].cpu_us(self.scenario.per) for measured in self.rounds)

    def ratios(self, target: str, reference: str) -> list[float]:
        """Of each round, how many times the reference's CPU the target took."""
        per = self.scenario.per
        return [measured[target].cpu_us(per) / measured[reference].cpu_us(per) for measured in self.rounds]

    def system_share(self, target: str) -> float:
        """The part of the CPU that the kernel took, by 10 ms ticks over all rounds."""
        user = sum(measured[target].user_ticks for measured in self.rounds)
        system = sum(measured[target].system_ticks for measured in self.rounds)
        return system / max(1, user + system)

    def added_us(self, target: str, base: str, measure: str, percentile: str) -> float:
        """How much later than through `base`: the median of the rounds' differences, so that one bad round is one."""
        return median(
            getattr(getattr(measured[target].spreads, measure), percentile)
            - getattr(getattr(measured[base].spreads, measure), percentile)
            for measured in self.rounds
        )

    def errors(self) -> int:
        return sum(measurement.errors for measured in self.rounds for measurement in measured.values())


class Run(msgspec.Struct, frozen=True):
    """Everything one `make bench` found; what bench/out/ holds."""

    started: str  # UTC, ISO 8601
    machine: dict[str, str]
    results: list[Rounds]


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    cpu = [result for result in run.results if result.scenario.rate is None]
    latency = [result for result in run.results if result.scenario.rate is not None]
    parts = [f"{run.started}, {facts}", _cpu_table(cpu), _overhead_table(cpu), *map(_latency_table, latency)]
    errors = sum(result.errors() for result in run.results)
    if errors:
        parts.append(f"**Invalid: {errors} calls failed.**")
    return "\n\n".join(part for part in parts if part)


def _cpu_table(results: Sequence[Rounds]) -> str:
    """CPU of each target that has a process, and its ratio to nginx."""
    rows: list[list[str]] = []
    for result in results:
        for target, measurement in result.rounds[0].items():
            if measurement.cpu_ns is not None:
                rows.append(_cpu_row(result, target))
    return table(("scenario", "through", "CPU µs", "per", "kernel", "× nginx", "least to greatest"), rows)


def _cpu_row(result: Rounds, target: str) -> list[str]:
    ratio, extremes = "", ""
    if target != "nginx" and "nginx" in result.rounds[0]:
        ratios = result.ratios(target, "nginx")
        ratio, extremes = f"**{median(ratios):.2f}**", f"{min(ratios):.2f} to {max(ratios):.2f}"
    return [
        result.scenario.name,
        target,
        f"{result.cpu_us(target):.1f}",
        result.scenario.per,
        f"{result.system_share(target):.0%}",
        ratio,
        extremes,
    ]


def _overhead_table(results: Sequence[Rounds]) -> str:
    """What more CPU each variant of the gateway takes than the plain one, in percent."""
    rows: list[list[str]] = []
    for result in results:
        if "gateway" not in result.rounds[0]:
            continue
        for target in VARIANTS:
            if target in result.rounds[0]:
                percents = [100 * (ratio - 1) for ratio in result.ratios(target, "gateway")]
                extremes = f"{min(percents):+.1f} to {max(percents):+.1f}"
                rows.append([result.scenario.name, target, f"**{median(percents):+.1f}**", extremes])
    return table(("scenario", "through", "% over gateway", "least to greatest"), rows)


def _latency_table(result: Rounds) -> str:
    """Percentiles of each target over all rounds, and what each adds to `direct`."""
    rows: list[list[str]] = []
    for measure, says in _MEASURES.items():
        for target, spreads in result.whole.items():
            spread: Spread | None = getattr(spreads, measure)
            if spread:
                rows.append([says, target, *_percentiles(spread), *_added(result, target, measure)])
    heads = (result.scenario.name, "through", "p50", "p90", "p99", "p99.9", "adds at p50", "adds at p99")
    return table(heads, rows)


_MEASURES = {"ttft": "TTFT, µs", "total": "total, µs", "travel": "event travel, µs", "gap": "between events, µs"}


def _percentiles(spread: Spread) -> list[str]:
    far = "" if spread.p999_us is None else f"{spread.p999_us:.0f}"
    return [f"{spread.p50_us:.0f}", f"{spread.p90_us:.0f}", f"{spread.p99_us:.0f}", far]


def _added(result: Rounds, target: str, measure: str) -> list[str]:
    if target == "direct":
        return ["", ""]
    return [f"{result.added_us(target, 'direct', measure, percentile):+.0f}" for percentile in ("p50_us", "p99_us")]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = 2) -> str:
    """A Markdown table; the first `words` columns are words, the others numbers. Empty without rows."""
    if not rows:
        return ""
    rules = ["---" if column < words else "---:" for column in range(len(heads))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rules, *rows))
