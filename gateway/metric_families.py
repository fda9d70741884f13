"""Owns how sums become what Prometheus scrapes, by the row of a table of metrics. Counts nothing."""

from collections.abc import Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from gateway.metrics import Metric


def family(metric: Metric, samples: Mapping[tuple[str, ...], float]) -> Family:
    """Of a counter or a gauge: its values by the values of its labels."""
    make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    made = make(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for labels, value in sorted(samples.items()):
        made.add_metric(labels, value)
    return made


def histogram(
    metric: Metric, sums: Mapping[tuple[str, ...], Sequence[int]], bounds: Sequence[int], *, per_second: int
) -> Family:
    """Of durations in units of which so many are a second. `sums` hold the count of each bucket, one beyond the last
    bound, and then the sum of all.
    """
    made = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    shown = [*(str(bound / per_second) for bound in bounds), "+Inf"]
    for labels, (*counts, total) in sorted(sums.items()):
        below, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip(shown, counts, strict=True):
            below += count
            buckets.append((bound, below))
        made.add_metric(labels, buckets, total / per_second)
    return made
