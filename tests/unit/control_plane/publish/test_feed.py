"""What gateways hear, over a real server: everything once, changes at once, nothing that is stale or forged."""

import contextlib
import time

import pytest
from sqlalchemy import insert, update

from control_plane.auth.tables import GatewayToken
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.projects.tables import Project
from control_plane.providers.tables import ProviderCredential
from control_plane.publish import feed as feeds
from control_plane.publish.tables import PolicyItem, PolicyVersion
from gateway.contract.publishing import Forged, unseal

NONCE = "0123456789abcdef"
KEYS = 10_000


class Listener:
    """A gateway: it believes signed lines that are numbered without a gap, and keeps what they say."""

    def __init__(self, plane, lines):
        self._secrets, self._lines = plane.parts.signer.secrets, lines
        self.known, self.version, self.number, self.last = {}, 0, 0, None

    async def line(self):
        part = unseal((await anext(self._lines)).encode() + b"\n", self._secrets)
        assert (part.nonce, part.number) == (NONCE, self.number)
        self.number += 1
        if part.reset:
            self.known.clear()
        for item in part.items:
            self.known.pop((item.kind, item.id), None)
            if not item.gone:
                self.known[item.kind, item.id] = bytes(item.body).decode()
        self.version, self.last = part.version, part
        return part

    async def news(self):
        """The next line that says something; signs of life come whenever they come."""
        while not (part := await self.line()).items:
            pass
        return part

    async def until(self, done):
        while not done():
            await self.line()

    async def whole(self):
        while not (await self.line()).complete:
            pass
        return self.known


@contextlib.asynccontextmanager
async def listening(plane, since=0, path="/v1/gateway/policy/stream"):
    headers = await plane.gateway()
    params = {"since": since, "nonce": NONCE}
    async with plane.client.stream("GET", path, params=params, headers=headers) as answer:
        assert answer.status_code == 200
        yield Listener(plane, answer.aiter_lines())


async def store(plane, *rows, database=None):
    async with (database or plane.parts.database).writing(EVERY_ORG) as session:
        session.info["now_ms"] = 1
        session.add_all(rows)


def project(org_id, name):
    return Project(id=f"prj_{name}", org_id=org_id, owner_id="", name=name, created_at_ms=1)


@pytest.fixture
async def org_id(served):
    return await served.organization()


async def test_a_listener_hears_the_whole_and_then_each_change(served, org_id):
    await store(served, project(org_id, "a"))
    headers = await served.token(org_id)
    async with listening(served) as gateway:
        assert list(await gateway.whole()) == [("project", "prj_a")]
        assert gateway.last.reset
        made = (await served.client.post("/v1/projects", json={"name": "b"}, headers=headers)).json()
        part = await gateway.news()
        assert ([item.id for item in part.items], part.reset, part.complete) == ([made["id"]], False, True)
        await served.client.delete(f"/v1/projects/{made['id']}", headers=headers)
        await gateway.news()
        assert list(gateway.known) == [("project", "prj_a")]
        assert gateway.version == 3


async def test_who_comes_back_hears_what_changed_since(served, org_id):
    await store(served, project(org_id, "a"))
    await store(served, project(org_id, "b"))
    async with listening(served, since=1) as gateway:
        part = await gateway.line()
        assert ([item.id for item in part.items], part.reset, part.version) == (["prj_b"], False, 2)


async def test_who_knows_too_much_or_too_little_hears_the_whole(served, org_id):
    for name in "abc":
        await store(served, project(org_id, name))
    async with served.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(PolicyVersion).values(pruned=2))
    for since, reset in ((0, True), (1, True), (2, False), (3, False), (99, True)):
        async with listening(served, since=since) as gateway:
            await gateway.whole()
            assert gateway.last.reset is reset, since
            assert gateway.version == 3


async def test_who_listens_with_a_token_that_is_revoked_hears_nothing_more(served, org_id):
    async with listening(served) as gateway:
        await gateway.whole()
        async with served.parts.database.writing(EVERY_ORG) as session:
            await session.execute(update(GatewayToken).values(revoked_at_ms=1))
        await store(served, project(org_id, "a"))
        served.parts.feed.wake()
        with pytest.raises(StopAsyncIteration):
            await gateway.news()
        assert gateway.known == {}


