from functools import partial
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from gateway import telemetry
from gateway.contract.record import Record
from gateway.metrics import METRICS, Metric
from gateway.telemetry import Telemetry

CHAT = {"provider": "openai", "model": "gpt-4o-mini", "endpoint": "chat.completions"}
PROJECT_MODEL = {"project": "shop", "provider": "openai", "model": "gpt-4o-mini"}


def ended(**changes: Any) -> Record:
    """An answered, priced, streamed call, but for `changes`."""
    fields: dict[str, Any] = {
        "request_id": "r1",
        "ts_ns": 0,
        "project_id": "shop",
        "upstream": "openai",
        **CHAT,
        "stream": True,
        "outcome": "ok",
        "status": 200,
        "provenance": "reported",
        "tokens_in": 100,
        "tokens_out": 20,
        "cost_nanousd": 27_000,
        "price_match": "exact",
        "latency_us": 1_200_000,
        "ttft_us": 320_000,
    }
    return Record(**(fields | changes))


def observed(*records: Record) -> Telemetry:
    counted = Telemetry()
    for record in records:
        counted.observe(record)
    return counted


def value(counted: Telemetry, name: str, **labels: str) -> float | None:
    return counted.registry().get_sample_value(name, labels)


def label_values(counted: Telemetry, name: str, label: str) -> set[str]:
    return {sample.labels[label] for family in counted.collect() for sample in family.samples if sample.name == name}


def test_a_call_is_counted_once_everywhere() -> None:
    counted = observed(ended(), ended())

    assert value(counted, "lensai_requests_total", project="shop", **CHAT, outcome="ok", status="200") == 2
    assert value(counted, "lensai_tokens_total", **PROJECT_MODEL, direction="input") == 200
    assert value(counted, "lensai_tokens_total", **PROJECT_MODEL, direction="output") == 40
    assert value(counted, "lensai_cost_usd_total", **PROJECT_MODEL) == 0.000054
    assert value(counted, "lensai_provenance_total", provider="openai", model="gpt-4o-mini", provenance="reported") == 2


def test_cost_is_exact_however_many_calls() -> None:
    counted = Telemetry()
    for _ in range(10_000):
        counted.observe(ended(cost_nanousd=1))

    assert value(counted, "lensai_cost_usd_total", **PROJECT_MODEL) == 0.00001


def test_a_bucket_holds_its_own_bound() -> None:
    counted = observed(ended(latency_us=1_000_000, ttft_us=300_000), ended(latency_us=1_000_001, ttft_us=300_001))

    assert value(counted, "lensai_request_duration_seconds_bucket", **CHAT, le="1.0") == 1
    assert value(counted, "lensai_request_duration_seconds_bucket", **CHAT, le="2.5") == 2
    assert value(counted, "lensai_ttft_seconds_bucket", **CHAT, le="0.3") == 1
    assert value(counted, "lensai_ttft_seconds_bucket", **CHAT, le="0.5") == 2


def test_a_call_longer_than_every_bound_is_in_the_last_bucket() -> None:
    counted = observed(ended(latency_us=3_600_000_000))

    assert value(counted, "lensai_request_duration_seconds_bucket", **CHAT, le="300.0") == 0
    assert value(counted, "lensai_request_duration_seconds_bucket", **CHAT, le="+Inf") == 1
    assert value(counted, "lensai_request_duration_seconds_sum", **CHAT) == 3600


def test_whole_answers_have_no_time_to_first_token() -> None:
    counted = observed(ended(stream=False))

    assert value(counted, "lensai_request_duration_seconds_count", **CHAT) == 1
    assert value(counted, "lensai_ttft_seconds_count", **CHAT) is None


def test_unknown_is_not_zero() -> None:
    counted = observed(ended(tokens_in=None, tokens_out=None, cost_nanousd=None, latency_us=None, provenance="unknown"))

    assert value(counted, "lensai_tokens_total", **PROJECT_MODEL, direction="input") is None
    assert value(counted, "lensai_cost_usd_total", **PROJECT_MODEL) is None
    assert value(counted, "lensai_request_duration_seconds_count", **CHAT) is None
    assert value(counted, "lensai_provenance_total", provider="openai", model="gpt-4o-mini", provenance="unknown") == 1


def test_an_unpriced_call_is_counted_and_costs_nothing_known() -> None:
    counted = observed(ended(price_match="unpriced", cost_nanousd=None))

    assert value(counted, "lensai_unpriced_total", provider="openai", model="gpt-4o-mini") == 1
    assert value(counted, "lensai_cost_usd_total", **PROJECT_MODEL) is None


def test_a_failed_upstream_is_counted_by_its_name_and_answer() -> None:
    counted = observed(
        ended(outcome="upstream_error", status=429, upstream="azure-eu", upstream_status=429),
        ended(outcome="upstream_error", status=502, upstream="azure-eu", upstream_status=0),
    )

    assert value(counted, "lensai_upstream_errors_total", upstream="azure-eu", upstream_status="429") == 1
    assert value(counted, "lensai_upstream_errors_total", upstream="azure-eu", upstream_status="0") == 1


