"""What a call holds is in the journal as it changes, and is given back by whoever leaves."""

import contextlib
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.contract.record import Record, decode_record
from gateway.journal.frame import INTENT
from gateway.ledger.base import Balance
from gateway.pipeline import Clock
from tests.support.data_plane import (
    Gateway,
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
from tests.support.sockets import REALTIME, connected, read_frame, read_goodbye, said, sent

CHAT = "/openai/v1/chat/completions"
ASKED = b'{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"Hi"}]}'
STREAM = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Hi"}]}'
# The most that ASKED may cost is 248,750 nano-USD by its bytes, and less by its tokens.
ONE_CALL_USD, BY_ITS_TOKENS_USD = "0.0003", "0.000248"


def quota(limit_usd: str) -> str:
    return f'[[quotas]]\nid = "q"\nunit = "usd"\nwindow = "total"\nlimit_usd = "{limit_usd}"\n'


def intents(gateway: Gateway) -> list[Record]:
    return [decode_record(frame.payload) for frame in gateway.frames() if frame.kind == INTENT]


def balance(gateway: Gateway) -> Balance:
    return gateway.server.ledger.balance("q@total")


async def test_an_intent_says_what_its_call_holds(tmp_path: Path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota(ONE_CALL_USD)
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, ASKED))
            await there.called()
            [intent] = intents(gateway)
            assert intent.counters == {"q@total": balance(gateway).held}
            assert balance(gateway).held > 0


async def test_what_a_stream_takes_on_its_way_is_journaled(tmp_path: Path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota("0.005")
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, STREAM))
            wire, _ = await there.called()
            wire.send(stream_head(), chunk(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 1500)))
            await until(lambda: len(intents(gateway)) == 2)
            first, second = intents(gateway)
            assert first.request_id == second.request_id
            assert first.counters is not None
            assert second.counters == {"q@total": balance(gateway).held}
            assert second.counters["q@total"] > first.counters["q@total"]


async def test_a_stream_under_way_meets_the_limit_of_a_policy_that_comes_meanwhile(tmp_path: Path):
    """Case 45: no other call need come before it does."""
    words = chunk(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * 1500))
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml + quota("0.005")) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, STREAM))
            wire, _ = await there.called()
            held = balance(gateway).held
            gateway.reload(toml + quota("0.002"))
            wire.send(stream_head(), words)
            assert b"budget_exhausted_midstream" in (await client.message()).body
            await until(lambda: balance(gateway) == Balance(held, 0))


class Times(Clock):
    """A wall clock that stands until it is set."""

    def __init__(self) -> None:
        self.at_s = 1_800_000_000
        self.now_ns = lambda: self.at_s * 10**9


async def test_a_body_that_comes_after_minutes_of_grace_is_refused_by_the_quota_s_own_limit(tmp_path: Path):
    times = Times()
    async with provider() as there:
        grace = '[[quota_overrides]]\nquota = "q"\nuntil = 2027-01-15T08:00:10Z\n'
        toml = policy(upstreams_at(there.port, "openai")) + quota("0") + grace
        async with serving(tmp_path, toml, clock=times) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, ASKED)[:-1])
            await until(lambda: any(one._exchange is not None for one in gateway.server._connections))
            times.at_s += 10
            client.send(ASKED[-1:])
            assert (await client.message()).status == 402


