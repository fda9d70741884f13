"""Owns the fixtures of the contract: every ledger in turn, and a Redis server."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.ledger.base import Ledger
from gateway.ledger.redis import RedisStore
from tests.contract import ledgers
from tests.contract.servers import Server, running_redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running_redis(tmp_path / "redis") as server:
        yield server


@contextlib.asynccontextmanager
async def over_redis(server: Server) -> AsyncIterator[Ledger]:
    store = RedisStore(server.url)
    try:
        async with ledgers.Node("a", store).working() as ledger:
            yield ledger
    finally:
        await store.close()


# One line for each implementation.
IMPLEMENTATIONS = {"local": ledgers.local, "leases-model": ledgers.over_model, "leases-redis": None}


@pytest.fixture(params=IMPLEMENTATIONS)
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    make = IMPLEMENTATIONS[request.param]
    made = make() if make is not None else over_redis(request.getfixturevalue("server"))
    async with made as ledger:
        yield ledger
