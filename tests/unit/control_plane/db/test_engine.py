"""One organization's session sees and changes nothing of another, whatever a statement looks like."""

import asyncio
import contextlib

import pytest
from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from control_plane.db.engine import EVERY_ORG, READERS_MAX
from control_plane.projects.tables import Project
from control_plane.providers.tables import Upstream


def project(id, org_id, name="p"):
    return Project(id=id, org_id=org_id, owner_id="usr_1", name=name, created_at_ms=1, archived_at_ms=None)


def upstream(id, org_id, name):
    return Upstream(
        id=id, org_id=org_id, name=name, provider="openai", origin="", models={}, options={}, created_at_ms=1
    )


@pytest.fixture
async def database(either_plane):
    """Two organizations, each with a project and an upstream that have the other's names."""
    plane = either_plane
    plane.mine, plane.theirs = await plane.organization("Mine"), await plane.organization("Theirs")
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = 1
        session.add_all([project("prj_mine", plane.mine), project("prj_theirs", plane.theirs)])
        session.add_all([upstream("ups_mine", plane.mine, "u"), upstream("ups_theirs", plane.theirs, "u")])
    return plane


OTHER = aliased(Project)
STATEMENTS = {
    "entity": select(Project.id),
    "alias": select(OTHER.id),
    "rows": select(func.count()).select_from(Project),
    "join": select(Upstream.id).join(Project, Project.name == "p"),
    "alias joined": select(OTHER.id).select_from(Project).join(OTHER, OTHER.id != Project.id),
    "subquery": select(select(Project.id).subquery().c.id),
    "scalar subquery": select(select(func.max(Project.id)).scalar_subquery()),
    "in": select(Upstream.id).where(Upstream.name.in_(select(Upstream.name).where(Upstream.id == "ups_theirs"))),
    "exists": select(Upstream.id).where(exists(select(Project.id).where(Project.id == "prj_theirs"))),
    "cte": select(select(Project.id).cte("c").c.id),
    "union": select(Project.id).union(select(Upstream.id)),
}


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_query_sees_the_own_rows_alone(database, name):
    async with database.parts.database.reading(database.mine) as session:
        found = {str(value) for value in (await session.execute(STATEMENTS[name])).scalars()}
    assert not {one for one in found if "theirs" in one}
    assert found <= {"prj_mine", "ups_mine", "1", "None"}, found


async def test_another_ones_row_is_not_got_by_its_id(database):
    async with database.parts.database.reading(database.mine) as session:
        assert await session.get(Project, "prj_theirs") is None
        assert (await session.get(Project, "prj_mine")).id == "prj_mine"


async def test_the_same_statement_serves_each_its_own(database):
    for org_id, id in ((database.mine, "prj_mine"), (database.theirs, "prj_theirs")) * 2:
        async with database.parts.database.reading(org_id) as session:
            assert (await session.execute(select(Project.id))).scalars().all() == [id]


async def test_statements_that_change_many_leave_another_ones_rows(database):
    async with database.parts.database.writing(database.mine) as session:
        await session.execute(update(Upstream).values(name="renamed"))
        await session.execute(delete(Project).where(Project.name == "p"))
    async with database.parts.database.reading(EVERY_ORG) as session:
        assert (await session.execute(select(Project.id))).scalars().all() == ["prj_theirs"]
        found = (await session.execute(select(Upstream.name).order_by(Upstream.id))).scalars().all()
    assert found == ["renamed", "u"]


async def add(database, org_id, row):
    async with database.parts.database.writing(org_id) as session:
        session.info["now_ms"] = 1
        session.add(row)
        await session.flush()


async def give_away(database):
    async with database.parts.database.writing(database.mine) as session:
        session.info["now_ms"] = 1
        (await session.get(Project, "prj_mine")).org_id = database.theirs


async def insert_past_the_check(database):
    async with database.parts.database.writing(database.mine) as session:
        await session.execute(insert(Upstream).values(id="ups_x", org_id=database.theirs))


async def add_and_fail(database):
    async with database.parts.database.writing(database.mine) as session:
        session.info["now_ms"] = 1
        session.add(project("prj_new", database.mine, "new"))
        await session.flush()
        raise ZeroDivisionError


async def test_a_row_of_another_is_not_written(database):
    with pytest.raises(AssertionError, match="a row of another organization"):
        await add(database, database.mine, project("prj_new", database.theirs, "new"))
    with pytest.raises(AssertionError, match="a row of another organization"):
        await give_away(database)
    with pytest.raises(AssertionError, match="a row of another organization, perhaps"):
        await insert_past_the_check(database)
    async with database.parts.database.reading(EVERY_ORG) as session:
        found = (await session.execute(select(Project.id, Project.org_id).order_by(Project.id))).all()
    assert [tuple(row) for row in found] == [("prj_mine", database.mine), ("prj_theirs", database.theirs)]


async def test_what_is_not_committed_is_dropped(database):
    with pytest.raises(ZeroDivisionError):
        await add_and_fail(database)
    async with database.parts.database.reading(database.mine) as session:
        assert await session.get(Project, "prj_new") is None


async def test_foreign_keys_hold(database):
    with pytest.raises(IntegrityError):
        await add(database, EVERY_ORG, project("prj_new", "org_of_nobody"))


async def test_a_database_of_sqlite_survives_a_power_cut_and_waits_for_writers(plane):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        values = [(await session.execute(text(f"PRAGMA {name}"))).scalar() for name in
                  ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")]  # fmt: skip
    assert values == ["wal", 2, 1, 5_000]


async def name_of(database, n: int) -> None:
    await add(database, database.mine, project(f"prj_{n}", database.mine, f"n{n}"))


async def count(database) -> int:
    async with database.parts.database.reading(database.mine) as session:
        return len((await session.execute(select(Project.id))).all())


async def test_fifty_who_write_at_once_all_do(database):
    await asyncio.gather(*(name_of(database, n) for n in range(50)))
    assert await count(database) == 51


async def test_who_gives_up_while_writing_is_in_nobodys_way(database):
    given_up = [asyncio.create_task(name_of(database, n)) for n in range(20)]
    for task in given_up:
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    before = await count(database)
    await asyncio.gather(*(name_of(database, n) for n in range(20, 70)))
    assert await count(database) == before + 50


async def test_a_writer_waits_for_no_reader(plane):
    """Readers who hold every connection there is."""
    database = plane.parts.database
    async with contextlib.AsyncExitStack() as held:
        for _ in range(READERS_MAX):
            session = await held.enter_async_context(database.reading(EVERY_ORG))
            await session.execute(select(Project.id))
        async with asyncio.timeout(5):
            await plane.organization()
