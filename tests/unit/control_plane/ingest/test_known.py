import asyncio

import pytest

from control_plane.api.problems import Problem
from control_plane.ingest import known as module
from control_plane.ingest.known import TRUSTED_MS, KnownKeys
from tests.support.made import project
from tests.support.reporters import reporter


@pytest.fixture
async def owner(plane):
    return await plane.token(await plane.organization())


def keys(plane):
    return KnownKeys(plane.parts.database, plane.parts.keyring)


async def test_a_key_is_known_with_all_that_it_says(plane, owner):
    project_id, other = await project(plane, owner), await project(plane, owner, "Other")
    price = {"upstream": "*", "model": "gpt-4o", "multiplier": "0.5"}
    await plane.client.post("/v1/price-overrides", json=price, headers=owner)
    await plane.client.put("/v1/redaction", json={"drop": ["user_id"]}, headers=owner)
    scoped, anywhere = await reporter(plane, owner, project_id=project_id), await reporter(plane, owner, events_per_s=7)
    known = await keys(plane).find(scoped.id, plane.clock())
    assert (known.origin.key_id, known.origin.project_id, known.origin.projects) == (
        scoped.id,
        project_id,
        {project_id},
    )
    assert (known.secrets_at(0), known.redactor is None) == ((scoped.secret,), False)
    assert known.origin.catalog.find("openai", "gpt-4o", plane.clock() // 1000).match == "override"
    known = await keys(plane).find(anywhere.id, plane.clock())
    assert (known.origin.projects, known.events_per_s) == ({project_id, other}, 7)


async def test_what_is_known_is_not_asked_again_until_it_is_old(plane, owner):
    sender, known = await reporter(plane, owner), keys(plane)
    now_ms = plane.clock()
    first = await known.find(sender.id, now_ms)
    await plane.client.delete(f"/v1/ingest-keys/{sender.id}", headers=owner)
    assert await known.find(sender.id, now_ms + TRUSTED_MS - 1) is first
    assert await known.find(sender.id, now_ms + TRUSTED_MS) is None
    assert known.now(sender.id, now_ms + TRUSTED_MS) is None


async def test_many_who_ask_at_once_look_once(plane, owner):
    sender, known = await reporter(plane, owner), keys(plane)
    found = await asyncio.gather(*(known.find(sender.id, plane.clock()) for _ in range(20)))
    assert len({id(one) for one in found}) == 1


async def test_guessed_ids_do_not_keep_the_database_busy(plane, owner, monkeypatch):
    monkeypatch.setattr(module, "LOOKS_PER_S", 3)
    known, now_ms = keys(plane), plane.clock()
    for number in range(3):
        assert await known.find(f"igk_{number:026d}", now_ms) is None
    with pytest.raises(Problem) as refused:
        await known.find(f"igk_{9:026d}", now_ms)
    assert (refused.value.status, refused.value.headers) == (429, {"retry-after": "1"})
    assert await known.find("' OR 1=1", now_ms) is None
    assert await known.find(f"igk_{9:026d}", now_ms + 1000) is None


async def test_so_many_keys_are_kept_and_no_more(plane, owner, monkeypatch):
    monkeypatch.setattr(module, "KEYS_MAX", 1)
    one, two, known = await reporter(plane, owner), await reporter(plane, owner), keys(plane)
    await known.find(one.id, 0)
    await known.find(two.id, 0)
    assert known.now(one.id, 0) is None
    assert known.now(two.id, 0) is not None
