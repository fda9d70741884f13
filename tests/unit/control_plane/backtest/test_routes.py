from pathlib import Path

import pytest

from tests.support.control_plane import START_MS
from tests.support.written_calls import call, land, used

NOW_S = START_MS // 1000
BACKTEST = "/v1/backtest"


async def test_a_limit_is_held_against_the_past(either_plane):
    plane = either_plane
    org_id = await plane.organization()
    viewer = await plane.token(org_id, "viewer")
    records = [
        call(f"{n}", NOW_S - 60 + n, org_id=org_id, user_id=f"u{n}", key_id="k", cost_nanousd=cost)
        for n, cost in enumerate((6 * 10**8, 5 * 10**8, 3 * 10**8))
    ]
    land(Path(plane.parts.settings.lake), [*records, call("theirs", NOW_S - 50, org_id="org_b", cost_nanousd=10**12)])
    answer = await plane.client.post(BACKTEST, json={"unit": "usd", "limit": "1.00"}, headers=viewer)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["calls"], found["spent"], found["refused_calls"], found["refused_usd"]) == (3, "1.40", 1, "0.50")
    assert found["first_refused_at_ms"] == (NOW_S - 59) * 1000
    assert [one["name"] for one in found["by_user"]] == ["u1"]
    preview = await plane.client.post(BACKTEST, json={"unit": "usd", "limit": None, "window": "day"}, headers=viewer)
    assert [window["spent"] for window in preview.json()["windows"]] == ["1.40"]


async def test_a_key_that_was_rotated_is_one_with_those_before_it(either_plane):
    plane = either_plane
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    project = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)).json()["id"]
    made = await plane.client.post("/v1/keys", json={"name": "k", "project_id": project}, headers=headers)
    keys = [made.json()["id"]]
    for _ in range(2):
        rotated = await plane.client.post(f"/v1/keys/{keys[-1]}/rotate", json={}, headers=headers)
        keys.append(rotated.json()["id"])
    records = [
        call(f"{n}", NOW_S - 60 + n, org_id=org_id, key_id=key, cost_nanousd=6 * 10**8) for n, key in enumerate(keys)
    ]
    land(Path(plane.parts.settings.lake), records)
    for key, calls in ((keys[0], 3), (keys[1], 2), ("*", 3)):
        asked = {"unit": "usd", "limit": "1.00", "scope": {"key": key}}
        found = (await plane.client.post(BACKTEST, json=asked, headers=headers)).json()
        assert (found["calls"], found["refused_calls"]) == (calls, calls - 1)


async def test_other_prices_lie_over_the_organizations(plane):
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    land(
        Path(plane.parts.settings.lake),
        [call("a", NOW_S - 9, org_id=org_id, cost_nanousd=1, **used(input_text=10**6, output_text=10**6))],
    )
    own = {"upstream": "*", "model": "gpt-4o", "rates": {"output_text": "7"}}
    assert (await plane.client.post("/v1/price-overrides", json=own, headers=headers)).status_code == 201
    asked = {"unit": "usd", "limit": None, "prices": [{"upstream": "*", "model": "gpt-4o", "multiplier": "2"}]}
    found = (await plane.client.post(BACKTEST, json=asked, headers=headers)).json()
    assert found["windows"][0]["spent_usd"] == "25.00"
    assert any("computed anew" in one for one in found["assumptions"])


@pytest.mark.parametrize("role", ["owner", "billing", "developer"])
async def test_whoever_sees_budgets_may_ask(plane, role):
    headers = await plane.token(await plane.organization(), role)
    answer = await plane.client.post(BACKTEST, json={"unit": "requests", "limit": 5}, headers=headers)
    assert (answer.status_code, answer.json()["calls"]) == (200, 0)


async def test_anothers_project_is_not_there(plane):
    mine, theirs = await plane.token(await plane.organization("A")), await plane.token(await plane.organization("B"))
    project = (await plane.client.post("/v1/projects", json={"name": "P"}, headers=theirs)).json()["id"]
    asked = {"unit": "usd", "limit": 1, "project_id": project}
    assert (await plane.client.post(BACKTEST, json=asked, headers=mine)).status_code == 400
    assert (await plane.client.post(BACKTEST, json=asked, headers=theirs)).status_code == 200
    wrong = await plane.client.post(BACKTEST, json={"unit": "usd", "limit": 1, "time_zone": "Mars"}, headers=mine)
    assert wrong.json()["errors"][0]["pointer"] == "body/time_zone"
