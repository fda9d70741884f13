"""Entries are in the transaction of what they tell of, follow each other, and hold no secret."""

import asyncio
import sys

import pytest
from sqlalchemy import select

from control_plane.audit.chain import Entry, verify
from control_plane.audit.service import MASKED, entry_of, masked, record
from control_plane.audit.tables import AuditLog
from control_plane.auth.principal import Principal
from control_plane.db.engine import Database
from control_plane.settings import Settings
from control_plane.work import Work
from tests.support.control_plane import ring


async def add(database, org_id, action, *, fail=False, **said):
    async with database.writing(org_id) as session:
        principal = Principal("user", "usr_1", "a@b", org_id, "owner")
        await record(Work(session, principal, 1, ring("k"), Settings(), "req_1"), action, "thing:1", **said)
        assert not fail


async def entries(database, org_id) -> list[Entry]:
    async with database.reading(org_id) as session:
        rows = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    return [entry_of(row) for row in rows]


async def test_entries_follow_each_other_in_each_organization(either_plane):
    database = either_plane.parts.database
    mine, theirs = await either_plane.organization(), await either_plane.organization()
    for org_id in (mine, theirs, mine):
        await add(database, org_id, "thing:change", before={"a": 1}, after={"a": 2, "secret": "canary"})
    written = await entries(database, mine)
    assert [entry.number for entry in written] == [1, 2]
    assert verify(written) is None
    assert written[0].actor == "user:usr_1"
    assert written[0].meta == {"before": {"a": 1}, "after": {"a": 2, "secret": MASKED}, "request_id": "req_1"}
    assert [entry.number for entry in await entries(database, theirs)] == [1]


async def test_what_is_rolled_back_leaves_no_entry_and_no_gap(either_plane):
    database, org_id = either_plane.parts.database, await either_plane.organization()
    await add(database, org_id, "first")
    with pytest.raises(AssertionError):
        await add(database, org_id, "failed", fail=True)
    await add(database, org_id, "second")
    written = await entries(database, org_id)
    assert ([entry.action for entry in written], verify(written)) == (["first", "second"], None)


async def test_replicas_that_write_at_once_fork_no_chain(either_plane):
    """Two processes beside this one, with engines of their own; the first entry is raced for too."""
    org_id, url = await either_plane.organization(), either_plane.parts.database.url
    module = "tests.unit.control_plane.audit.test_service"
    program = f"import asyncio, sys; from {module} import many; asyncio.run(many(*sys.argv[1:]))"
    children = [await asyncio.create_subprocess_exec(sys.executable, "-c", program, url, org_id) for _ in range(2)]
    await many(url, org_id)
    assert [await child.wait() for child in children] == [0, 0]
    written = await entries(either_plane.parts.database, org_id)
    assert (len(written), verify(written)) == (60, None)


async def many(url: str, org_id: str) -> None:
    database = Database(url)
    for _ in range(4):
        await asyncio.gather(*(add(database, org_id, "thing:change") for _ in range(5)))
    await database.close()


def test_what_models_write_is_no_secret():
    assert masked({"rates": {"trained_tokens": "1"}, "token_id": "canary"}) == {
        "rates": {"trained_tokens": "1"}, "token_id": MASKED,
    }  # fmt: skip


def test_c16_secrets_are_masked_at_any_depth():
    told = {"name": "n", "token": "canary", "inner": [{"webhook_url": "canary", "sha256": "canary"}], "secret": None}
    assert masked(told) == {
        "name": "n", "token": MASKED, "inner": [{"webhook_url": MASKED, "sha256": MASKED}], "secret": None,
    }  # fmt: skip
