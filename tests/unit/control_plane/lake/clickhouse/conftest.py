"""Owns the fixtures of ClickHouse: one engine for the run, and its tables, empty."""

from collections.abc import Iterator

import pytest

from control_plane.lake.clickhouse.load import ROLLUPS, create
from control_plane.lake.clickhouse.server import Server
from tests.support.clickhouse_server import clickhouse


@pytest.fixture(scope="session")
def clickhouse_url() -> Iterator[str]:
    with clickhouse() as url:
        yield url


@pytest.fixture(scope="module")
def server(clickhouse_url: str) -> Iterator[Server]:
    server = Server(clickhouse_url)
    for name in ("event", *ROLLUPS):
        server.execute(f"DROP TABLE IF EXISTS {name}_rows")
    create(server)
    yield server
    server.close()
