import asyncio

from sqlalchemy import select

from control_plane.db.engine import EVERY_ORG
from control_plane.projects.tables import Project
from control_plane.publish.outbox import PUBLISHED
from control_plane.publish.tables import PolicyItem, PolicyVersion


async def write(plane, org_id, act):
    """What a transaction published, as its version; None for nothing."""
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = 1
        await act(session)
        await session.flush()
        return session.info.get(PUBLISHED)


def adding(org_id, *names):
    async def act(session):
        session.add_all(
            Project(id=f"prj_{name}", org_id=org_id, owner_id="", name=name, created_at_ms=1) for name in names
        )

    return act


async def items(plane):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        query = select(PolicyItem.id, PolicyItem.version, PolicyItem.body.is_(None)).order_by(PolicyItem.id)
        return [tuple(row) for row in (await session.execute(query)).all()]


async def test_items_of_one_transaction_have_one_version(either_plane):
    org_id = await either_plane.organization()
    assert await write(either_plane, org_id, adding(org_id, "a", "b")) == 1
    assert await write(either_plane, org_id, adding(org_id, "c")) == 2
    assert await items(either_plane) == [("prj_a", 1, False), ("prj_b", 1, False), ("prj_c", 2, False)]


async def test_a_change_replaces_its_item_and_one_that_changes_nothing_does_not(either_plane):
    org_id = await either_plane.organization()
    await write(either_plane, org_id, adding(org_id, "a", "b"))

    async def rename(session):
        (await session.get(Project, "prj_a")).name = "other"

    async def touch(session):
        (await session.get(Project, "prj_b")).updated_at_ms = 9

    assert await write(either_plane, org_id, rename) == 2
    assert await write(either_plane, org_id, touch) is None
    assert await items(either_plane) == [("prj_a", 2, False), ("prj_b", 1, False)]


async def test_what_is_deleted_stays_as_gone(either_plane):
    org_id = await either_plane.organization()
    await write(either_plane, org_id, adding(org_id, "a"))

    async def drop(session):
        await session.delete(await session.get(Project, "prj_a"))

    assert await write(either_plane, org_id, drop) == 2
    assert await items(either_plane) == [("prj_a", 2, True)]


async def test_changes_at_once_take_versions_without_a_gap(either_plane):
    org_id = await either_plane.organization()
    writes = [write(either_plane, org_id, adding(org_id, name)) for name in "abcdefgh"]
    assert sorted(await asyncio.gather(*writes)) == list(range(1, 9))
    async with either_plane.parts.database.reading(EVERY_ORG) as session:
        assert (await session.execute(select(PolicyVersion.version))).scalar_one() == 8
