import asyncio

import pytest


async def members(plane, headers) -> dict[str, str]:
    listed = (await plane.client.get("/v1/members", headers=headers)).json()["items"]
    return {one["email"]: f"/v1/members/{one['id']}" for one in listed}


async def test_the_last_owner_is_neither_demoted_nor_removed(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "owner")
    headers = await plane.token(org_id)
    ada = (await members(plane, headers))["ada@example.com"]
    for answer in (
        await plane.client.patch(ada, json={"role": "admin"}, headers=headers),
        await plane.client.delete(ada, headers=headers),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert (await plane.client.patch(ada, json={"role": "owner"}, headers=headers)).status_code == 200
    await plane.member(org_id, "bob@example.com", "owner")
    assert (await plane.client.delete(ada, headers=headers)).status_code == 204


async def test_an_owner_of_another_organization_is_no_second_one(plane):
    first, second = await plane.organization(), await plane.organization()
    await plane.member(first, "ada@example.com", "owner")
    await plane.member(second, "bob@example.com", "owner")
    headers = await plane.token(first)
    ada = (await members(plane, headers))["ada@example.com"]
    assert (await plane.client.delete(ada, headers=headers)).status_code == 409


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_c10_two_owners_who_let_each_other_go_at_once_leave_one(either_plane, method):
    plane = either_plane
    org_id = await plane.organization()
    for email in ("ada@example.com", "bob@example.com"):
        await plane.member(org_id, email, "owner")
    headers = await plane.token(org_id)
    body = {"role": "viewer"} if method == "PATCH" else None
    asked = [
        plane.client.request(method, one, json=body, headers=headers)
        for one in (await members(plane, headers)).values()
    ]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*asked))
    assert statuses == [200 if method == "PATCH" else 204, 409]


async def test_c10_an_admin_neither_makes_nor_touches_an_owner(plane):
    org_id = await plane.organization()
    for email, role in (("ada@example.com", "owner"), ("zoe@example.com", "owner"), ("bob@example.com", "viewer")):
        await plane.member(org_id, email, role)
    admin = await plane.token(org_id, "admin")
    there = await members(plane, admin)
    assert (
        await plane.client.patch(there["bob@example.com"], json={"role": "owner"}, headers=admin)
    ).status_code == 403
    assert (
        await plane.client.patch(there["ada@example.com"], json={"role": "viewer"}, headers=admin)
    ).status_code == 403
    assert (await plane.client.delete(there["ada@example.com"], headers=admin)).status_code == 403
    assert (
        await plane.client.patch(there["bob@example.com"], json={"role": "admin"}, headers=admin)
    ).status_code == 200


async def test_a_member_who_is_removed_is_signed_out_there_at_once_and_nowhere_else(either_plane):
    plane = either_plane
    first, second = await plane.organization("First"), await plane.organization("Second")
    user_id = await plane.member(first, "ada@example.com", "viewer")
    await plane.join(second, user_id, "viewer")
    here, there = await plane.browser("ada@example.com"), await plane.browser("ada@example.com")
    assert (await there.request("POST", "/v1/session/organization", json={"org_id": second})).status_code == 200
    headers = await plane.token(first)
    ada = (await members(plane, headers))["ada@example.com"]
    assert (await plane.client.delete(ada, headers=headers)).status_code == 204
    assert (await here.request("GET", "/v1/session")).status_code == 401
    said = (await there.request("GET", "/v1/session")).json()
    assert [one["name"] for one in said["organizations"]] == ["Second"]
    again = await plane.browser("ada@example.com")
    assert (await again.request("GET", "/v1/session")).json()["organization"]["name"] == "Second"


async def test_an_edit_of_a_member_who_changed_meanwhile_is_refused(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "bob@example.com", "viewer")
    headers = await plane.token(org_id)
    bob = (await members(plane, headers))["bob@example.com"]
    assert (await plane.client.patch(bob, json={"role": "admin"}, headers=headers)).status_code == 200
    stale = {**headers, "if-match": '"1"'}
    assert (await plane.client.patch(bob, json={"role": "viewer"}, headers=stale)).status_code == 412
    assert (await plane.client.delete(bob, headers=stale)).status_code == 412


async def test_a_member_who_is_changed_and_removed_at_once_is_removed(either_plane):
    org_id = await either_plane.organization()
    headers = await either_plane.token(org_id)
    await either_plane.member(org_id, "ada@example.com", "viewer")
    [address] = (await members(either_plane, headers)).values()
    asked = (either_plane.client.request(method, address, json={"role": "admin"}, headers=headers)
             for method in ("PATCH", "DELETE") * 3)  # fmt: skip
    answers = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert answers.count(204) == 1
    assert set(answers) <= {200, 204, 404}
    assert await members(either_plane, headers) == {}
