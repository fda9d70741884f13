"""Owns bringing a database to the schema of this version. Alembic does the work; the scripts are in migrations/.

Several processes may start at once: PostgreSQL lets one of them migrate at a time.
"""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from control_plane.db.engine import Database

# Any number that nobody else takes: PostgreSQL's advisory locks are numbers.
_LOCK = 0x1E15A1


async def upgrade(database: Database, revision: str = "head") -> None:
    """Applies what is missing, each in a transaction."""
    await _run(database, lambda config: command.upgrade(config, revision))


async def downgrade(database: Database, revision: str) -> None:
    await _run(database, lambda config: command.downgrade(config, revision))


async def revision(database: Database) -> str | None:
    """The revision that a database is at; None before the first."""
    from alembic.migration import MigrationContext

    async with database.engine.connect() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def differences(database: Database) -> list[object]:
    """How the database differs from the tables that are declared; empty when migrations are complete."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from control_plane.db.all_tables import metadata

    async with database.engine.connect() as connection:
        return await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )


async def _run(database: Database, action: Callable[[Config], None]) -> None:
    async with database.engine.begin() as connection:
        if not database.sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await connection.run_sync(lambda sync: action(_config(sync)))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