def test_an_error_that_was_passed_on_is_one_of_the_upstream() -> None:
    counted = observed(ended(model="no-such-model", status=404, upstream_status=404))

    assert value(counted, "lensai_upstream_errors_total", upstream="openai", upstream_status="404") == 1
    assert label_values(counted, "lensai_requests_total", "model") == {"other"}


def test_a_refusal_is_counted_by_its_code() -> None:
    counted = observed(ended(outcome="refused", status=401, project_id="", refusal_code="key_unknown"))

    assert value(counted, "lensai_refusals_total", project="", code="key_unknown") == 1


def test_a_model_that_never_answered_is_other() -> None:
    counted = observed(*(ended(model=f"junk-{n}", outcome="upstream_error", status=404) for n in range(50)))

    assert label_values(counted, "lensai_requests_total", "model") == {"other"}


def test_a_model_that_answered_once_keeps_its_name_when_it_fails() -> None:
    counted = observed(ended(), ended(outcome="upstream_error", status=500))

    assert value(counted, "lensai_requests_total", project="shop", **CHAT, outcome="upstream_error", status="500") == 1


def test_a_failure_is_counted_under_the_name_that_was_asked_for() -> None:
    counted = observed(
        ended(model="gpt-4o-2024-08-06", model_requested="gpt-4o"),
        ended(model="gpt-4o", model_requested="gpt-4o", outcome="upstream_error", status=502),
    )

    assert label_values(counted, "lensai_requests_total", "model") == {"gpt-4o-2024-08-06", "gpt-4o"}


def test_series_are_bounded_and_no_call_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "CELLS_MAX", 10)
    counted = observed(*(ended(project_id=f"p{n}") for n in range(100)))

    projects = label_values(counted, "lensai_requests_total", "project")
    other = value(
        counted, "lensai_requests_total", project="other", **CHAT | {"model": "other"}, outcome="ok", status="200"
    )

    assert len(projects) == 11
    assert other == 90


def test_model_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "MODELS_MAX", 5)
    counted = observed(*(ended(model=f"m{n}") for n in range(100)))

    assert label_values(counted, "lensai_requests_total", "model") == {"m0", "m1", "m2", "other"}


def test_probes_are_read_at_the_scrape_and_left_out_while_unknown() -> None:
    inflight = [3]
    counted = Telemetry(
        {
            "lensai_inflight_requests": lambda: inflight[0],
            "lensai_journal_frames_total": lambda: 7,
            "lensai_policy_age_seconds": lambda: None,
        }
    )
    inflight[0] = 4

    assert value(counted, "lensai_inflight_requests") == 4
    assert value(counted, "lensai_journal_frames_total") == 7
    assert value(counted, "lensai_policy_age_seconds") is None
    assert value(counted, "lensai_connections") is None


def _one(metric: Metric) -> float | dict[tuple[str, ...], float]:
    return {metric.labels: 1} if metric.labels else 1


def test_a_probe_of_a_metric_with_labels_tells_each() -> None:
    held = {("web", "usd"): 0.5, ("at-once", "concurrent"): 3.0}
    shown = generate_latest(Telemetry({"lensai_quota_held": lambda: held}).registry()).decode()
    assert 'lensai_quota_held{quota="web",unit="usd"} 0.5' in shown
    assert 'lensai_quota_held{quota="at-once",unit="concurrent"} 3.0' in shown
    denials = {("web", "budget_exceeded"): 2.0}
    shown = generate_latest(Telemetry({"lensai_quota_denials_total": lambda: denials}).registry()).decode()
    assert 'lensai_quota_denials_total{code="budget_exceeded",quota="web"} 2.0' in shown


def test_only_probed_metrics_take_a_probe() -> None:
    with pytest.raises(ValueError, match="lensai_requests_total"):
        Telemetry({"lensai_requests_total": lambda: 1})


def test_what_is_shown_is_what_is_documented() -> None:
    counted = Telemetry({name: partial(_one, metric) for name, metric in METRICS.items() if metric.probed})
    counted.observe(ended(price_match="unpriced"))
    counted.observe(ended(outcome="refused"))
    counted.observe(ended(outcome="upstream_error"))

    shown = {family.name + ("_total" if family.type == "counter" else ""): family for family in counted.collect()}
    assert shown.keys() == METRICS.keys()
    for name, family in shown.items():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(METRICS[name].labels), name


def test_the_exposition_carries_the_process_too() -> None:
    text = generate_latest(observed(ended()).registry()).decode()

    assert 'lensai_requests_total{endpoint="chat.completions"' in text
    assert "process_resident_memory_bytes" in text


def test_when_a_key_was_last_used_is_noted_for_whoever_asks() -> None:
    counted = observed(ended(key_id="alice"))
    assert counted.keys_used is None
    counted.keys_used = {}
    for second in (1, 2):
        counted.observe(ended(key_id="alice", ts_ns=second * 1_000_000_000 + 5))
    counted.observe(ended(key_id="", ts_ns=9))

    assert counted.keys_used == {"alice": 2}
