from control_plane.operating.metrics import METRICS, metrics_page
from gateway.metrics import METRICS as OF_GATEWAYS


def test_names_are_the_control_planes_own():
    assert not METRICS.keys() & OF_GATEWAYS.keys()
    assert all(name.startswith("lensai_control_plane_") for name in METRICS)
    assert all(name.endswith("_total") == (metric.kind == "counter") for name, metric in METRICS.items())


def test_every_metric_is_on_the_page():
    assert all(f"| `{name}` |" in metrics_page() for name in METRICS)
