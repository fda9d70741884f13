from tests.support.made import project


async def test_an_ingest_key_is_made_changed_rotated_and_revoked(either_plane):
    plane = either_plane
    owner = await plane.token(await plane.organization())
    project_id = await project(plane, owner)
    made = await plane.client.post("/v1/ingest-keys", json={"name": "jobs", "project_id": project_id}, headers=owner)
    assert (made.status_code, made.headers["etag"], made.headers["cache-control"]) == (201, '"1"', "no-store")
    first = made.json()
    secret = first.pop("secret")
    assert secret.startswith("lis_")
    assert secret.startswith(first["prefix"])
    path = f"/v1/ingest-keys/{first['id']}"
    assert (await plane.client.get(path, headers=owner)).json() == first
    changed = await plane.client.patch(path, json={"events_per_s": 10}, headers={**owner, "if-match": '"1"'})
    assert changed.json() == first | {"events_per_s": 10}
    assert (await plane.client.patch(path, json={}, headers={**owner, "if-match": '"1"'})).status_code == 412
    rotated = (await plane.client.post(f"{path}/rotate", json={"overlap_minutes": 1}, headers=owner)).json()
    assert (rotated["id"], rotated["previous_until_ms"]) == (first["id"], plane.clock() + 60_000)
    assert rotated["secret"] != secret
    assert (await plane.client.delete(path, headers=owner)).status_code == 204
    assert (await plane.client.get("/v1/ingest-keys", headers=owner)).json()["items"] == []
    (revoked,) = (await plane.client.get("/v1/ingest-keys?revoked=true", headers=owner)).json()["items"]
    assert (revoked["id"], revoked["revoked_at_ms"]) == (first["id"], plane.clock())
    assert "secret" not in revoked


async def test_rules_are_stated_read_and_guarded_against_overwriting(either_plane):
    plane = either_plane
    owner = await plane.token(await plane.organization())
    nothing = await plane.client.get("/v1/redaction", headers=owner)
    empty = {"drop": [], "hash": [], "detect": [], "patterns": []}
    assert nothing.json() == {"rules": empty, "updated_at_ms": None}
    rules = {"hash": ["user_id"], "detect": ["email"], "patterns": [{"pattern": "x+"}]}
    stated = await plane.client.put("/v1/redaction", json=rules, headers=owner)
    whole = empty | rules | {"patterns": [{"pattern": "x+", "replacement": "[redacted]"}]}
    assert (stated.status_code, stated.headers["etag"]) == (200, '"1"')
    assert stated.json() == {"rules": whole, "updated_at_ms": plane.clock()}
    assert (await plane.client.get("/v1/redaction", headers=owner)).json() == stated.json()
    stale = {**owner, "if-match": '"0"'}
    assert (await plane.client.put("/v1/redaction", json={}, headers=stale)).status_code == 412
    assert (await plane.client.put("/v1/redaction", json={}, headers=owner)).json()["rules"] == empty


async def test_only_owners_and_admins_see_and_change_them(plane):
    org_id = await plane.organization()
    for role in ("developer", "viewer", "billing"):
        headers = await plane.token(org_id, role)
        assert (await plane.client.get("/v1/ingest-keys", headers=headers)).status_code == 403
        assert (await plane.client.put("/v1/redaction", json={}, headers=headers)).status_code == 403
    headers = await plane.token(org_id, "admin")
    assert (await plane.client.get("/v1/redaction", headers=headers)).status_code == 200


async def test_another_organizations_rules_are_not_seen(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    await plane.client.put("/v1/redaction", json={"drop": ["user_id"]}, headers=mine)
    assert (await plane.client.get("/v1/redaction", headers=theirs)).json()["updated_at_ms"] is None
