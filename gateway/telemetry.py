"""Owns what /metrics shows: sums over records, kept as plain integers and turned into Prometheus at scrape time.

`observe` runs once per call on the request path and allocates one tuple; everything dear happens in
`collect`, which a scrape calls from another thread. Knows records, and nothing of who produces them.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway.contract.record import Record
from gateway.metric_families import family, histogram
from gateway.metrics import DURATION_BOUNDS_US, METRICS, TTFT_BOUNDS_US
from pricing.money import NANOUSD_PER_USD

# The catalog of the largest provider has some 300 models; beyond this many, names are noise.
MODELS_MAX = 1_000
# A cell is about 1 KB and five lines of a scrape: 10 MB and a scrape of a second at the very most.
CELLS_MAX = 10_000
OTHER = "other"

# None: not known now, and not shown. Of a metric with labels, values by those.
Probe = Callable[[], float | Mapping[tuple[str, ...], float] | None]
_CellId = tuple[str, str, str, str, str, int, str]
_Samples = Counter[tuple[str, ...]]


class _Cell:
    """Sums over the records of one combination of labels."""

    __slots__ = ("calls", "cost_nanousd", "latencies", "latency_us", "tokens_in", "tokens_out", "ttft_us", "ttfts")

    def __init__(self) -> None:
        self.calls = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.cost_nanousd = 0
        self.latency_us = 0
        self.ttft_us = 0
        self.latencies = [0] * (len(DURATION_BOUNDS_US) + 1)
        self.ttfts = [0] * (len(TTFT_BOUNDS_US) + 1)


class Telemetry(Collector):
    """Counts records; a Prometheus collector of what it counted and of what `probes` tell.

    `probes` are keyed by the names of probed metrics; a missing one is not shown. Raises ValueError for
    any other name. A scrape may see a record half counted, never a histogram that contradicts itself.
    """

    def __init__(self, probes: Mapping[str, Probe] | None = None) -> None:
        self._probes = dict(probes or {})
        strangers = [name for name in self._probes if name not in METRICS or not METRICS[name].probed]
        if strangers:
            raise ValueError(f"not probed metrics: {', '.join(strangers)}")
        self._cells: dict[_CellId, _Cell] = {}
        self._models = {"", OTHER}
        self._upstream_errors: _Samples = Counter()
        self._refusals: _Samples = Counter()
        self._unpriced: _Samples = Counter()
        # Key -> when it was last used, seconds since the epoch; for whoever reports it.
        self.keys_used: dict[str, int] | None = None

    def observe(self, record: Record) -> None:
        """Counts one ended call."""
        if self.keys_used is not None and record.key_id:
            self.keys_used[record.key_id] = record.ts_ns // 1_000_000_000
        cell_id = (
            record.project_id, record.provider, record.model, record.endpoint,
            record.outcome, record.status, record.provenance,
        )  # fmt: skip
        cell = self._cells.get(cell_id) or self._admit(cell_id)
        cell.calls += 1
        cell.tokens_in += record.tokens_in or 0
        cell.tokens_out += record.tokens_out or 0
        cell.cost_nanousd += record.cost_nanousd or 0
        latency_us = record.latency_us
        if latency_us is not None:
            cell.latency_us += latency_us
            cell.latencies[bisect_left(DURATION_BOUNDS_US, latency_us)] += 1
        ttft_us = record.ttft_us
        if ttft_us is not None and record.stream:
            cell.ttft_us += ttft_us
            cell.ttfts[bisect_left(TTFT_BOUNDS_US, ttft_us)] += 1
        if record.outcome != "ok" or record.status != 200:
            self._observe_failure(record)
        elif record.model_requested not in self._models:
            # Failures are known by this name alone.
            self._learn(record.model_requested)
        if record.price_match == "unpriced":
            self._unpriced[record.provider, self._label(record.model)] += 1

    def collect(self) -> Iterator[Family]:
        """Every metric that has a value now. Safe while another thread observes."""
        cells = self._cells.copy()
        yield from _count_cells(cells)
        yield from _time_cells(cells)
        yield family(METRICS["lensai_upstream_errors_total"], self._upstream_errors.copy())
        yield family(METRICS["lensai_refusals_total"], self._refusals.copy())
        yield family(METRICS["lensai_unpriced_total"], self._unpriced.copy())
        for name, probe in self._probes.items():
            value = probe()
            if value is not None:
                yield family(METRICS[name], value if isinstance(value, Mapping) else {(): value})

    def registry(self) -> CollectorRegistry:
        """A new registry of this and of the process's own metrics."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return registry

    def _admit(self, cell_id: _CellId) -> _Cell:
        """The cell of labels not seen as they are: under the model they may have, and `other` when there is no room.

        A folded cell is created whatever the limit: what is left in its id is chosen by tables and
        providers, never by callers, so there are few.
        """
        project, provider, model, endpoint, outcome, status, provenance = cell_id
        if outcome == "ok" and status < 400:
            self._learn(model)
        model = self._label(model)
        folded = (project, provider, model, endpoint, outcome, status, provenance)
        if folded not in self._cells and len(self._cells) >= CELLS_MAX:
            folded = (OTHER, provider, OTHER, endpoint, outcome, status, provenance)
        return self._cells.setdefault(folded, _Cell())

    def _learn(self, model: str) -> None:
        """Callers may name anything: a name becomes a label once a call with it was answered."""
        if len(self._models) < MODELS_MAX:
            self._models.add(model)

    def _label(self, model: str) -> str:
        return model if model in self._models else OTHER

    def _observe_failure(self, record: Record) -> None:
        if record.outcome == "upstream_error" or record.upstream_status >= 400:
            self._upstream_errors[record.upstream, str(record.upstream_status)] += 1
        elif record.outcome == "refused":
            self._refusals[record.project_id, record.refusal_code] += 1


