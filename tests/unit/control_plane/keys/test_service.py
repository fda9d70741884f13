import asyncio
import statistics
import time

from sqlalchemy import text

from control_plane.auth.tokens import digest
from control_plane.db.engine import EVERY_ORG
from tests.support.made import key, project
from tests.support.published import published, version

HOUR_S = 3600
ROUNDS = 9
MANY_KEYS = 100_000
MANY = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :many)
    INSERT INTO api_keys (id, org_id, project_id, name, prefix, hash, mode, on_disconnect, user_id, team, tags,
        replaces, created_by, created_at_ms, disabled, version, updated_at_ms)
    SELECT printf('key_%026d', n), :org, :project, 'many', 'lk-aaaaaa', printf('%064d', n), 'metered', 'drain', '', '',
        '[]', '[]', 'system:test', 0, 0, 1, 0
    FROM numbers
"""


async def test_without_overlap_the_old_key_is_revoked_with_the_same_version_that_brings_the_new(plane):
    headers = await plane.token(await plane.organization())
    old = await key(plane, headers, await project(plane, headers))
    start = await version(plane)
    rotated = await plane.client.post(f"/v1/keys/{old['id']}/rotate", json={}, headers=headers)
    new = rotated.json()
    told = await published(plane)
    assert told[f"key:{old['id']}"] == (start + 1, None)
    assert told[f"key:{new['id']}"].version == start + 1
    assert told[f"key:{new['id']}"].body["sha256"] == digest(new["secret"])


async def test_an_overlap_never_prolongs_a_key(plane):
    headers = await plane.token(await plane.organization())
    ends_at_s = plane.clock.ms // 1000 + 60
    old = await key(plane, headers, await project(plane, headers), expires_at_s=ends_at_s)
    await plane.client.post(f"/v1/keys/{old['id']}/rotate", json={"overlap_minutes": 60}, headers=headers)
    assert (await plane.client.get(f"/v1/keys/{old['id']}", headers=headers)).json()["expires_at_s"] == ends_at_s


async def test_what_has_ended_is_not_rotated(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    rotated, revoked = await key(plane, headers, project_id), await key(plane, headers, project_id)
    expired = await key(plane, headers, project_id, expires_at_s=plane.clock.ms // 1000 + HOUR_S)
    first = await plane.client.post(f"/v1/keys/{rotated['id']}/rotate", json={"overlap_minutes": 1}, headers=headers)
    await plane.client.delete(f"/v1/keys/{revoked['id']}", headers=headers)
    plane.clock.advance(HOUR_S)
    for ended, reason in ((rotated, first.json()["id"]), (revoked, "make another"), (expired, "make another")):
        refused = await plane.client.post(f"/v1/keys/{ended['id']}/rotate", json={}, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert reason in refused.json()["detail"]


async def test_an_archived_project_has_no_new_keys(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    old = await key(plane, headers, project_id)
    await plane.client.delete(f"/v1/projects/{project_id}", headers=headers)
    for address, body in (
        ("/v1/keys", {"project_id": project_id, "name": "late"}),
        (f"/v1/keys/{old['id']}/rotate", {}),
    ):
        refused = await plane.client.post(address, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict"), refused.text
    assert (await published(plane))[f"project:{project_id}"].body is None


async def test_a_revoked_key_stays_revoked(plane):
    headers = await plane.token(await plane.organization())
    id = (await key(plane, headers, await project(plane, headers)))["id"]
    address = f"/v1/keys/{id}"
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    revoked = (await plane.client.get(address, headers=headers)).json()
    plane.clock.advance(1)
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await plane.client.get(address, headers=headers)).json() == revoked
    edited = await plane.client.patch(address, json={"disabled": False}, headers=headers)
    assert (edited.status_code, edited.json()["code"]) == (409, "conflict")


async def test_an_edit_or_a_revocation_of_what_changed_meanwhile_is_refused(plane):
    headers = await plane.token(await plane.organization())
    id = (await key(plane, headers, await project(plane, headers)))["id"]
    await plane.client.patch(f"/v1/keys/{id}", json={"team": "a"}, headers=headers)
    stale = headers | {"if-match": '"1"'}
    for method, body in (("PATCH", {"team": "b"}), ("DELETE", None)):
        late = await plane.client.request(method, f"/v1/keys/{id}", json=body, headers=stale)
        assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")


async def test_of_two_rotations_at_once_one_is_made(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    id = (await key(plane, headers, await project(plane, headers)))["id"]
    both = (plane.client.post(f"/v1/keys/{id}/rotate", json={}, headers=headers) for _ in range(2))
    assert sorted(answer.status_code for answer in await asyncio.gather(*both)) == [201, 409]
    assert len((await plane.client.get("/v1/keys", headers=headers)).json()["items"]) == 1


async def test_one_key_more_among_a_hundred_thousand_touches_one_item(plane, capsys):
    org = await plane.organization()
    headers = await plane.token(org)
    project_id = await project(plane, headers)
    alone = await creating_ms(plane, headers, project_id)
    await many_keys(plane, org, project_id)
    start = await version(plane)

    among_many = await creating_ms(plane, headers, project_id)

    with capsys.disabled():
        print(f"\na key more, median of {ROUNDS}: {alone:.1f} ms alone, {among_many:.1f} ms among {MANY_KEYS}")
    assert await version(plane) == start + ROUNDS
    changed = [item for item, state in (await published(plane)).items() if state.version > start]
    assert len(changed) == ROUNDS


async def creating_ms(plane, headers, project_id):
    took_ms = []
    for _ in range(ROUNDS):
        plane.clock.advance(1)
        started_s = time.perf_counter()
        made = await key(plane, headers, project_id)
        took_ms.append((time.perf_counter() - started_s) * 1000)
        page = await plane.client.get(f"/v1/keys?project_id={project_id}&limit=1", headers=headers)
        assert page.json()["items"][0]["id"] == made["id"]
    return statistics.median(took_ms)


async def test_lists_of_keys_are_read_in_order_and_not_sorted(plane):
    query = "EXPLAIN QUERY PLAN SELECT * FROM api_keys WHERE {} = 'x' AND org_id = 'o' ORDER BY id DESC LIMIT 50"
    async with plane.parts.database.reading(EVERY_ORG) as session:
        for column, index in (("project_id", "ix_api_keys_of_project"), ("org_id", "ix_api_keys_of_org")):
            plan = str((await session.execute(text(query.format(column)))).all())
            assert index in plan
            assert "TEMP B-TREE" not in plan


async def many_keys(plane, org, project_id):
    """Straight into the table: none of them is published, and none need be."""
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(text(MANY), {"org": org, "project": project_id, "many": MANY_KEYS})
