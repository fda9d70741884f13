async def test_a_rename_without_a_name_changes_nothing_but_the_version(plane):
    headers = await plane.token(await plane.organization("Acme"))
    answer = await plane.client.patch("/v1/organization", json={}, headers=headers)
    assert (answer.status_code, answer.json()["name"], answer.headers["etag"]) == (200, "Acme", '"2"')


async def test_each_organization_sees_itself(either_plane):
    plane = either_plane
    for name in ("First", "Second"):
        org_id = await plane.organization(name)
        seen = (await plane.client.get("/v1/organization", headers=await plane.token(org_id))).json()
        assert (seen["id"], seen["name"]) == (org_id, name)
