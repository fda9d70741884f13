"""Case 21: sessions. Each response is held before it is asked for, and a session that can pay no more is severed."""

import json

import pytest
from websockets.frames import CloseCode

from tests.e2e.budget_cases.stage import Stage, before_provider, dollars, quota
from tests.support.data_plane import HEAD_END, Wire, until
from tests.support.sockets import REALTIME, agree, ask, goodbye, read_frame, read_goodbye, said, sent

CREATE = b'{"type":"response.create"}'
# All that the model can hear, as sound at 32 USD a million, and say, at 64.
HELD = (32_000 * 32_000) + 4096 * 64_000
COST = 10 * 4000 + 20 * 16_000
MINI_COST = 10 * 600 + 20 * 2400


def created(name: str = "r") -> bytes:
    return said(json.dumps({"type": "response.created", "response": {"id": name}}).encode())


def done(name: str = "r") -> bytes:
    usage = {"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}
    return said(json.dumps({"type": "response.done", "response": {"id": name, "usage": usage}}).encode())


async def session(stage: Stage, path: str = REALTIME) -> tuple[Wire, Wire]:
    assert stage.there is not None
    client = await stage.gateway.client()
    client.send(ask(path))
    wire, _ = await stage.there.called()
    wire.send(agree())
    assert (await client.until(HEAD_END)).startswith(b"HTTP/1.1 101 ")
    return client, wire


async def respond(client: Wire, wire: Wire) -> None:
    client.send(sent(CREATE))
    await read_frame(wire)
    wire.send(created(), done())
    for _ in range(2):
        await read_frame(client)


async def test_21_a_session_is_severed_when_it_cannot_hold_another_response(tmp_path):
    async with before_provider(tmp_path, quota(limit_usd=dollars(HELD + COST))) as stage:
        client, wire = await session(stage)
        assert stage.balance().held == HELD
        await respond(client, wire)
        assert (stage.balance().settled, stage.balance().held) == (COST, HELD)
        await respond(client, wire)

        _, event, _ = await read_frame(client)
        assert json.loads(event)["error"]["code"] == "budget_exceeded"
        assert (await read_goodbye(client))[0] == CloseCode.POLICY_VIOLATION
        await read_goodbye(wire)
        await wire.closed()
        await stage.quiet()
        assert stage.balance().settled == 2 * COST

        client = await stage.gateway.client()
        client.send(ask())
        assert (await client.message()).status == 402


async def test_21_what_does_not_fit_is_refused_at_the_handshake(tmp_path):
    async with before_provider(tmp_path, quota(limit_usd=dollars(HELD - 1))) as stage:
        client = await stage.gateway.client()
        client.send(ask())
        assert (await client.message()).status == 402
        assert await stage.seen() == 0


async def test_21_a_session_that_ends_in_a_response_is_charged_all_of_its_hold(tmp_path):
    async with before_provider(tmp_path) as stage:
        client, wire = await session(stage)
        client.send(sent(CREATE))
        await read_frame(wire)
        wire.send(created())
        await read_frame(client)
        client.abort()
        await stage.settled(HELD)


async def test_21_a_model_that_is_named_in_the_midst_is_held_at_its_own_price(tmp_path):
    """From the mini to the large one, which does not fit: the message that names it is not passed on."""
    mini = REALTIME.replace("gpt-realtime", "gpt-realtime-mini")
    larger = json.dumps({"type": "session.update", "session": {"model": "gpt-realtime"}}).encode()
    async with before_provider(tmp_path, quota(limit_usd=dollars(HELD - 1))) as stage:
        client, wire = await session(stage, mini)
        await respond(client, wire)
        assert stage.balance().settled == MINI_COST
        client.send(sent(larger))
        _, event, _ = await read_frame(client)
        assert json.loads(event)["error"]["code"] == "budget_exceeded"
        await read_goodbye(client)
        assert (await read_frame(wire))[0] == 8, "nothing but the goodbye"
        wire.close()
        await stage.quiet()
        assert stage.balance().settled == MINI_COST

        stage.limit(quota(limit_usd=9))
        client, wire = await session(stage, mini)
        client.send(sent(larger))
        assert (await read_frame(wire))[1] == larger
        assert stage.balance().held == HELD
        await respond(client, wire)
        assert stage.balance().settled == MINI_COST + COST
        client.send(goodbye(mask=True))
        await read_goodbye(wire)
        wire.close()


LATER_NAMED = {
    "responses": "/openai/v1/responses",
    "live": "/gemini/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
}


@pytest.mark.parametrize("path", LATER_NAMED.values(), ids=LATER_NAMED)
async def test_21_a_session_that_names_its_model_later_has_no_bound(tmp_path, path):
    upstream = path.split("/")[1]
    async with before_provider(tmp_path, upstream=upstream) as stage:
        client = await stage.gateway.client()
        client.send(ask(path))
        assert (await client.message()).status == 403
        assert await stage.seen() == 0
    ceiling = quota(limit_usd=1, ceiling_usd="0.40")
    async with before_provider(tmp_path, ceiling, upstream=upstream) as stage:
        client, _ = await session(stage, path)
        assert stage.balance().held == 400_000_000
        client.abort()
        await until(lambda: not stage.balance().held)