async def test_who_leaves_while_it_waits_holds_nothing(tmp_path: Path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota(BY_ITS_TOKENS_USD)
        async with serving(tmp_path, toml) as gateway:
            client, background = await gateway.client(), gateway.server._pipeline._background
            before, counting = len(background), threading.Event()
            gateway.server._enforcer._thread.submit(counting.wait)
            client.send(call(CHAT, ASKED))
            await until(lambda: len(background) > before)
            client.abort()
            await until(lambda: not gateway.server._connections)
            counting.set()
            await until(lambda: len(background) == before)
            assert balance(gateway) == Balance(0, 0)
            [record] = await gateway.stop()
            assert (record.outcome, record.cost_nanousd) == ("client_gone", 0)
    assert there.connections == 0


CREATE = sent(b'{"type":"response.create"}')
# All that the model of a session can hear and say.
RESPONSE_HELD = (32_000 * 32_000) + 4096 * 64_000
RESPONSE_COST = 10 * 4000 + 20 * 16_000


def usd(nanousd: int) -> str:
    return f"{nanousd / 10**9:.9f}"


def created(name: str) -> bytes:
    return said(json.dumps({"type": "response.created", "response": {"id": name}}).encode())


def done(name: str) -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
    return said(json.dumps({"type": "response.done", "response": {"id": name, "usage": usage}}).encode())


async def respond(client: Wire, wire: Wire, name: str) -> None:
    client.send(CREATE)
    await read_frame(wire)
    wire.send(created(name), done(name))
    for _ in range(2):
        await read_frame(client)


async def refused(client: Wire, wire: Wire, code: str) -> None:
    """The session ends for that reason, and nothing more reaches the provider."""
    _, event, _ = await read_frame(client)
    assert json.loads(event)["error"]["code"] == code
    await read_goodbye(client)
    await read_goodbye(wire)
    wire.close()


@contextlib.asynccontextmanager
async def waiting_session(tmp_path: Path) -> AsyncIterator[tuple[Gateway, Wire, Wire, threading.Event]]:
    """A session whose first response has ended and whose hold for the second waits until the event is set."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota(usd(RESPONSE_HELD + RESPONSE_COST - 1))
        async with serving(tmp_path, toml) as gateway:
            client, wire, _ = await connected(gateway, there)
            counting = threading.Event()
            gateway.server._enforcer._thread.submit(counting.wait)
            try:
                await respond(client, wire, "r1")
                assert balance(gateway) == Balance(RESPONSE_COST, 0)
                yield gateway, client, wire, counting
            finally:
                counting.set()


async def test_a_response_that_ends_while_the_next_hold_waits_is_charged(tmp_path: Path):
    async with waiting_session(tmp_path) as (gateway, client, wire, counting):
        await respond(client, wire, "r2")
        assert balance(gateway) == Balance(2 * RESPONSE_COST, 0)
        counting.set()
        await refused(client, wire, "budget_exceeded")
        client.close()
        *responses, session = await gateway.stop()
        assert [record.counters for record in responses] == [{"q@total": RESPONSE_COST}] * 2
        assert not session.counters


async def test_a_response_under_way_is_charged_all_of_a_hold_that_never_came(tmp_path: Path):
    async with waiting_session(tmp_path) as (gateway, client, wire, _):
        client.send(CREATE)
        await read_frame(wire)
        wire.send(created("r2"))
        await read_frame(client)
        client.abort()
        await until(lambda: balance(gateway) == Balance(RESPONSE_COST + RESPONSE_HELD, 0))
        wire.close()


async def test_no_other_model_may_be_named_while_the_next_hold_waits(tmp_path: Path):
    async with waiting_session(tmp_path) as (_, client, wire, _counting):
        client.send(sent(b'{"type":"session.update","session":{"model":"gpt-realtime-mini"}}'))
        await refused(client, wire, "budget_exceeded")


async def test_a_hold_that_fails_ends_its_session(tmp_path: Path):
    async def fails(*_: object) -> None:
        raise OSError

    async def session() -> None:
        async with waiting_session(tmp_path) as (gateway, client, wire, counting):
            gateway.server.ledger.obtain = fails  # pyright: ignore[reportAttributeAccessIssue]
            counting.set()
            await read_goodbye(client)
            await read_goodbye(wire)
            wire.close()

    with pytest.raises(AssertionError, match="pipeline_failed"):  # as the log tells
        await session()


async def test_a_session_whose_values_are_not_counted_holds_nothing_and_goes_on(tmp_path: Path):
    async with provider() as there:
        more = 'action = "alert"\nvalues_max = 1\nscope = {user = "*"}\n'
        async with serving(tmp_path, policy(upstreams_at(there.port, "openai")) + quota("1") + more) as gateway:
            first, its_wire, _ = await connected(gateway, there, REALTIME, b"x-lensai-user: ann")
            client, wire, _ = await connected(gateway, there, REALTIME, b"x-lensai-user: bob")
            for name in ("r1", "r2"):
                await respond(client, wire, name)
            assert list(gateway.server.ledger.counters()) == ["q@total|user=ann"]
            for one in (first, its_wire, client, wire):
                one.close()


@pytest.mark.parametrize("moment", ["a response ends", "another model is named"])
async def test_a_quota_that_comes_into_force_in_a_session_is_asked_before_its_next_response(
    tmp_path: Path, moment: str
):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml) as gateway:
            client, wire = await session_of_no_quota(gateway, there)
            gateway.reload(toml + quota("0"))
            if moment == "a response ends":
                await respond(client, wire, "r2")
            else:
                client.send(sent(b'{"type":"session.update","session":{"model":"gpt-realtime-mini"}}'))
            await refused(client, wire, "budget_exceeded")


async def test_a_kill_switch_ends_a_session_by_the_model_that_it_names_now(tmp_path: Path):
    def switch(model: str) -> str:
        return f'[[kill_switches]]\nid = "{model}"\nscope = {{ model = "{model}" }}\n'

    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml) as gateway:
            client, wire = await session_of_no_quota(gateway, there)
            client.send(sent(b'{"type":"session.update","session":{"model":"gpt-realtime-mini"}}'))
            await read_frame(wire)
            gateway.reload(toml + switch("gpt-realtime"))
            await respond(client, wire, "r2")
            gateway.reload(toml + switch("gpt-realtime") + switch("gpt-realtime-mini"))
            await refused(client, wire, "kill_switch")


async def session_of_no_quota(gateway: Gateway, there: Provider) -> tuple[Wire, Wire]:
    client, wire, _ = await connected(gateway, there)
    await respond(client, wire, "r1")
    return client, wire


async def test_an_alert_on_money_counts_calls_whose_model_has_no_price(tmp_path: Path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai")) + quota("1") + 'action = "alert"\n'
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(call(CHAT, ASKED.replace(b"gpt-4o-mini", b"unheard-of")))
            wire, _ = await there.called()
            wire.send(answer(b'{"model":"unheard-of","usage":{"prompt_tokens":9,"completion_tokens":2}}'))
            await client.message()
            await until(lambda: gateway.server._enforcer.numbers.soft_failures == {("q", "unpriced"): 1})
