"""Several gateways that spend one budget, lent by a real Redis: no more than it has, whoever dies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.ledger.base import Balance
from tests.contract.servers import Server as Redis
from tests.contract.servers import running_redis
from tests.integration.test_budgets import (
    COST_NANOUSD,
    HELD_NANOUSD,
    asked,
    balance,
    chat,
    dollars,
    error,
    quota,
    refused,
    told,
)
from tests.support.data_plane import Gateway, Provider, policy, provider, serving, until, upstreams_at


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    with running_redis(tmp_path / "redis") as server:
        yield server


@contextlib.asynccontextmanager
async def node(directory: Path, there: Provider, limits: str, redis: Redis) -> AsyncIterator[Gateway]:
    """A gateway that may borrow."""
    toml = policy(upstreams_at(there.port, "openai")) + limits
    async with serving(directory, toml, ledger_url=redis.url, workers=2) as gateway:
        await until(lambda: gateway.server.ledger.open)  # type: ignore[union-attr]
        yield gateway


async def test_two_gateways_let_through_together_what_one_budget_has(tmp_path: Path, redis: Redis):
    """Case 36, by two processes."""
    limits = quota(limit_usd=dollars(5 * HELD_NANOUSD + HELD_NANOUSD // 2))
    async with (
        provider() as there,
        node(tmp_path / "a", there, limits, redis) as one,
        node(tmp_path / "b", there, limits, redis) as other,
    ):
        clients = [await gateway.client() for gateway in (one, other) for _ in range(20)]
        for client in clients:
            client.send(chat())
        answers = [asyncio.ensure_future(client.message()) for client in clients]
        wires = [(await there.called())[0] for _ in range(5)]
        # None of them is answered before all others are refused: what one gives back, another may have.
        await until(lambda: sum(answer.done() for answer in answers) == 35)
        assert balance(one).held + balance(other).held == 5 * HELD_NANOUSD
        for wire in wires:
            wire.send(told())
        statuses = [(await answer).status for answer in answers]
        # On a machine that does much else, the store cannot be asked in time for everybody: 503.
        assert (statuses.count(200), statuses.count(402) + statuses.count(503)) == (5, 35)
        assert 402 in statuses
        assert balance(one).settled + balance(other).settled == 5 * COST_NANOUSD
    assert there.connections == 5


async def test_what_one_gateway_spent_another_does_not_have(tmp_path: Path, redis: Redis):
    limits = quota(limit_usd=dollars(HELD_NANOUSD + COST_NANOUSD // 2))
    async with provider() as there:
        async with node(tmp_path / "a", there, limits, redis) as one:
            assert (await asked(one, there)).status == 200
        async with node(tmp_path / "b", there, limits, redis) as other:
            assert (await refused(other)).status == 402


async def test_a_gateway_that_comes_back_knows_what_it_spent(tmp_path: Path, redis: Redis):
    limits = quota(limit_usd=dollars(HELD_NANOUSD + COST_NANOUSD // 2))
    async with provider() as there:
        async with node(tmp_path / "a", there, limits, redis) as one:
            await asked(one, there)
        async with node(tmp_path / "a", there, limits, redis) as one:
            assert (await refused(one)).status == 402


async def test_without_the_store_what_is_held_is_spent_and_then_nothing(tmp_path: Path, redis: Redis):
    """Case 41."""
    limits = quota(limit_usd=1) + quota(id="soft", limit_usd=0, action="alert")
    async with provider() as there, node(tmp_path / "a", there, limits, redis) as one:
        assert (await asked(one, there)).status == 200
        redis.kill()
        statuses = []
        while 503 not in statuses:
            client = await one.client()
            client.send(chat())
            answering = asyncio.ensure_future(client.message())
            calling = asyncio.ensure_future(there.accept())
            await asyncio.wait({answering, calling}, return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                wire = calling.result()
                await wire.message()
                wire.send(told(tokens_out=100_000))
                statuses.append((await answering).status)
                wire.close()
            else:
                calling.cancel()
                message = answering.result()
                statuses.append(message.status)
                assert error(message)["code"] == "ledger_unavailable"
        assert set(statuses[:-1]) <= {200}


async def test_a_budget_that_an_embedded_ledger_counted_is_not_forgotten_by_a_move_to_leases(
    tmp_path: Path, redis: Redis
):
    limits = quota(limit_usd=dollars(HELD_NANOUSD + COST_NANOUSD // 2))
    async with provider() as there:
        async with serving(tmp_path / "a", policy(upstreams_at(there.port, "openai")) + limits) as alone:
            await asked(alone, there)
        async with node(tmp_path / "a", there, limits, redis) as one:
            assert balance(one).settled == COST_NANOUSD
            assert (await refused(one)).status == 402


async def test_several_workers_without_a_store_refuse_what_blocks(tmp_path: Path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota(limit_usd=1)
        async with serving(tmp_path, toml, workers=2) as gateway:
            message = await refused(gateway)
    assert (message.status, message.header(b"x-should-retry")) == (503, b"false")
    assert "ledger_url" in error(message)["message"]
    assert balance(gateway) == Balance()


async def test_a_store_that_goes_and_comes_is_told_of_once_each(
    tmp_path: Path, redis: Redis, caplog: pytest.LogCaptureFixture
):
    alert = '[[quotas]]\nid = "soft"\nunit = "usd"\nwindow = "total"\nlimit_usd = 1\naction = "alert"\n'
    async with provider() as there, node(tmp_path / "a", there, alert, redis) as one:
        assert b"lensai_ledger_open 1.0" in (await one.page("/metrics")).body
        assert b"degraded" not in (await one.page("/readyz")).body
        redis.kill()
        await until(lambda: one.server._degraded())
        ready = await one.page("/readyz")
        assert (ready.status, b'"degraded":{"ledger":"the store cannot be asked' in ready.body) == (200, True)
        assert (await asked(one, there)).status == 200
        page = (await one.page("/metrics")).body
        assert b"lensai_ledger_open 0.0" in page
        assert b'lensai_quota_soft_failures_total{quota="soft",reason="ledger_unavailable"} 1.0' in page
        redis.start()
        await until(lambda: not one.server._degraded())
        assert b"lensai_ledger_open 1.0" in (await one.page("/metrics")).body
    told_of = [record.getMessage() for record in caplog.records if record.getMessage().startswith("ledger_store")]
    assert told_of == ["ledger_store_unreachable", "ledger_store_reachable"]
