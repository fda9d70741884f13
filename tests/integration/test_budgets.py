"""Quotas in a running gateway, on raw sockets: what is held, what is refused, what a stream pays, what is charged.

The provider is the test's own; its answers state the usage, and so what is to be charged.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.ledger.base import Balance
from gateway.pipeline import SETTLED_AT_ONCE
from tests.support.data_plane import (
    Gateway,
    Message,
    Provider,
    Wire,
    answer,
    call,
    chunk,
    policy,
    provider,
    serving,
    stream_head,
    until,
    upstreams_at,
)

MODEL = "gpt-4o-mini-2024-07-18"
# 0.15 and 0.60 USD per million: 150 and 600 nano-USD a token. It may be served at priority, for 250 and 1000, and what
# is written around a prompt is taken for 512 tokens at most.
CHAT = b'{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'
HELD_NANOUSD = (len(CHAT) + 512) * 250 + 100 * 1000
STREAM = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
COST_NANOUSD = 10 * 150 + 5 * 600


def quota(**fields: Any) -> str:
    rows = {"id": "q", "unit": "usd", "window": "total"} | fields
    return "[[quotas]]\n" + "\n".join(f"{name} = {_toml(value)}" for name, value in rows.items()) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'{name} = "{text}"' for name, text in value.items()) + "}"
    return json.dumps(value)


def dollars(nanousd: int) -> str:
    return f"{nanousd / 10**9:.9f}"


def told(tokens_in: int = 10, tokens_out: int = 5) -> bytes:
    usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}
    return answer(json.dumps({"model": MODEL, "choices": [], "usage": usage}).encode())


def chat(*lines: bytes, body: bytes = CHAT) -> bytes:
    return call("/openai/v1/chat/completions", body, *lines)


async def asked(gateway: Gateway, there: Provider, said: bytes = b"", *lines: bytes) -> Message:
    """One whole call."""
    client = await gateway.client()
    client.send(chat(*lines))
    wire, _ = await there.called()
    wire.send(said or told())
    message = await client.message()
    wire.close()
    return message


async def refused(gateway: Gateway, *lines: bytes, body: bytes = CHAT) -> Message:
    """One call that no provider may see."""
    client = await gateway.client()
    client.send(chat(*lines, body=body))
    return await client.message()


def error(message: Message) -> dict[str, Any]:
    return json.loads(message.body)["error"]


def balance(gateway: Gateway, counter: str = "q@total") -> Balance:
    return gateway.server.ledger.balance(counter)


async def test_what_a_call_may_cost_is_held_and_what_it_did_cost_is_charged(tmp_path: Path):
    limit = quota(limit_usd=dollars(HELD_NANOUSD + COST_NANOUSD))
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        client = await gateway.client()
        client.send(chat())
        wire, _ = await there.called()
        assert balance(gateway) == Balance(0, HELD_NANOUSD)
        wire.send(told())
        assert (await client.message()).status == 200
        wire.close()
        assert balance(gateway) == Balance(COST_NANOUSD, 0)
        assert (await asked(gateway, there)).status == 200

        no = await refused(gateway)
        records = await gateway.stop()

    assert (no.status, error(no)["code"], no.header(b"x-should-retry")) == (402, "budget_exceeded", b"false")
    assert no.header(b"retry-after") is None
    assert error(no)["lensai"]["remaining"] == f"{(HELD_NANOUSD - COST_NANOUSD) / 10**9:.9f}"
    assert there.connections == 2
    assert [record.counters for record in records] == [{"q@total": COST_NANOUSD}] * 2 + [None]


async def test_of_calls_at_once_exactly_those_pass_that_fit(tmp_path: Path):
    """Case 36."""
    limit = quota(limit_usd=dollars(5 * HELD_NANOUSD + HELD_NANOUSD // 2))
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        clients = [await gateway.client() for _ in range(64)]
        for client in clients:
            client.send(chat())
        wires = [(await there.called())[0] for _ in range(5)]
        answers = [asyncio.ensure_future(client.message()) for client in clients]
        # None of the five is answered before all others are refused: what one gives back, another may have.
        await until(lambda: sum(answer.done() for answer in answers) == 59)
        assert balance(gateway).held == 5 * HELD_NANOUSD
        for wire in wires:
            wire.send(told())
        assert sorted([(await answer).status for answer in answers]) == [200] * 5 + [402] * 59
        assert balance(gateway) == Balance(5 * COST_NANOUSD, 0)
    assert there.connections == 5


async def test_a_restart_knows_what_was_spent(tmp_path: Path):
    limit = quota(limit_usd=dollars(HELD_NANOUSD + COST_NANOUSD // 2))
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + limit
        async with serving(tmp_path, toml) as gateway:
            await asked(gateway, there)
        async with serving(tmp_path, toml) as gateway:
            assert balance(gateway) == Balance(COST_NANOUSD, 0)
            assert (await refused(gateway)).status == 402


@pytest.mark.parametrize(
    ("status", "charged"),
    [(400, 0), (429, 0), (500, HELD_NANOUSD), (503, HELD_NANOUSD)],
)
async def test_a_provider_that_refuses_costs_nothing_and_one_that_fails_may_have_cost(
    tmp_path: Path, status: int, charged: int
):
    """Case 25."""
    toml = quota(limit_usd=1)
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + toml) as gateway:
        assert (await asked(gateway, there, answer(b"{}", status=status))).status == status
        assert balance(gateway) == Balance(charged, 0)


async def test_a_call_that_was_never_sent_gives_everything_back(tmp_path: Path):
    """Case 26."""
    async with provider() as there:
        port = there.port
    async with serving(tmp_path, policy(upstreams_at(port, "openai")) + quota(limit_usd=1)) as gateway:
        assert (await refused(gateway)).status == 502
        assert balance(gateway) == Balance(0, 0)


async def test_an_answer_without_usage_is_charged_as_it_was_held(tmp_path: Path):
    """Cases 31 and 32: unknown is not zero."""
    async with (
        provider() as there,
        serving(tmp_path, policy(upstreams_at(there.port, "openai")) + quota(limit_usd=1)) as gateway,
    ):
        await asked(gateway, there, answer(b'{"model":"gpt-4o-mini","choices":[]}'))
        await until(lambda: not balance(gateway).held)
        assert balance(gateway) == Balance(HELD_NANOUSD, 0)


async def test_more_than_was_held_is_recorded_and_stops_what_comes(tmp_path: Path):
    """Case 30."""
    limit = quota(limit_usd=dollars(HELD_NANOUSD))
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        await asked(gateway, there, told(tokens_out=1000))
        assert balance(gateway).settled == 10 * 150 + 1000 * 600
        assert (await refused(gateway)).status == 402


async def test_a_limit_of_requests_says_when_to_come_again(tmp_path: Path):
    limit = quota(unit="requests", window="minute", limit=1)
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        await asked(gateway, there)
        no = await refused(gateway)

    assert (no.status, error(no)["code"]) == (429, "rate_limited")
    assert 1 <= int(no.header(b"retry-after") or 0) <= 60


async def test_calls_at_a_time_are_limited_and_let_in_again(tmp_path: Path):
    limit = quota(unit="concurrent", limit=1)
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        client = await gateway.client()
        client.send(chat())
        wire, _ = await there.called()
        assert (await refused(gateway)).status == 429
        wire.send(told())
        await client.message()
        wire.close()
        assert (await asked(gateway, there)).status == 200


async def test_one_user_s_budget_is_not_another_s(tmp_path: Path):
    """Case 43: the limit is there before the first call."""
    limit = quota(limit_usd=dollars(HELD_NANOUSD), scope={"user": "*"})
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        assert (await asked(gateway, there, b"", b"x-lensai-user: ann")).status == 200
        assert (await refused(gateway, b"x-lensai-user: ann")).status == 402
        assert (await asked(gateway, there, b"", b"x-lensai-user: bob")).status == 200
        assert balance(gateway, "q@total|user=bob") == Balance(COST_NANOUSD, 0)


def event(text: str) -> bytes:
    return chunk(b"data: " + json.dumps({"model": MODEL, "choices": [{"delta": {"content": text}}]}).encode() + b"\n\n")


async def streaming(gateway: Gateway, there: Provider) -> tuple[Wire, Wire]:
    client = await gateway.client()
    client.send(chat(body=STREAM))
    wire, _ = await there.called()
    wire.send(stream_head(), event("x"))
    await client.until(HEAD := b"\r\n\r\n")
    assert HEAD
    return client, wire


async def test_a_stream_without_an_end_pays_as_it_goes_and_ends_when_it_can_pay_no_more(tmp_path: Path):
    limit = quota(limit_usd=dollars(4 * 2048 * 600))
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        client, wire = await streaming(gateway, there)
        first = balance(gateway).held
        wire.send(event("x" * 1500))
        await until(lambda: balance(gateway).held > first)
        for _ in range(24):
            wire.send(event("x" * 1500))
        said = await client.rest_of_body()
        records = await gateway.stop()

    assert b'"code":"budget_exhausted_midstream"' in said
    await wire.closed()
    [record] = records
    assert (record.outcome, record.refusal_code) == ("cancelled", "budget_exhausted_midstream")
    assert record.counters is not None
    assert 5 * 1500 * 600 / 4 < record.counters["q@total"] <= 4 * 2048 * 600


async def test_a_kill_switch_ends_what_is_under_way_and_lets_nothing_in(tmp_path: Path):
    """Case 46."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml) as gateway:
            client, wire = await streaming(gateway, there)
            gateway.reload(toml + '[[kill_switches]]\nid = "stop"\nscope = {project = "web"}\nreason = "incident 7"\n')
            said = await client.rest_of_body()
            await wire.closed()
            no = await refused(gateway)
            gateway.reload(toml)
            yes = await asked(gateway, there)
            records = await gateway.stop()

    assert b'"code":"kill_switch"' in said
    assert (no.status, error(no)["code"]) == (403, "kill_switch")
    assert "incident 7" in error(no)["message"]
    assert yes.status == 200
    # What the cut stream had brought is estimated on a thread, and so recorded at any time.
    assert sorted((record.outcome, record.refusal_code) for record in records) == [
        ("cancelled", "kill_switch"), ("ok", ""), ("refused", "kill_switch"),
    ]  # fmt: skip


