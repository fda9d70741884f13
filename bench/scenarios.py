"""Owns the table of what is run, and the measurement of one scenario on one target."""

import asyncio
from collections.abc import Sequence
from typing import Literal

import msgspec

from bench.cpu import CpuTime, cpu_time
from bench.exchange import REQUEST_VARIANTS, json_request, stream_request
from bench.load import Fleet
from bench.samples import Samples, Spread
from bench.targets import HOST, METERED_TOKEN, TRANSPARENT_TOKEN, Target

# What a proxy does after the last byte is out (settle, journal, log) belongs to the call; it takes one loop turn.
_SETTLE_S = 0.05
# Enough for lazy imports, first allocations and the upstream pool to be over.
_WARM_UP_S = 0.3
# The finish chunk and [DONE] follow the content events; a usage chunk comes between them where it was asked for.
_ENDING_EVENTS = 2


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One load. `rate` None: closed-loop, for CPU; else open-loop calls a second, for latency."""

    name: str
    connections: int
    per: Literal["call", "event"] = "call"
    mode: Literal["metered", "transparent"] = "metered"
    events: int = 0  # content events of a stream; 0: an answer in one piece
    interval_us: int = 0
    ask_usage: bool = False
    rate: float | None = None

    def warm_up(self, target: Target) -> list[bytes]:
        """The same requests, but their streams do not take their time."""
        return msgspec.structs.replace(self, interval_us=0).requests(target)

    def misses(self, samples: Samples) -> int:
        """Calls that were not answered as the provider would have; a stream must have its events, no more, no less."""
        if not self.events:
            return samples.errors
        usages = samples.calls if self.ask_usage else 0
        events = samples.calls * (self.events + _ENDING_EVENTS) + usages
        return samples.errors + abs(samples.usages - usages) + abs(samples.events - events)

    def requests(self, target: Target) -> list[bytes]:
        return [self._request(target, variant) for variant in range(REQUEST_VARIANTS)]

    def _request(self, target: Target, variant: int) -> bytes:
        host = f"{HOST}:{target.port}"
        token = METERED_TOKEN if self.mode == "metered" else TRANSPARENT_TOKEN
        if not self.events:
            return json_request(host, target.json_path, token, variant)
        return stream_request(
            host,
            target.stream_path,
            token,
            variant,
            events=self.events,
            interval_us=self.interval_us,
            ask_usage=self.ask_usage,
        )


JSON = tuple(Scenario(name=f"JSON, {count} connections", connections=count) for count in (1, 16, 64, 256))


def _paced(name: str, *, mode: Literal["metered", "transparent"] = "metered", ask_usage: bool = False) -> Scenario:
    # 64 streams at 10 ms are 6,400 events a second, each in a packet of its own: what a busy gateway sees.
    return Scenario(
        name=name,
        connections=64,
        per="event",
        mode=mode,
        events=100,
        interval_us=10_000,
        ask_usage=ask_usage,
    )


STREAMS = (
    _paced("SSE, usage spliced and stripped"),
    _paced("SSE, client asked for usage", ask_usage=True),
    _paced("SSE, transparent", mode="transparent"),
    Scenario(name="SSE, spliced, no pause between events", connections=16, events=100, per="event"),
)
# Far from saturation on one core, so that latency is the proxy's and not a queue's.
LATENCY = (
    Scenario(name="JSON, 300 calls/s", connections=64, rate=300),
    Scenario(name="SSE, 20 streams/s of 40 events, 10 ms", connections=64, rate=20, events=40, interval_us=10_000),
)


def chosen(table: Sequence[Scenario], texts: Sequence[str] | None) -> tuple[Scenario, ...]:
    """Those with one of the texts in their names; None: all. Raises SystemExit if there is none."""
    found = tuple(scenario for scenario in table if any(text in scenario.name for text in texts or [""]))
    if not found:
        raise SystemExit(f"no scenario has {' or '.join(map(repr, texts or []))} in its name")
    return found


class Spreads(msgspec.Struct, frozen=True):
    """The latencies of one load, or of several put together."""

    ttft: Spread | None
    total: Spread | None
    travel: Spread | None
    gap: Spread | None


class Measurement(msgspec.Struct, frozen=True):
    """One scenario on one target, once. CPU is None for a target without a process of its own."""

    target: str
    calls: int
    errors: int
    events: int
    usages: int
    cpu_ns: int | None
    user_ticks: int
    system_ticks: int
    spreads: Spreads

    def cpu_us(self, per: Literal["call", "event"]) -> float:
        """CPU microseconds of one call, or of one SSE event with its share of the call around it."""
        assert self.cpu_ns is not None
        return self.cpu_ns / 1000 / max(1, self.calls if per == "call" else self.events)


def spreads(samples: Samples) -> Spreads:
    return Spreads(samples.ttft.spread(), samples.total.spread(), samples.travel.spread(), samples.gap.spread())


async def measure(target: Target, scenario: Scenario, duration_s: float, seed: int) -> tuple[Measurement, Samples]:
    """Connect, warm up, then count the CPU of the load alone. The seed fixes the arrivals of an open loop."""
    requests = scenario.requests(target)
    async with Fleet(HOST, target.port, connections=scenario.connections) as fleet:
        await fleet.closed_loop(scenario.warm_up(target), duration_s=_WARM_UP_S)
        await asyncio.sleep(_SETTLE_S)
        start = cpu_time(target.pid) if target.pid else None
        samples = await _drive(fleet, scenario, requests, duration_s, seed)
        await asyncio.sleep(_SETTLE_S)
        cpu = cpu_time(target.pid).since(start) if target.pid and start else None
    return _measurement(target.name, scenario, samples, cpu), samples


async def _drive(fleet: Fleet, scenario: Scenario, requests: list[bytes], duration_s: float, seed: int) -> Samples:
    if scenario.rate is None:
        return await fleet.closed_loop(requests, duration_s=duration_s)
    return await fleet.open_loop(requests, rate=scenario.rate, duration_s=duration_s, seed=seed)


def _measurement(target: str, scenario: Scenario, samples: Samples, cpu: CpuTime | None) -> Measurement:
    return Measurement(
        target=target,
        calls=samples.calls,
        errors=scenario.misses(samples),
        events=samples.events,
        usages=samples.usages,
        cpu_ns=cpu.total_ns if cpu else None,
        user_ticks=cpu.user_ticks if cpu else 0,
        system_ticks=cpu.system_ticks if cpu else 0,
        spreads=spreads(samples),
    )
