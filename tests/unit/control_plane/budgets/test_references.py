from control_plane.auth.tokens import new_token
from control_plane.db.engine import EVERY_ORG
from control_plane.db.ids import new_id
from control_plane.keys.tables import ApiKey
from tests.support.budgets import published


async def key_of(plane, org_id, project_id, *, revoked=False):
    token = new_token("lk-")
    row = ApiKey(
        id=new_id("key", plane.clock()),
        org_id=org_id,
        project_id=project_id,
        name="k",
        prefix=token.prefix,
        hash=token.sha256,
        mode="metered",
        on_disconnect="drain",
        upstreams=None,
        endpoints=None,
        models=None,
        tags=[],
        created_by="system:test",
        created_at_ms=plane.clock(),
        expires_at_s=None,
        revoked_at_ms=plane.clock() if revoked else None,
        replaced_by=None,
        replaces=[],
        used_at_s=None,
    )
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = plane.clock()
        session.add(row)
    return row.id


async def test_a_scope_names_a_key_of_the_own_organization_that_is_in_use(plane):
    mine, other = await plane.organization(), await plane.organization()
    my_headers, their_headers = await plane.token(mine), await plane.token(other)
    project_id = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=my_headers)).json()["id"]
    good = await key_of(plane, mine, project_id)
    revoked = await key_of(plane, mine, project_id, revoked=True)

    def budget(key_id):
        return {"limit_usd": 1, "scope": {"key": key_id}}

    assert (await plane.client.post("/v1/budgets", json=budget(good), headers=my_headers)).status_code == 201
    for key_id, headers in ((good, their_headers), (revoked, my_headers)):
        refused = await plane.client.post("/v1/budgets", json=budget(key_id), headers=headers)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "body/scope")
    assert (await plane.client.post("/v1/budgets", json=budget("*"), headers=their_headers)).status_code == 201

    for _ in range(2):  # and one that was rotated, for the key in its place is under the same limits
        rotate = {"overlap_minutes": 0}
        made = await plane.client.post(f"/v1/keys/{good}/rotate", json=rotate, headers=my_headers)
        assert (await plane.client.post("/v1/budgets", json=budget(good), headers=my_headers)).status_code == 201
        first, good = good, made.json()["id"]
        assert (await plane.client.post("/v1/budgets", json=budget(first), headers=my_headers)).status_code == 201
    await plane.client.delete(f"/v1/keys/{good}", headers=my_headers)
    assert (await plane.client.post("/v1/budgets", json=budget(first), headers=my_headers)).status_code == 400


async def test_a_budget_of_a_key_that_was_revoked_since_may_be_changed(plane):
    org = await plane.organization()
    headers = await plane.token(org)
    project_id = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)).json()["id"]
    scope = {"key": await key_of(plane, org, project_id)}
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1, "scope": scope}, headers=headers)).json()["id"]
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = plane.clock()
        (await session.get_one(ApiKey, scope["key"])).revoked_at_ms = plane.clock()
    changed = await plane.client.patch(f"/v1/budgets/{id}", json={"limit_usd": 2}, headers=headers)
    assert changed.status_code == 200
    refused = await plane.client.patch(f"/v1/budgets/{id}", json={"scope": scope}, headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "body/scope")


async def test_all_that_is_wrong_is_told_at_once(plane):
    headers = await plane.token(await plane.organization())
    body = {"limit_usd": 1, "thresholds": [5, 5], "time_zone": "Mars", "scope": {"provider": "x"}}
    refused = await plane.client.post("/v1/budgets", json=body, headers=headers)
    assert {error["pointer"] for error in refused.json()["errors"]} == {
        "body/thresholds",
        "body/time_zone",
        "body/scope",
    }


async def test_an_upstream_may_be_one_of_the_gateways_own_files(plane):
    headers = await plane.token(await plane.organization())
    body = {"limit_usd": 1, "scope": {"upstream": "openai", "provider": "openai", "tag": "*"}}
    assert (await plane.client.post("/v1/budgets", json=body, headers=headers)).status_code == 201
    (quota,) = await published(plane, "quota")
    assert quota.scope["upstream"] == "openai"
