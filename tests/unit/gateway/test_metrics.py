import re
from pathlib import Path

from gateway.metrics import DURATION_BOUNDS_US, METRICS, TTFT_BOUNDS_US, metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "metrics.md"


def test_the_reference_page_is_the_table() -> None:
    assert PAGE.read_text() == metrics_page(), "run `python -m gateway.metrics > docs/reference/metrics.md`"


def test_names_follow_prometheus() -> None:
    for metric in METRICS.values():
        assert re.fullmatch(r"lensai_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.help.endswith(".")


def test_bounds_ascend() -> None:
    assert list(DURATION_BOUNDS_US) == sorted(set(DURATION_BOUNDS_US))
    assert list(TTFT_BOUNDS_US) == sorted(set(TTFT_BOUNDS_US))
