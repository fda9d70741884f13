"""Owns what a process counts of itself: requests by route, jobs by name; and how that is shown to Prometheus.

Labels are names of ours, never what somebody sent.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from litestar.types import ASGIApp, Receive, Scope, Send
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from control_plane.operating.metrics import METRICS, SECONDS_BOUNDS_MS
from gateway.metric_families import family, histogram

OTHER = "other"
_OWN = "lensai_control_plane_"
# By the name of a metric, less its beginning: by labels. What is not known has no entry.
Readings = Mapping[str, Mapping[tuple[str, ...], float]]


class Telemetry:
    """Counts. Belongs to the event loop of its process."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._requests: Counter[tuple[str, ...]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._request_ms: Counter[str] = Counter()
        self._runs: Counter[tuple[str, ...]] = Counter()
        self._failures: Counter[tuple[str, ...]] = Counter()
        self._job_ms: Counter[tuple[str, ...]] = Counter()
        self._succeeded_ms: dict[tuple[str, ...], int] = {}

    def answered(self, route: str, status: int, took_ms: int) -> None:
        """An answer began."""
        self._requests[route, f"{status // 100}xx"] += 1
        buckets = self._buckets.setdefault(route, [0] * (len(SECONDS_BOUNDS_MS) + 1))
        buckets[bisect_left(SECONDS_BOUNDS_MS, took_ms)] += 1
        self._request_ms[route] += took_ms

    def ran(self, job: str, took_ms: int, *, well: bool) -> None:
        """A run of a job ended."""
        self._runs[job,] += 1
        self._failures[job,] += not well
        self._job_ms[job,] += took_ms
        if well:
            self._succeeded_ms[job,] = self._now_ms()

    def page(self, readings: Readings) -> bytes:
        """In Prometheus' text format, with what was read from elsewhere."""
        registry = CollectorRegistry()
        registry.register(_Collected([*self._families(), *(_family(*one) for one in readings.items())]))
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def _families(self) -> Iterator[Family]:
        yield _family("requests_total", self._requests)
        yield self._seconds()
        yield _family("job_runs_total", self._runs)
        yield _family("job_failures_total", self._failures)
        yield _family("job_seconds_total", {job: ms / 1000 for job, ms in self._job_ms.items()})
        succeeded = {job: ms / 1000 for job, ms in self._succeeded_ms.items()}
        yield _family("job_success_timestamp_seconds", succeeded)

    def _seconds(self) -> Family:
        sums = {(route,): [*counts, self._request_ms[route]] for route, counts in self._buckets.items()}
        return histogram(METRICS[f"{_OWN}request_seconds"], sums, SECONDS_BOUNDS_MS, per_second=1000)


class _Collected(Collector):
    """What is shown once."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        yield from self._families


def _family(name: str, samples: Mapping[tuple[str, ...], float]) -> Family:
    return family(METRICS[f"{_OWN}{name}"], samples)


def watched(app: ASGIApp, telemetry: Callable[[], Telemetry], now_ms: Callable[[], int]) -> ASGIApp:
    """The application, and what of it is counted. `now_ms` may begin anywhere, and only grows."""

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        began_ms, seen = now_ms(), telemetry()

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                route: str = cast(dict[str, Any], scope).get("path_template") or OTHER
                seen.answered(route, message["status"], now_ms() - began_ms)
            await send(message)

        await app(scope, receive, told)

    return watching
