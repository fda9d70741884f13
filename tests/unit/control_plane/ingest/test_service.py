import asyncio

import pytest

from control_plane.ingest.tables import IngestKey
from tests.support.made import project
from tests.support.reporters import reporter


@pytest.fixture
async def org_id(plane):
    return await plane.organization()


@pytest.fixture
async def owner(plane, org_id):
    return await plane.token(org_id)


async def row(plane, org_id, key_id):
    async with plane.parts.database.reading(org_id) as session:
        return await session.get(IngestKey, key_id)


async def test_the_secret_is_sealed_and_is_not_in_the_audit_log(plane, org_id, owner):
    sender = await reporter(plane, owner)
    stored = await row(plane, org_id, sender.id)
    assert sender.secret.decode() not in stored.sealed
    assert plane.parts.keyring.open(stored.sealed, f"ingest_keys:{sender.id}") == sender.secret.decode()
    log = (await plane.client.get("/v1/audit", headers=owner)).text
    assert "ingest_key:create" in log
    assert sender.secret.decode() not in log
    assert stored.sealed not in log


async def test_a_rotation_keeps_two_secrets_and_never_three(plane, org_id, owner):
    sender = await reporter(plane, owner)
    path, secrets = f"/v1/ingest-keys/{sender.id}/rotate", [sender.secret.decode()]
    for minutes in (10, 10, 0):
        made = await plane.client.post(path, json={"overlap_minutes": minutes}, headers=owner)
        assert made.status_code == 201, made.text
        secrets.insert(0, made.json()["secret"])
        stored = await row(plane, org_id, sender.id)
        opened = plane.parts.keyring.open(stored.sealed, f"ingest_keys:{sender.id}").split("\n")
        assert opened == secrets[: 2 if minutes else 1]
        assert stored.previous_until_ms == (plane.clock() + minutes * 60_000 if minutes else None)


async def test_what_is_revoked_stays_so(plane, owner):
    sender = await reporter(plane, owner)
    path = f"/v1/ingest-keys/{sender.id}"
    for _ in range(2):
        assert (await plane.client.delete(path, headers=owner)).status_code == 204
    assert (await plane.client.patch(path, json={"name": "x"}, headers=owner)).status_code == 409
    assert (await plane.client.post(f"{path}/rotate", json={}, headers=owner)).status_code == 409


async def test_a_project_must_be_there_and_in_use(plane, owner):
    project_id = await project(plane, owner)
    await plane.client.delete(f"/v1/projects/{project_id}", headers=owner)
    for id, status in ((project_id, 409), ("prj_" + "0" * 26, 400)):
        made = await plane.client.post("/v1/ingest-keys", json={"name": "x", "project_id": id}, headers=owner)
        assert made.status_code == status


async def test_patterns_that_cannot_be_used_are_named(plane, owner):
    rules = {"patterns": [{"pattern": "ok"}, {"pattern": "(?=a)"}, {"pattern": "x*"}]}
    answer = await plane.client.put("/v1/redaction", json=rules, headers=owner)
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == ["body/patterns/1/pattern", "body/patterns/2/pattern"]
    assert (await plane.client.get("/v1/redaction", headers=owner)).json()["rules"]["patterns"] == []


async def test_the_first_rules_at_once_are_one_after_the_other(either_plane):
    headers = await either_plane.token(await either_plane.organization())
    stated = (either_plane.client.put("/v1/redaction", json={"drop": ["user_id"]}, headers=headers) for _ in range(4))
    answers = await asyncio.gather(*stated)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sorted(answer.headers["etag"] for answer in answers) == ['"1"', '"2"', '"3"', '"4"']