async def test_silence_is_broken_by_signs_of_life(served, org_id, monkeypatch):
    monkeypatch.setattr(feeds, "HEARTBEAT_S", 0.01)
    await store(served, project(org_id, "a"))
    async with listening(served) as gateway:
        await gateway.whole()
        for _ in range(3):
            part = await gateway.line()
            assert (part.items, part.version, part.reset, part.complete) == ((), 1, False, True)


async def test_a_change_of_another_process_is_heard(served, org_id):
    other = Database(served.parts.database.url)
    async with listening(served) as gateway:
        await gateway.whole()
        began_s = time.monotonic()
        await store(served, project(org_id, "a"), database=other)
        await gateway.until(lambda: gateway.known)
        print(f"heard of another process's change after {(time.monotonic() - began_s) * 1000:.0f} ms")
    await other.close()


async def test_a_secret_is_sealed_in_the_table_and_opened_on_its_way_out(served, org_id):
    sealed = served.parts.keyring.seal("sk-canary", "provider_credentials:crd_1")
    credential = ProviderCredential(
        id="crd_1", org_id=org_id, name="c", provider="openai", sealed=sealed, hint="", created_by="", created_at_ms=1
    )
    broken = ProviderCredential(
        id="crd_2", org_id=org_id, name="d", provider="openai", sealed="lost.x", hint="", created_by="", created_at_ms=1
    )
    await store(served, credential, broken, project(org_id, "a"))
    async with served.parts.database.reading(EVERY_ORG) as session:
        stored = await session.get(PolicyItem, ("credential", "crd_1"))
    assert b"sk-canary" not in stored.body
    async with listening(served) as gateway:
        known = await gateway.whole()
        # What cannot be opened holds nothing else up.
        assert set(known) == {("credential", "crd_1"), ("project", "prj_a")}
        assert '"sk-canary"' in known["credential", "crd_1"]


async def test_what_changes_while_the_whole_is_told_is_told_too(served, org_id, monkeypatch):
    monkeypatch.setattr(feeds, "ITEMS_MAX", 2)
    await store(served, *(project(org_id, name) for name in "abcdef"))
    telling = served.parts.feed.answer(0, NONCE)
    gateway = Listener(served, (line.decode() async for line in telling))
    await gateway.line()
    async with served.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = 1
        await session.delete(await session.get(Project, "prj_a"))
        await session.flush()
        (await session.get(Project, "prj_b")).name = "changed"
        await session.flush()
        session.add(project(org_id, "g"))
    await gateway.whole()
    assert sorted(id for _, id in gateway.known) == [f"prj_{name}" for name in "bcdefg"]
    assert '"changed"' in gateway.known["project", "prj_b"]


async def test_polling_tells_the_same_and_ends(served, org_id):
    await store(served, project(org_id, "a"))
    async with listening(served, path="/v1/gateway/policy") as gateway:
        assert list(await gateway.whole()) == [("project", "prj_a")]
        with pytest.raises(StopAsyncIteration):
            await gateway.line()


async def test_a_line_of_another_key_is_not_believed(served, org_id):
    line = await anext(served.parts.feed.answer(0, NONCE))
    with pytest.raises(Forged):
        unseal(line, {"sign1": b"x" * 32})


async def test_streams_end_with_the_process(served):
    async with listening(served) as gateway:
        await gateway.whole()
        served.parts.feed.close()
        with pytest.raises(StopAsyncIteration):
            await gateway.line()


async def test_of_very_many_keys_a_change_sends_one(served, org_id):
    body = b'{"id":"%s","project_id":"prj_a","sha256":"%s"}'
    rows = [
        {"kind": "key", "id": f"key_{n}", "version": 1, "body": body % (b"key", b"0" * 64), "changed_at_ms": 1}
        for n in range(KEYS)
    ]
    async with served.parts.database.writing(EVERY_ORG) as session:
        await session.execute(insert(PolicyItem), rows)
        await session.execute(update(PolicyVersion).values(version=1))
    headers = await served.token(org_id)
    began_s = time.monotonic()
    async with listening(served) as gateway:
        assert len(await gateway.whole()) == KEYS
        whole_s, began_s = time.monotonic() - began_s, time.monotonic()
        await served.client.post("/v1/projects", json={"name": "b"}, headers=headers)
        part = await gateway.news()
        assert len(part.items) == 1
        print(f"{KEYS} keys told in {whole_s:.2f} s; one change after {(time.monotonic() - began_s) * 1000:.0f} ms")
