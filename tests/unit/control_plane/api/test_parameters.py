async def test_shared_parameters_are_bounded_and_described(plane):
    headers = await plane.token(await plane.organization())
    for limit, status in (("1", 200), ("200", 200), ("0", 400), ("201", 400), ("x", 400)):
        assert (await plane.client.get(f"/v1/projects?limit={limit}", headers=headers)).status_code == status
    document = (await plane.client.get("/docs/openapi.json")).json()
    patch = document["paths"]["/v1/projects/{project_id}"]["patch"]["parameters"]
    assert {one["name"]: one["in"] for one in patch} == {"project_id": "path", "If-Match": "header"}
    listed = {one["name"]: one for one in document["paths"]["/v1/projects"]["get"]["parameters"]}
    assert (listed["limit"]["schema"]["maximum"], bool(listed["cursor"]["description"])) == (200, True)
