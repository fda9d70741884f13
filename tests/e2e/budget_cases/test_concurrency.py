"""Cases 36, 37, 40 and 43 to 48: many calls, many scopes, crashes, and limits that move.

Cases 38, 39, 41 and 42 (a store that loses writes, a reseeding, a partition, two nodes with one id) are about several
nodes: tests/contract and tests/simulation have them.
"""

import asyncio
import json
from random import Random

import pytest

from gateway.ledger.embedded import EmbeddedLedger
from gateway.policy import PolicyError
from tests.e2e.budget_cases.rows import CHAT, chat
from tests.e2e.budget_cases.stage import before_provider, before_sandbox, dollars, quota
from tests.support.data_plane import Wire, call, provider, soon, until
from tests.support.gateways import gateway_on, sandbox_upstreams
from tests.support.holds import hold, holds

# Of a provider whose prices are flat and whose tokenizer is not known: every such call holds the same.
FLAT = "/groq/v1/chat/completions"
BODY = chat(model="llama-3.3-70b-versatile", max_tokens=100)


async def test_36_of_64_calls_at_once_exactly_those_pass_that_fit(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        await stage.ask(FLAT, BODY)
        await stage.quiet()
        held, spent = stage.held_at_most(), stage.balance().settled
        stage.limit(quota(limit_usd=dollars(spent + 7 * held + held // 2)))
        messages = await asyncio.gather(*(stage.ask(FLAT, BODY, delay_ms=300) for _ in range(64)))
        assert sorted(message.status for message in messages) == [200] * 7 + [402] * 57
        await stage.quiet()
        assert stage.balance().settled == await stage.billed()


async def test_37_what_a_killed_process_held_is_spent(tmp_path):
    async with provider() as there:
        with gateway_on(tmp_path / "data", sandbox_upstreams(f"http://127.0.0.1:{there.port}")) as gateway:
            token = gateway.add_key()
            body = json.dumps(BODY).encode()
            held = (len(body) + 512) * 590 + 100 * 790
            with gateway.config.open("a") as file:
                file.write(quota(limit_usd=dollars(2 * held - 1)))
            gateway.start()
            client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
            client.send(call(FLAT, body, token=token))
            await there.called()
            gateway.kill()
            client.abort()
            for _ in range(2):
                gateway.start()
                client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
                client.send(call(FLAT, body, token=token))
                assert (await client.message()).status == 402
                client.close()
                gateway.stop()
        assert there.connections == 1


async def test_40_whatever_becomes_of_calls_nothing_stays_held(tmp_path, sandbox):
    chance = Random(40)
    ends = [
        {}, {"fail_status": 500}, {"fail_status": 429}, {"drop": "always"}, {"cut_after_chunks": 1},
        {"error_after_chunks": 1}, {"close": "silent"},
    ]  # fmt: skip
    scopes = [quota(limit_usd=90), quota("u", limit_usd=9, scope={"user": "*"}), quota("c", unit="concurrent", limit=9)]
    async with before_sandbox(tmp_path, sandbox, *scopes) as stage:

        async def one(user: int) -> None:
            controls = chance.choice(ends)
            client = await stage.send(
                CHAT, chat(stream=True, max_tokens=40), b"x-lensai-user: u%d" % (user % 5), tokens=30, **controls
            )
            if chance.random() < 0.3:
                await client.some()
                client.abort()
            else:
                await client.some()

        await asyncio.gather(*(one(user) for user in range(60)))
        await stage.quiet()
        assert await stage.billed() <= stage.balance().settled


async def test_43_a_user_never_seen_has_a_limit_before_the_first_call(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=0, scope={"user": "*"})) as stage:
        assert (await stage.ask(CHAT, chat(max_tokens=5), b"x-lensai-user: nobody-knows-me")).status == 402
        assert (await stage.ask(CHAT, chat(max_tokens=5))).status == 402
        assert await stage.seen() == 0


async def test_44_what_fails_at_the_third_scope_takes_nothing_of_the_first_two(tmp_path, sandbox):
    scopes = [
        quota("a", limit_usd=9),
        quota("b", limit_usd=9, scope={"user": "*"}),
        quota("c", limit_usd=0, scope={"tag": "dear"}),
    ]
    async with before_sandbox(tmp_path, sandbox, *scopes) as stage:
        lines = (b"x-lensai-user: ann", b"x-lensai-tags: dear")
        assert (await stage.ask(CHAT, chat(max_tokens=5), *lines)).status == 402
        assert not any(balance.held or balance.settled for balance in stage.gateway.server.ledger.counters().values())
        assert await stage.seen() == 0


async def test_45_a_limit_that_is_lowered_lets_calls_end_and_none_begin(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        client = await stage.send(CHAT, chat(max_tokens=20), delay_ms=200)
        await until(lambda: stage.balance().held)
        stage.limit(quota(limit_usd=0))
        assert (await stage.ask(CHAT, chat(max_tokens=20))).status == 402
        assert (await client.message()).status == 200
        await stage.settled(await stage.billed())
        assert await stage.seen() == 1


async def test_46_a_kill_switch_ends_a_stream_whose_hold_stays(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        client = await stage.send(CHAT, chat(stream=True, max_tokens=400), tokens=300, chunk_delay_ms=5)
        await client.until(b"data: ")
        stage.limit(quota(limit_usd=9), '[[kill_switches]]\nid = "stop"\nscope = { project = "web" }\n')
        assert b'"code":"kill_switch"' in await client.until(b"\r\n0\r\n\r\n")
        await stage.quiet()
        assert stage.balance().settled == stage.held_at_most() >= await stage.billed() > 0
        assert (await stage.ask(CHAT, chat(max_tokens=20))).status == 403


async def test_47_nothing_is_refused_everything_and_unlimited_is_said(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox, quota(limit_usd=0)) as stage:
        assert (await stage.ask(CHAT, chat(max_tokens=5))).status == 402
        assert await stage.seen() == 0
        stage.limit(quota(limit="unlimited"))
        assert (await stage.ask(CHAT, chat(max_tokens=5))).status == 200
        await stage.settled(await stage.billed())


@pytest.mark.parametrize(
    "limit",
    [
        "",
        "limit_usd = -1",
        "limit_usd = nan",
        "limit_usd = inf",
        "limit_usd = 1e18",
        'limit_usd = "null"',
        "limit_usd = 0.0000000001",
    ],
)
async def test_47_a_limit_that_is_none_is_not_served(tmp_path, limit):
    wrong = f'[[quotas]]\nid = "q"\nunit = "usd"\n{limit}\n'
    with pytest.raises(PolicyError):
        async with before_provider(tmp_path, wrong):
            raise AssertionError("it was served")


async def test_48_sums_are_exact(tmp_path, sandbox):
    async with before_sandbox(tmp_path, sandbox) as stage:
        for size in range(1, 41):
            await stage.ask("/openai/v1/embeddings", {"model": "text-embedding-3-small", "input": "x" * size})
        await stage.quiet()
        assert stage.balance().settled == await stage.billed() > 0


def test_48_a_hundred_thousand_times_four_tenths_of_a_micro_dollar_is_four_cents():
    ledger = EmbeddedLedger()
    for call_number in range(100_000):
        ledger.reserve(str(call_number), holds(hold("q@total", 400, 40_000_000)))
        ledger.settle(str(call_number), {"q@total": 400})
    assert ledger.balance("q@total").settled == 40_000_000
    assert ledger.reserve("more", holds(hold("q@total", 1, 40_000_000))) is not None