async def test_a_kill_switch_settles_every_one_of_many(tmp_path: Path):
    """More streams than are settled in a turn; stopped at once, the gateway still writes all of them down."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota(limit_usd=10)
        async with serving(tmp_path, toml) as gateway:
            streams = [await streaming(gateway, there) for _ in range(2 * SETTLED_AT_ONCE + 1)]
            held = balance(gateway).held
            gateway.reload(toml + '[[kill_switches]]\nid = "stop"\n')
            records = await gateway.stop()
            settled = balance(gateway)

    assert [record.refusal_code for record in records] == ["kill_switch"] * len(streams)
    assert sum((record.counters or {}).get("q@total", 0) for record in records) == held
    assert settled == Balance(held, 0)


async def test_a_limit_that_is_lowered_lets_calls_end_and_none_begin(tmp_path: Path):
    """Case 45."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml + quota(limit_usd=1)) as gateway:
            client = await gateway.client()
            client.send(chat())
            wire, _ = await there.called()
            gateway.reload(toml + quota(limit_usd=0))
            assert (await refused(gateway)).status == 402
            wire.send(told())
            assert (await client.message()).status == 200
            assert balance(gateway) == Balance(COST_NANOUSD, 0)


async def test_thresholds_are_told_of_once(tmp_path: Path):
    limit = quota(limit_usd=dollars(20 * COST_NANOUSD), action="alert", thresholds=[5, 10, 100])
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        for _ in range(4):
            await asked(gateway, there)
        await gateway.stop()
        signals = [frame for frame in gateway.frames() if frame.kind == 4]

    assert [frame.id for frame in signals] == [b"q@total"] * 2


async def test_where_budgets_stand_is_told_to_people_and_to_prometheus(tmp_path: Path):
    limit = quota(limit_usd=dollars(HELD_NANOUSD))
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai")) + limit) as gateway:
        await asked(gateway, there)
        await refused(gateway)
        page = json.loads((await gateway.page("/budgets")).body)
        metrics = (await gateway.page("/metrics")).body.decode()

    [row] = page["counters"]
    assert (row["quota"], row["spent"], row["held"]) == ("q", f"{COST_NANOUSD / 10**9:.9f}", "0.000000000")
    assert 'lensai_quota_denials_total{code="budget_exceeded",quota="q"} 1.0' in metrics
    assert f'lensai_quota_settled{{quota="q",unit="usd"}} {COST_NANOUSD / 10**9}' in metrics
