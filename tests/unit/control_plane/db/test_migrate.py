import asyncio
from functools import partial
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Integer, MetaData, Table, inspect, select

from control_plane.db import migrate
from control_plane.db.engine import Database
from control_plane.keys.tables import ApiKey

SCRIPTS = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


@pytest.fixture
async def database(database_url):
    database = Database(database_url)
    yield database
    await database.close()


async def tables(database):
    async with database.engine.connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))


async def test_all_migrations_make_what_the_tables_declare(database):
    await migrate.upgrade(database)
    assert await migrate.differences(database) == []
    assert await migrate.revision(database) == REVISIONS[-1]


async def test_every_revision_goes_up_and_down_and_up_again(database):
    assert await migrate.revision(database) is None
    for revision in REVISIONS:
        await migrate.upgrade(database, revision)
        above = await tables(database)
        await migrate.downgrade(database, "-1")
        await migrate.upgrade(database, revision)
        assert await tables(database) == above
    assert await migrate.differences(database) == []
    await migrate.downgrade(database, "base")
    assert await tables(database) == {"alembic_version"}


def a_row(connection, name, **given):
    """With what a revision demands of its columns, whatever that is."""
    table = Table(name, MetaData(), autoload_with=connection)
    for column in table.columns:
        if column.name not in given and not column.nullable:
            given[column.name] = 0 if isinstance(column.type, Integer) else [] if isinstance(column.type, JSON) else "x"
    connection.execute(table.insert().values(given))


async def test_keys_that_were_rotated_before_know_those_in_whose_place_they_are(database):
    await migrate.upgrade(database, "0002")
    async with database.engine.begin() as connection:
        await connection.run_sync(partial(a_row, name="organizations", id="o"))
        await connection.run_sync(partial(a_row, name="projects", id="p", org_id="o"))
        for id, after in (("k1", "k2"), ("k2", "k3"), ("k3", None), ("other", None)):
            key = {"id": id, "hash": id, "replaced_by": after, "org_id": "o", "project_id": "p", "disabled": False}
            await connection.run_sync(partial(a_row, name="api_keys", **key, mode="metered", on_disconnect="drain"))
    await migrate.upgrade(database)
    async with database.engine.connect() as connection:
        found = dict((await connection.execute(select(ApiKey.id, ApiKey.replaces))).all())
    assert found == {"k1": [], "k2": ["k1"], "k3": ["k1", "k2"], "other": []}


async def test_a_migrated_database_is_left_as_it_is(database):
    await migrate.upgrade(database)
    await migrate.upgrade(database)
    assert await migrate.differences(database) == []


async def test_processes_that_start_at_once_migrate_once(database_url):
    databases = [Database(database_url) for _ in range(3 if database_url.startswith("postgresql") else 1)]
    await asyncio.gather(*(migrate.upgrade(database) for database in databases))
    assert await migrate.differences(databases[0]) == []
    for database in databases:
        await database.close()
