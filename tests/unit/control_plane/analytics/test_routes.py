from pathlib import Path

import pytest

from control_plane.auth.roles import ROLES
from tests.support.control_plane import START_MS
from tests.support.lake_calls import land, varied

NOW_S = START_MS // 1000
PATHS = ("summary", "cost-by-model", "cost-by-user", "cost-by-tag", "timeseries", "latency-pctl")


@pytest.mark.parametrize("role", ROLES)
async def test_every_role_may_look(plane, role):
    headers = await plane.token(await plane.organization(), role)
    for path in PATHS:
        assert (await plane.client.get(f"/v1/metrics/{path}", headers=headers)).status_code == 200


async def test_an_empty_lake_answers_with_nothing_and_not_with_an_error(either_plane):
    headers = await either_plane.token(await either_plane.organization())
    answers = {path: (await either_plane.client.get(f"/v1/metrics/{path}", headers=headers)).json() for path in PATHS}
    assert answers["summary"]["total"]["calls"] == 0
    assert answers["summary"]["total"]["cost_usd"] == "0.00"
    assert answers["summary"]["cost_per_call_usd"] is None
    assert answers["cost-by-model"]["rows"] == []
    assert len(answers["timeseries"]["series"][0]["points"]) == 8
    assert answers["latency-pctl"]["total"] == {"value": "", "calls": 0, "percentiles": []}


async def test_two_organizations_see_their_own_calls_alone_in_the_same_files(plane):
    first, second = await plane.organization("A"), await plane.organization("B")
    records = [*varied(first, 30, NOW_S), *varied(second, 20, NOW_S)]
    land(Path(plane.parts.settings.lake), records)
    for org_id, count in ((first, 30), (second, 20)):
        headers = await plane.token(org_id)
        for path in PATHS[:4]:
            answer = (await plane.client.get(f"/v1/metrics/{path}", headers=headers)).json()
            assert answer["total"]["calls"] == count
        # A filter narrows what is one's own, and never reaches further.
        for name, value in (("project_id", "prj_a"), ("key_id", "key_1"), ("user_id", "ada' OR '1'='1")):
            answer = await plane.client.get("/v1/metrics/summary", params={name: value}, headers=headers)
            assert answer.json()["total"]["calls"] < count


@pytest.mark.parametrize(
    "query",
    ["p=0", "p=101", "p=x", "p=nan", "measure=cost", "by=user", "bucket=7m", "limit=0", "limit=1001"],
)
async def test_a_parameter_that_is_none_is_refused(plane, query):
    headers = await plane.token(await plane.organization())
    assert (await plane.client.get(f"/v1/metrics/latency-pctl?{query}", headers=headers)).status_code == 400
