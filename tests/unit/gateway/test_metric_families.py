from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gateway.metric_families import family, histogram
from gateway.metrics import Metric


class _Shown(Collector):
    def __init__(self, shown: Family) -> None:
        self._shown = shown

    def collect(self) -> list[Family]:
        return [self._shown]


def page(shown: Family) -> list[str]:
    """The samples, as a scrape reads them."""
    registry = CollectorRegistry()
    registry.register(_Shown(shown))
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_a_counter_keeps_the_name_of_its_row_and_is_in_order():
    row = Metric("calls_total", "counter", ("model", "status"), "Calls.")
    assert page(family(row, {("b", "200"): 2, ("a", "500"): 0.5})) == [
        'calls_total{model="a",status="500"} 0.5',
        'calls_total{model="b",status="200"} 2.0',
    ]


def test_a_gauge_may_have_no_label():
    assert page(family(Metric("open", "gauge", (), "Open."), {(): 3})) == ["open 3.0"]


def test_the_buckets_of_a_histogram_add_up_to_its_count():
    row = Metric("took_seconds", "histogram", ("route",), "Took.")
    assert page(histogram(row, {("/",): [2, 0, 1, 1700]}, (5, 1000), per_second=1000)) == [
        'took_seconds_bucket{le="0.005",route="/"} 2.0',
        'took_seconds_bucket{le="1.0",route="/"} 2.0',
        'took_seconds_bucket{le="+Inf",route="/"} 3.0',
        'took_seconds_count{route="/"} 3.0',
        'took_seconds_sum{route="/"} 1.7',
    ]
