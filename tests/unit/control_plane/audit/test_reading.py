"""Whatever is done to the rows behind the application's back, the first link that does not hold is named."""

import pytest
from sqlalchemy import text

from control_plane.audit import reading
from control_plane.audit.chain import Broken
from control_plane.audit.reading import check
from control_plane.db.engine import EVERY_ORG

EDITS = {
    "edit": ("UPDATE audit_logs SET actor = 'user:other' WHERE number = 3", 3, "changed after it was written"),
    "gap": ("DELETE FROM audit_logs WHERE number = 3", 3, "entry 3 is missing: the next is 4"),
    "swap": ("UPDATE audit_logs SET number = CASE number WHEN 2 THEN -2 WHEN 3 THEN -3 ELSE number END", 2, "missing"),
    "truncation": ("DELETE FROM audit_logs WHERE number > 3", 4, "it is missing: the head is at 5"),
    "all gone": ("DELETE FROM audit_logs", 1, "it is missing: the head is at 5"),
    "head": ("UPDATE audit_heads SET hash = 'x'", 5, "the head of the chain has another hash"),
    "head back": ("UPDATE audit_heads SET number = 4", 5, "it is behind the head of the chain"),
    "no head": ("DELETE FROM audit_heads", 1, "it is behind the head of the chain"),
}


@pytest.fixture
async def org_id(either_plane):
    """An organization with five entries."""
    org_id = await either_plane.organization()
    headers = await either_plane.token(org_id)
    for name in "abcde":
        await either_plane.client.post("/v1/projects", json={"name": name}, headers=headers)
    return org_id


async def checked(plane, org_id):
    async with plane.parts.database.reading(org_id) as session:
        return await check(session, org_id)


async def test_a_log_that_nobody_touched_holds(either_plane, org_id, monkeypatch):
    for chunk in (1, 2, 5, 1000):
        monkeypatch.setattr(reading, "CHUNK", chunk)
        found = await checked(either_plane, org_id)
        assert (found.entries, found.broken, len(found.last_hash)) == (5, None, 64)
    assert (await checked(either_plane, await either_plane.organization())).broken is None


@pytest.mark.parametrize("kind", EDITS)
async def test_c15_the_first_broken_link_is_named(either_plane, org_id, kind):
    statement, number, reason = EDITS[kind]
    async with either_plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(text(statement))
    broken = (await checked(either_plane, org_id)).broken
    assert isinstance(broken, Broken)
    assert broken.number == number
    assert reason in broken.reason
