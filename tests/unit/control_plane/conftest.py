"""Owns the fixtures of the control plane: one over SQLite for most tests, one over each database where that matters."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.clickhouse_server import clickhouse
from tests.support.control_plane import ControlPlane, Postgres, control_plane, postgres, served_plane


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def clickhouse_url() -> Iterator[str]:
    """The one engine of a process; who uses it drops its tables first."""
    with clickhouse() as url:
        yield url


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with control_plane(f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite", tmp_path) as plane:
        yield plane


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    server: Postgres = request.getfixturevalue("postgres_server")
    return await server.new_database()


@pytest.fixture
async def either_plane(database_url: str, tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """The same application over SQLite and over PostgreSQL."""
    async with control_plane(database_url, tmp_path) as plane:
        yield plane


@pytest.fixture
async def served(database_url: str, tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """The same behind the real server, on a port."""
    async with served_plane(database_url, tmp_path) as plane:
        yield plane
