import asyncio


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


async def test_of_edits_at_once_of_what_was_read_one_is_taken(either_plane):
    plane = either_plane
    headers = {**await plane.token(await plane.organization("Acme")), "if-match": '"1"'}
    names = ("First", "Second", "Third")
    edits = (plane.client.patch("/v1/organization", json={"name": name}, headers=headers) for name in names)
    answers = await asyncio.gather(*edits)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]
    (taken,) = (answer.json()["name"] for answer in answers if answer.status_code == 200)
    assert (await plane.client.get("/v1/organization", headers=headers)).json()["name"] == taken
