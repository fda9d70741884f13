from control_plane.audit.export import check_file


async def test_actions_are_listed_and_filtered(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    for name in "abc":
        plane.clock.advance(1)
        made = await plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    await plane.client.delete(f"/v1/projects/{made.json()['id']}", headers=headers)

    async def found(query=""):
        answer = await plane.client.get(f"/v1/audit?{query}", headers=headers)
        assert answer.status_code == 200, answer.text
        return [one["number"] for one in answer.json()["items"]]

    assert await found() == [4, 3, 2, 1]
    assert await found("action=project:archive") == [4]
    assert await found(f"subject=project:{made.json()['id']}") == [4, 3]
    assert await found("actor=user:nobody") == []
    now_ms = plane.clock()
    assert await found(f"from_ms={now_ms}") == [4, 3]
    assert await found(f"from_ms={now_ms - 1000}&to_ms={now_ms}") == [2]


async def test_pages_follow_each_other_where_many_are_of_one_moment(plane):
    headers = await plane.token(await plane.organization())
    for name in "abcde":
        await plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    seen, cursor = [], ""
    while cursor is not None:
        answer = (await plane.client.get(f"/v1/audit?limit=2{cursor and '&cursor=' + cursor}", headers=headers)).json()
        seen += [one["number"] for one in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == [5, 4, 3, 2, 1]
    assert (await plane.client.get("/v1/audit?cursor=x", headers=headers)).status_code == 400


async def test_the_chain_is_checked(plane):
    headers = await plane.token(await plane.organization())
    await plane.client.post("/v1/projects", json={"name": "a"}, headers=headers)
    answer = (await plane.client.get("/v1/audit/verify", headers=headers)).json()
    assert (answer["entries"], answer["broken"]) == (1, None)


async def test_an_export_is_signed_and_is_in_the_log_itself(either_plane):
    headers = await either_plane.token(await either_plane.organization())
    await either_plane.client.post("/v1/projects", json={"name": "a"}, headers=headers)
    answer = await either_plane.client.get("/v1/audit/export", headers=headers)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    manifest = check_file(answer.content.splitlines(keepends=True), either_plane.parts.keyring)
    assert manifest.count == 2
    newest = (await either_plane.client.get("/v1/audit", headers=headers)).json()["items"][0]
    assert (newest["number"], newest["action"]) == (2, "audit:export")


async def test_who_may_only_look_may_not_read_it(plane):
    org_id = await plane.organization()
    for role, path, status in (
        ("viewer", "", 403), ("developer", "/export", 403), ("admin", "/export", 200), ("admin", "/verify", 200),
    ):  # fmt: skip
        answer = await plane.client.get(f"/v1/audit{path}", headers=await plane.token(org_id, role))
        assert answer.status_code == status


async def test_another_organizations_actions_are_not_there(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    await plane.client.post("/v1/projects", json={"name": "a"}, headers=mine)
    assert (await plane.client.get("/v1/audit", headers=theirs)).json()["items"] == []
    manifest = check_file(
        (await plane.client.get("/v1/audit/export", headers=theirs)).content.splitlines(keepends=True),
        plane.parts.keyring,
    )
    assert manifest.count == 1