def _count_cells(cells: Mapping[_CellId, _Cell]) -> Iterator[Family]:
    requests, tokens, cost_nanousd, provenances = _Samples(), _Samples(), _Samples(), _Samples()
    for (project, provider, model, endpoint, outcome, status, provenance), cell in cells.items():
        requests[project, provider, model, endpoint, outcome, str(status)] += cell.calls
        provenances[provider, model, provenance] += cell.calls
        if cell.tokens_in or cell.tokens_out:
            tokens[project, provider, model, "input"] += cell.tokens_in
            tokens[project, provider, model, "output"] += cell.tokens_out
        if cell.cost_nanousd:
            cost_nanousd[project, provider, model] += cell.cost_nanousd
    yield family(METRICS["lensai_requests_total"], requests)
    yield family(METRICS["lensai_tokens_total"], tokens)
    cost_usd = {labels: nanousd / NANOUSD_PER_USD for labels, nanousd in cost_nanousd.items()}
    yield family(METRICS["lensai_cost_usd_total"], cost_usd)
    yield family(METRICS["lensai_provenance_total"], provenances)


def _time_cells(cells: Mapping[_CellId, _Cell]) -> Iterator[Family]:
    durations: dict[tuple[str, ...], list[int]] = {}
    ttfts: dict[tuple[str, ...], list[int]] = {}
    for (_, provider, model, endpoint, *_), cell in cells.items():
        _merge(durations, (provider, model, endpoint), [*cell.latencies, cell.latency_us])
        _merge(ttfts, (provider, model, endpoint), [*cell.ttfts, cell.ttft_us])
    for name, sums, bounds_us in (
        ("lensai_request_duration_seconds", durations, DURATION_BOUNDS_US),
        ("lensai_ttft_seconds", ttfts, TTFT_BOUNDS_US),
    ):
        yield histogram(METRICS[name], sums, bounds_us, per_second=1_000_000)


def _merge(sums: dict[tuple[str, ...], list[int]], labels: tuple[str, ...], counts: list[int]) -> None:
    before = sums.get(labels)
    if any(counts):
        sums[labels] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
