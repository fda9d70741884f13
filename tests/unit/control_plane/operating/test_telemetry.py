import pytest
from prometheus_client.parser import text_string_to_metric_families

from control_plane.operating.telemetry import OTHER, Telemetry, watched


def shown(telemetry: Telemetry, readings=None) -> dict[tuple[str, ...], float]:
    """Samples of this table by name and labels."""
    families = text_string_to_metric_families(telemetry.page(readings or {}).decode())
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("lensai_")]
    return {(one.name.removeprefix("lensai_control_plane_"), *one.labels.values()): one.value for one in samples}


def test_requests_are_counted_by_route_and_class_and_their_seconds_add_up():
    telemetry = Telemetry(lambda: 0)
    for status, took_ms in [(200, 5), (204, 6), (503, 40_000)]:
        telemetry.answered("/v1/keys", status, took_ms)
    found = shown(telemetry)
    assert found["requests_total", "/v1/keys", "2xx"] == 2
    assert found["requests_total", "/v1/keys", "5xx"] == 1
    assert found["request_seconds_sum", "/v1/keys"] == 40.011
    assert found["request_seconds_count", "/v1/keys"] == 3
    buckets = [found["request_seconds_bucket", bound, "/v1/keys"] for bound in ("0.005", "0.01", "30.0", "+Inf")]
    assert buckets == [1, 2, 2, 3]


def test_jobs_say_when_they_last_went_well():
    now_ms = [1_000]
    telemetry = Telemetry(lambda: now_ms[0])
    telemetry.ran("curate_lake", 2_500, well=True)
    now_ms[0] = 9_000
    telemetry.ran("curate_lake", 500, well=False)
    found = shown(telemetry)
    assert (found["job_runs_total", "curate_lake"], found["job_failures_total", "curate_lake"]) == (2, 1)
    assert (found["job_seconds_total", "curate_lake"], found["job_success_timestamp_seconds", "curate_lake"]) == (3, 1)


def test_what_is_not_known_is_not_shown():
    telemetry = Telemetry(lambda: 0)
    assert ("policy_version",) not in shown(telemetry)
    assert shown(telemetry, {"policy_version": {(): 7}})["policy_version",] == 7


@pytest.mark.parametrize(("routed", "label"), [("/v1/keys/{key_id}", "/v1/keys/{key_id}"), (None, OTHER)])
async def test_an_address_somebody_made_up_is_no_label(routed, label):
    telemetry, times = Telemetry(lambda: 0), iter([10, 22])

    async def app(scope, _receive, send):
        if routed:
            scope["path_template"] = routed
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sent = []

    async def send(message):
        sent.append(message["type"])

    await watched(app, lambda: telemetry, lambda: next(times))({"type": "http", "path": "/canary"}, None, send)
    found = shown(telemetry)
    assert (found["requests_total", label, "4xx"], found["request_seconds_sum", label]) == (1, 0.012)
    assert sent == ["http.response.start", "http.response.body"]
    assert b"canary" not in telemetry.page({})
