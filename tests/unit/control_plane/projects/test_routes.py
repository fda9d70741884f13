async def test_a_project_is_made_renamed_and_archived(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())

    made = await plane.client.post("/v1/projects", json={"name": "Checkout"}, headers=headers)
    assert made.status_code == 201, made.text
    project = made.json()
    assert project["id"].startswith("prj_")
    assert made.headers["etag"] == '"1"'

    address = f"/v1/projects/{project['id']}"
    renamed = await plane.client.patch(address, json={"name": "Shop"}, headers={**headers, "if-match": '"1"'})
    assert (renamed.status_code, renamed.json()["name"], renamed.headers["etag"]) == (200, "Shop", '"2"')

    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await plane.client.get("/v1/projects", headers=headers)).json()["items"] == []
    archived = (await plane.client.get("/v1/projects?archived=true", headers=headers)).json()["items"]
    assert [one["name"] for one in archived] == ["Shop"]


async def test_an_edit_of_what_changed_meanwhile_is_refused(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)).json()["id"]
    await plane.client.patch(f"/v1/projects/{id}", json={"name": "B"}, headers=headers)
    late = await plane.client.patch(f"/v1/projects/{id}", json={"name": "C"}, headers={**headers, "if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    assert late.headers["content-type"] == "application/problem+json"


async def test_a_name_is_taken_once_in_an_organization(plane):
    first, other = await plane.organization("First"), await plane.organization("Other")
    headers = await plane.token(first)
    assert (await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)).status_code == 201
    again = await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    theirs = await plane.client.post("/v1/projects", json={"name": "A"}, headers=await plane.token(other))
    assert theirs.status_code == 201


async def test_another_organizations_project_is_not_there(plane):
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=mine)).json()["id"]
    for method in ("GET", "DELETE"):
        found = await plane.client.request(method, f"/v1/projects/{id}", headers=theirs)
        assert found.status_code == 404
    assert (await plane.client.patch(f"/v1/projects/{id}", json={"name": "B"}, headers=theirs)).status_code == 404
    assert (await plane.client.get("/v1/projects", headers=theirs)).json()["items"] == []


async def test_a_bad_field_is_named(plane):
    headers = await plane.token(await plane.organization())
    for body in ({"name": ""}, {"name": " x"}, {}, {"name": "a", "more": 1}):
        answer = await plane.client.post("/v1/projects", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text


async def test_pages_follow_each_other_newest_first(plane):
    headers = await plane.token(await plane.organization())
    for name in "abcde":
        plane.clock.advance(1)
        await plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    seen, cursor = [], ""
    while cursor is not None:
        found = await plane.client.get(f"/v1/projects?limit=2{cursor and '&cursor=' + cursor}", headers=headers)
        seen += [one["name"] for one in found.json()["items"]]
        cursor = found.json()["next_cursor"]
    assert seen == ["e", "d", "c", "b", "a"]
    assert (await plane.client.get("/v1/projects?cursor=x", headers=headers)).status_code == 400
