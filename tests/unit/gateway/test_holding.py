"""What a call holds is in the journal as it changes, and is given back by whoever leaves."""

import threading
from pathlib import Path

from gateway.contract.record import Record, decode_record
from gateway.journal.frame import INTENT
from gateway.ledger.base import Balance
from tests.support.data_plane import (
    Gateway,
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
