import pytest

from tests.support.control_plane import ControlPlane

NOWHERE = {"events_days": None, "rollups_days": None}


async def test_an_organization_keeps_less_than_its_plan(either_plane: ControlPlane) -> None:
    plane = either_plane
    headers = await plane.token(await plane.organization())
    first = await plane.client.get("/v1/retention", headers=headers)
    assert first.json() == {
        "plan": "default", "of_plan": NOWHERE, "own": NOWHERE, "effective": NOWHERE, "one_of": 1, "held": False,
    }  # fmt: skip
    assert first.headers["etag"] == '"0"'
    body = {"events_days": 30, "rollups_days": 400}
    changed = await plane.client.patch("/v1/retention", json=body, headers={**headers, "if-match": '"0"'})
    assert (changed.status_code, changed.json()["own"], changed.json()["effective"]) == (200, body, body)
    assert changed.headers["etag"] == '"1"'
    late = await plane.client.patch("/v1/retention", json=body, headers={**headers, "if-match": '"0"'})
    assert late.status_code == 412
    again = await plane.client.patch("/v1/retention", json={"events_days": None, "rollups_days": None}, headers=headers)
    assert again.json()["effective"] == NOWHERE
    entries = (await plane.client.get("/v1/audit", headers=headers)).json()["items"]
    assert [entry["action"] for entry in entries] == ["retention:update", "retention:update"]


async def test_sums_are_kept_as_long_as_calls(plane: ControlPlane) -> None:
    headers = await plane.token(await plane.organization())
    for body in ({"events_days": 30, "rollups_days": 29}, {"rollups_days": 29}):
        answer = await plane.client.patch("/v1/retention", json=body, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "body/rollups_days"), answer.text
    assert (await plane.client.get("/v1/retention", headers=headers)).json()["own"] == NOWHERE


@pytest.mark.parametrize("role", ["developer", "viewer", "billing"])
async def test_owners_and_admins_alone_see_and_change_it(plane: ControlPlane, role: str) -> None:
    headers = await plane.token(await plane.organization(), role)  # pyright: ignore[reportArgumentType]
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/holds"), ("POST", "/erasures"), ("GET", "/erasures")):
        answer = await plane.client.request(method, f"/v1/retention{path}", json={}, headers=headers)
        assert answer.status_code == 403, (method, path)


async def test_a_hold_forbids_erasure_until_it_is_released(either_plane: ControlPlane) -> None:
    plane = either_plane
    headers = await plane.token(await plane.organization(), "admin")
    made = await plane.client.post("/v1/retention/holds", json={"reason": "Case 7"}, headers=headers)
    assert made.status_code == 201, made.text
    hold = made.json()
    assert (hold["project_id"], hold["released_at_ms"]) == (None, None)
    assert (await plane.client.get("/v1/retention", headers=headers)).json()["held"] is True
    refused = await plane.client.post("/v1/retention/erasures", json={"user": "zoe"}, headers=headers)
    assert refused.status_code == 409
    assert f"hold {hold['id']} (Case 7) forbids it" in refused.json()["detail"]

    assert (await plane.client.delete(f"/v1/retention/holds/{hold['id']}", headers=headers)).status_code == 204
    assert (await plane.client.delete(f"/v1/retention/holds/{hold['id']}", headers=headers)).status_code == 204
    released = (await plane.client.get(f"/v1/retention/holds/{hold['id']}", headers=headers)).json()
    assert released["released_by"].startswith("token:")
    assert (await plane.client.get("/v1/retention/holds", headers=headers)).json()["items"] == []
    listed = await plane.client.get("/v1/retention/holds?released=true", headers=headers)
    assert [one["id"] for one in listed.json()["items"]] == [hold["id"]]

    asked = await plane.client.post("/v1/retention/erasures", json={"user": "zoe"}, headers=headers)
    assert (asked.status_code, asked.json()["status"]) == (201, "pending")
    found = await plane.client.get(f"/v1/retention/erasures/{asked.json()['id']}", headers=headers)
    assert found.json() == asked.json()
    assert (await plane.client.get("/v1/retention/erasures", headers=headers)).json()["items"] == [asked.json()]
    entries = (await plane.client.get("/v1/audit", headers=headers)).json()["items"]
    assert [entry["action"] for entry in entries] == ["erasure:create", "hold:release", "hold:create"]
    assert "zoe" not in str(entries)


async def test_holds_are_of_the_own_projects(plane: ControlPlane) -> None:
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    project = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=theirs)).json()["id"]
    body = {"reason": "Case", "project_id": project}
    assert (await plane.client.post("/v1/retention/holds", json=body, headers=mine)).status_code == 400
    hold = (await plane.client.post("/v1/retention/holds", json=body, headers=theirs)).json()
    assert hold["project_id"] == project
    for method in ("GET", "DELETE"):
        answer = await plane.client.request(method, f"/v1/retention/holds/{hold['id']}", headers=mine)
        assert answer.status_code == 404
    asked = (await plane.client.post("/v1/retention/erasures", json={"user": "zoe"}, headers=mine)).json()
    answer = await plane.client.get(f"/v1/retention/erasures/{asked['id']}", headers=theirs)
    assert answer.status_code == 404
