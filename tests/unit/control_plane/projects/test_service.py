from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from tests.support.made import key, project
from tests.support.published import published, version


async def test_a_project_is_published_renamed_and_withdrawn(plane):
    org = await plane.organization()
    headers = await plane.token(org)
    id = await project(plane, headers, "Checkout")
    item = f"project:{id}"
    assert (await published(plane))[item].body == {"id": id, "name": "Checkout", "org_id": org}
    await plane.client.patch(f"/v1/projects/{id}", json={"name": "Shop"}, headers=headers)
    assert (await published(plane))[item].body["name"] == "Shop"
    await plane.client.delete(f"/v1/projects/{id}", headers=headers)
    assert (await published(plane))[item].body is None


async def test_archiving_a_project_of_many_keys_changes_one_item(plane):
    headers = await plane.token(await plane.organization())
    id = await project(plane, headers)
    for _ in range(3):
        await key(plane, headers, id)
    start = await version(plane)
    await plane.client.delete(f"/v1/projects/{id}", headers=headers)
    changed = [item for item, state in (await published(plane)).items() if state.version > start]
    assert (changed, await version(plane)) == ([f"project:{id}"], start + 1)


async def test_an_archived_project_stays_so(plane):
    headers = await plane.token(await plane.organization())
    id = await project(plane, headers)
    await plane.client.delete(f"/v1/projects/{id}", headers=headers)
    archived = (await plane.client.get(f"/v1/projects/{id}", headers=headers)).json()
    plane.clock.advance(1)
    assert (await plane.client.delete(f"/v1/projects/{id}", headers=headers)).status_code == 204
    assert (await plane.client.get(f"/v1/projects/{id}", headers=headers)).json() == archived


async def test_an_edit_that_changes_nothing_publishes_nothing(plane):
    headers = await plane.token(await plane.organization())
    id = await project(plane, headers, "Checkout")
    start = await version(plane)
    assert (await plane.client.patch(f"/v1/projects/{id}", json={}, headers=headers)).status_code == 200
    assert (
        await plane.client.patch(f"/v1/projects/{id}", json={"name": "Checkout"}, headers=headers)
    ).status_code == 200
    assert await version(plane) == start


async def test_each_change_is_in_the_audit_log_with_before_and_after(plane):
    org = await plane.organization()
    headers = await plane.token(org)
    id = await project(plane, headers, "Checkout")
    await plane.client.patch(f"/v1/projects/{id}", json={"name": "Shop"}, headers=headers)
    await plane.client.delete(f"/v1/projects/{id}", headers=headers)
    async with plane.parts.database.reading(org) as session:
        entries = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    assert [entry.action for entry in entries] == ["project:create", "project:update", "project:archive"]
    assert {entry.subject for entry in entries} == {f"project:{id}"}
    assert (entries[1].meta["before"]["name"], entries[1].meta["after"]["name"]) == ("Checkout", "Shop")
    assert entries[2].meta["after"]["archived_at_ms"] == plane.clock.ms


async def test_a_refused_change_leaves_nothing_behind(plane):
    headers = await plane.token(await plane.organization())
    await project(plane, headers, "Checkout")
    other = await project(plane, headers, "Shop")
    before = await version(plane)
    taken = await plane.client.patch(f"/v1/projects/{other}", json={"name": "Checkout"}, headers=headers)
    assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
    found = await plane.client.get(f"/v1/projects/{other}", headers=headers)
    assert (found.json()["name"], found.headers["etag"]) == ("Shop", '"1"')
    assert await version(plane) == before
