from control_plane.auth.tokens import digest
from tests.support.made import key, project
from tests.support.published import published, version

HOUR_S = 3600


async def test_a_key_is_made_narrowed_rotated_and_revoked(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)

    made = await plane.client.post(
        "/v1/keys",
        json={
            "project_id": project_id,
            "name": "nightly batch",
            "mode": "guaranteed",
            "on_disconnect": "cancel",
            "upstreams": ["openai"],
            "endpoints": ["chat.completions"],
            "models": ["gpt-4o-mini"],
            "user_id": "jo@example.com",
            "team": "search",
            "tags": ["nightly"],
            "expires_at_s": plane.clock.ms // 1000 + HOUR_S,
        },
        headers=headers,
    )
    assert made.status_code == 201, made.text
    assert (made.headers["etag"], made.headers["cache-control"]) == ('"1"', "no-store")
    first = made.json()
    secret = first.pop("secret")
    assert secret.startswith("lk-")
    assert secret.startswith(first["prefix"])
    told = (await published(plane))[f"key:{first['id']}"].body
    assert told["sha256"] == digest(secret)
    assert (told["mode"], told["upstreams"], told["tags"]) == ("guaranteed", ["openai"], ["nightly"])

    address = f"/v1/keys/{first['id']}"
    assert (await plane.client.get(address, headers=headers)).json() == first
    narrowed = await plane.client.patch(
        address, json={"models": None, "disabled": True}, headers={**headers, "if-match": '"1"'}
    )
    assert (narrowed.status_code, narrowed.headers["etag"]) == (200, '"2"')
    assert narrowed.json() == first | {"models": None, "disabled": True}
    await plane.client.patch(address, json={"disabled": False}, headers=headers)

    rotated = await plane.client.post(f"{address}/rotate", json={"overlap_minutes": 10}, headers=headers)
    assert rotated.status_code == 201, rotated.text
    second = rotated.json()
    assert second["secret"] != secret
    same = (
        "project_id",
        "name",
        "mode",
        "on_disconnect",
        "upstreams",
        "endpoints",
        "models",
        "user_id",
        "team",
        "tags",
    )
    assert {field: second[field] for field in same} == {field: first[field] for field in same} | {"models": None}
    old = (await plane.client.get(address, headers=headers)).json()
    assert (old["replaced_by"], old["expires_at_s"]) == (second["id"], plane.clock.ms // 1000 + 600)
    assert (old["replaces"], second["replaces"]) == ([], [first["id"]])
    assert (await published(plane))[f"key:{second['id']}"].body["replaces"] == [first["id"]]

    assert (await plane.client.delete(f"/v1/keys/{second['id']}", headers=headers)).status_code == 204
    assert (await published(plane))[f"key:{second['id']}"].body is None
    live = (await plane.client.get(f"/v1/keys?project_id={project_id}", headers=headers)).json()["items"]
    assert [one["id"] for one in live] == [first["id"]]
    revoked = (await plane.client.get("/v1/keys?revoked=true", headers=headers)).json()["items"]
    assert [one["id"] for one in revoked] == [second["id"]]
    assert "secret" not in revoked[0]


async def test_a_repeated_post_makes_one_key_and_shows_the_same_secret(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    body = {"project_id": await project(plane, headers), "name": "batch"}
    again = headers | {"idempotency-key": "once"}
    first, second = [await plane.client.post("/v1/keys", json=body, headers=again) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len((await plane.client.get("/v1/keys", headers=headers)).json()["items"]) == 1
    other = await plane.client.post("/v1/keys", json=body | {"name": "other"}, headers=again)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_repeated_rotation_is_one(plane):
    headers = await plane.token(await plane.organization())
    made = await key(plane, headers, await project(plane, headers))
    again = headers | {"idempotency-key": "once"}
    address = f"/v1/keys/{made['id']}/rotate"
    first, second = [await plane.client.post(address, json={}, headers=again) for _ in range(2)]
    assert first.json() == second.json()
    assert first.json()["secret"].startswith("lk-")


async def test_a_bad_field_is_named(plane):
    headers = await plane.token(await plane.organization())
    good = {"project_id": await project(plane, headers), "name": "batch"}
    for wrong, pointer in (
        ({"endpoints": ["chat.complete"]}, "body/endpoints"),
        ({"expires_at_s": plane.clock.ms // 1000}, "body/expires_at_s"),
        ({"project_id": "prj_" + "0" * 26}, "body/project_id"),
        ({"mode": "fast"}, "mode"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "a line\n"}, "name"),
        ({"name": "nul\x00"}, "name"),
        ({"upstreams": []}, "upstreams"),
        ({"upstreams": ["OpenAI"]}, "upstreams"),
        ({"tags": ["x"] * 17}, "tags"),
        ({"more": 1}, "more"),
    ):
        answer = await plane.client.post("/v1/keys", json=good | wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
        assert pointer in answer.text
    answer = await plane.client.post("/v1/keys", json=good | {"endpoints": ["chat.complete"]}, headers=headers)
    assert "chat.completions" in answer.json()["errors"][0]["message"]
    assert (await plane.client.get("/v1/keys", headers=headers)).json()["items"] == []


async def test_an_edit_is_judged_as_a_new_key_is(plane):
    headers = await plane.token(await plane.organization())
    made = await key(plane, headers, await project(plane, headers))
    for wrong in ({"endpoints": ["chat.complete"]}, {"expires_at_s": 1}, {"mode": None}, {"hash": "0" * 64}):
        answer = await plane.client.patch(f"/v1/keys/{made['id']}", json=wrong, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    unchanged = await plane.client.get(f"/v1/keys/{made['id']}", headers=headers)
    assert (unchanged.headers["etag"], unchanged.json()["endpoints"]) == ('"1"', None)


async def test_another_organizations_keys_and_projects_are_not_there(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    project_id = await project(plane, mine)
    id = (await key(plane, mine, project_id))["id"]
    for method, address, body in (
        ("GET", f"/v1/keys/{id}", None),
        ("PATCH", f"/v1/keys/{id}", {"name": "theirs"}),
        ("DELETE", f"/v1/keys/{id}", None),
        ("POST", f"/v1/keys/{id}/rotate", {}),
    ):
        assert (await plane.client.request(method, address, json=body, headers=theirs)).status_code == 404
    for address in ("/v1/keys", f"/v1/keys?project_id={project_id}"):
        assert (await plane.client.get(address, headers=theirs)).json()["items"] == []
    made = await plane.client.post("/v1/keys", json={"project_id": project_id, "name": "x"}, headers=theirs)
    assert (made.status_code, made.json()["errors"][0]["pointer"]) == (400, "body/project_id")


async def test_a_viewer_sees_keys_and_makes_none(plane):
    org = await plane.organization()
    project_id = await project(plane, await plane.token(org))
    viewer = await plane.token(org, "viewer")
    assert (await plane.client.get("/v1/keys", headers=viewer)).status_code == 200
    made = await plane.client.post("/v1/keys", json={"project_id": project_id, "name": "x"}, headers=viewer)
    assert (made.status_code, made.json()["code"]) == (403, "forbidden")


async def test_a_change_of_one_key_publishes_one_item_once(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    made = [await key(plane, headers, project_id) for _ in range(3)]
    before, start = await published(plane), await version(plane)

    await plane.client.patch(f"/v1/keys/{made[1]['id']}", json={"team": "search"}, headers=headers)

    after = await published(plane)
    changed = {item for item in after if after[item] != before.get(item)}
    assert changed == {f"key:{made[1]['id']}"}
    assert await version(plane) == start + 1


async def test_an_edit_that_changes_nothing_publishes_nothing(plane):
    headers = await plane.token(await plane.organization())
    made = await key(plane, headers, await project(plane, headers), team="search", tags=["a"])
    start = await version(plane)
    same = {"team": "search", "tags": ["a"], "name": made["name"]}
    edited = await plane.client.patch(f"/v1/keys/{made['id']}", json=same, headers=headers)
    assert (edited.status_code, edited.headers["etag"]) == (200, '"2"')
    assert await version(plane) == start


async def test_pages_of_keys_follow_each_other_newest_first(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    for name in "abc":
        plane.clock.advance(1)
        await key(plane, headers, project_id, name=name)
    first = (await plane.client.get("/v1/keys?limit=2", headers=headers)).json()
    rest = (await plane.client.get(f"/v1/keys?limit=2&cursor={first['next_cursor']}", headers=headers)).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert rest["next_cursor"] is None
