import pytest

from control_plane.analytics.asked import VALUES_MAX


@pytest.fixture
async def headers(plane):
    return await plane.token(await plane.organization(), "viewer")


async def test_an_answer_says_what_it_is_about(plane, headers):
    parameters = {"from": "2026-09-01", "to": "2026-09-02", "tz": "Europe/Berlin", "project_id": "prj_a"}
    answer = await plane.client.get("/v1/metrics/summary", params=parameters, headers=headers)
    about = answer.json()["about"]
    assert about["from"] == "2026-09-01T00:00:00+02:00"
    assert about["to_ms"] - about["from_ms"] == 86_400_000
    assert (about["tz"], about["project_id"], about["as_of_ms"]) == ("Europe/Berlin", "prj_a", plane.clock())


@pytest.mark.parametrize(
    ("name", "value"),
    [("tz", "Mars/Base"), ("range", "1y"), ("from", "soon"), ("to", "2026-09-01"), ("model", "x" * 257)],
)
async def test_what_is_wrong_is_named_with_what_to_write(plane, headers, name, value):
    answer = await plane.client.get("/v1/metrics/summary", params={name: value}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith("query/")


async def test_a_filter_takes_so_many_values_and_no_more(plane, headers):
    for count, status in ((VALUES_MAX, 200), (VALUES_MAX + 1, 400)):
        parameters = {"model": [f"model-{number}" for number in range(count)]}
        answer = await plane.client.get("/v1/metrics/summary", params=parameters, headers=headers)
        assert answer.status_code == status, answer.text
