"""Owns the tables in ClickHouse of one module's tests, empty at its beginning."""

from collections.abc import Iterator

import pytest

from control_plane.lake.clickhouse.load import ROLLUPS, create
from control_plane.lake.clickhouse.server import Server


@pytest.fixture(scope="module")
def server(clickhouse_url: str) -> Iterator[Server]:
    server = Server(clickhouse_url)
    for name in ("event", *ROLLUPS):
        server.execute(f"DROP TABLE IF EXISTS {name}_rows")
    create(server)
    yield server
    server.close()
