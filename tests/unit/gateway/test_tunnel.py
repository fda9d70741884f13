"""A session once it is a WebSocket: what passes, what is recorded, and how it ends when one of the three has enough."""

import asyncio
import json
import random

import pytest
from websockets.frames import Opcode

from gateway.contract.record import Record
from tests.support.data_plane import Gateway, Provider, Wire, policy, provider, serving, until, upstreams_at
from tests.support.sockets import REALTIME, agree, ask, connected, frame, goodbye, read_frame, read_goodbye, said, sent

CREATE = b'{"type":"response.create"}'
CREATED = b'{"type":"session.created","session":{"model":"gpt-realtime"}}'
LIMITED = 'models = ["gpt-5-mini"]'


def begins(name: str) -> bytes:
    return json.dumps({"type": "response.created", "response": {"id": name, "model": "gpt-5-mini"}}).encode()


def ends(name: str, kind: str = "response.done", **more: str) -> bytes:
    usage = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}
    return json.dumps({"type": kind, "response": {"id": name, "usage": usage, **more}}).encode()


def openai(there: Provider, key: str = "") -> str:
    return policy(upstreams_at(there.port, "openai", "gemini"), key)


async def over(gateway: Gateway) -> None:
    """Returns when no session is under way."""
    await until(lambda: not gateway.server._pipeline.live)


async def parted(client: Wire, wire: Wire) -> None:
    """Both say goodbye, the client first."""
    client.send(goodbye(mask=True))
    assert (await read_goodbye(wire))[0] == 1000
    wire.send(goodbye(mask=False))
    assert (await read_goodbye(client))[0] == 1000
    await client.closed()
    await wire.closed()


def ended(records: list[Record]) -> Record:
    """The session's own record, which is the last."""
    assert "websocket" in records[-1].flags
    assert "-" not in records[-1].request_id
    return records[-1]


async def test_each_response_is_recorded_when_its_usage_is_stated_and_the_session_when_it_ends(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there, REALTIME, b"x-lensai-team: t")
        wire.send(said(CREATED))
        await read_frame(client)
        for n in (1, 2):
            client.send(sent(CREATE))
            assert (await read_frame(wire))[1] == CREATE
            wire.send(said(begins(f"r{n}")), said(ends(f"r{n}")))
            assert [(await read_frame(client))[1] for _ in range(2)] == [begins(f"r{n}"), ends(f"r{n}")]
            await until(lambda n=n: len(gateway.recorded()) == n)
        await parted(client, wire)
        first, second, whole = await gateway.stop()
        assert [first.request_id, second.request_id] == [whole.request_id + "-1", whole.request_id + "-2"]
        for record in (first, second):
            assert (record.outcome, record.provenance, record.endpoint) == ("ok", "reported", "realtime")
            assert (record.tokens_in, record.tokens_out, record.team) == (9, 2, "t")
            assert (record.model_requested, record.model, record.status) == ("gpt-realtime", "gpt-realtime", 101)
            assert record.cost_nanousd > 0
            assert whole.ts_ns < record.ts_ns
            assert 0 <= record.latency_us < whole.latency_us
        assert (first.upstream_request_id, second.upstream_request_id) == ("r1", "r2")
        assert (whole.outcome, whole.provenance, whole.cost_nanousd, whole.tokens_in) == ("ok", "none", 0, None)
        assert (whole.status, whole.upstream_status, whole.flags) == (101, 101, ("websocket",))
        sizes = [sum(map(len, map(said, ends_of))) for ends_of in ([CREATED], [begins("r1"), ends("r1")] * 2)]
        assert whole.bytes_out == sum(sizes) + len(goodbye(mask=False))
        assert whole.bytes_in == 2 * len(sent(CREATE)) + len(goodbye(mask=True))


async def test_every_byte_of_every_frame_passes_both_ways_in_whatever_pieces(tmp_path):
    chance = random.Random(7)
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        for way, (sender, receiver) in enumerate(((client, wire), (wire, client))):
            mask = not way
            stream = b"".join(
                (
                    frame(b"text", mask=mask),
                    frame(chance.randbytes(1_000_000), Opcode.BINARY, mask=mask),
                    frame(b"a", mask=mask, final=False),
                    frame(b"are you there?", Opcode.PING, mask=mask),
                    frame(b"b" * 70_000, Opcode.CONT, mask=mask),
                    *(frame(chance.randbytes(n), Opcode.BINARY, mask=mask) for n in range(0, 300, 7)),
                    frame(b"yes", Opcode.PONG, mask=mask),
                )
            )
            reading = asyncio.ensure_future(receiver.exactly(len(stream)))
            at = 0
            while at < len(stream):
                size = chance.choice((1, 2, 3, 50, 70_000))
                sender.send(stream[at : at + size])
                await sender.sent()
                await asyncio.sleep(0)
                at += size
            assert await reading == stream
        await parted(client, wire)
        assert ended(await gateway.stop()).outcome == "ok"


async def test_nothing_is_forwarded_before_the_provider_has_agreed(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask(), sent(b"early"))
        wire, request = await there.called()
        assert request.raw.endswith(b"\r\n\r\n")
        client.send(sent(b"still early"))
        await client.sent()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wire.some()
        wire.send(agree(), said(b"hello"))
        assert [(await read_frame(wire))[1] for _ in range(2)] == [b"early", b"still early"]
        await client.until(b"\r\n\r\n")
        assert (await read_frame(client))[1] == b"hello"


@pytest.mark.parametrize("slow", ["client", "provider"])
async def test_a_side_that_takes_nothing_holds_the_other_back(tmp_path, slow):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        taker, giver = (client, wire) if slow == "client" else (wire, client)
        taker.pause()
        part = frame(b"x" * 100_000, Opcode.BINARY, mask=slow == "provider")
        giver.send(part * 400)
        sending = asyncio.ensure_future(giver.sent())
        done, _ = await asyncio.wait({sending}, timeout=0.3)
        assert not done  # neither the gateway nor the kernel has taken forty megabytes
        taker.resume()
        assert await taker.exactly(400 * len(part)) == part * 400
        await sending


async def test_a_client_that_leaves_is_said_goodbye_for_and_what_was_under_way_is_unknown(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.send(said(begins("r1")))
        await read_frame(client)
        client.abort()
        assert (await read_goodbye(wire))[0] == 1001
        # What is said in the meantime counts, though nobody is left to take it.
        wire.send(said(begins("r2")), said(ends("r2")), goodbye(mask=False))
        await wire.closed()
        beside, whole = await gateway.stop()
        assert (beside.upstream_request_id, beside.tokens_in) == ("r2", 9)
        assert (whole.outcome, whole.provenance, whole.cost_nanousd) == ("client_gone", "unknown", None)
        assert whole.flags == ("websocket", "client_disconnected", "responses_unfinished")


async def test_a_client_that_says_goodbye_and_does_not_wait_has_left_in_good_order(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        client.send(goodbye(mask=True))
        client.close()
        assert (await read_goodbye(wire))[0] == 1000
        wire.close()
        await over(gateway)
        assert ended(await gateway.stop()).outcome == "ok"


async def test_a_client_that_leaves_in_the_midst_of_a_frame_is_hung_up_for(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        client.send(sent(b"x" * 100)[:50])
        await wire.exactly(50)
        client.abort()
        await wire.closed()
        assert ended(await gateway.stop()).outcome == "client_gone"


async def test_a_provider_that_hangs_up_is_excused(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.abort()
        assert (await read_goodbye(client))[0] == 1011
        client.send(goodbye(1011, mask=True))
        await client.closed()
        record = ended(await gateway.stop())
        assert (record.outcome, record.refusal_code, record.cost_nanousd) == ("upstream_error", "upstream_broken", 0)


@pytest.mark.parametrize(
    ("code", "outcome"), [(1000, "ok"), (1001, "ok"), (1011, "upstream_error"), (4000, "upstream_error")]
)
async def test_a_provider_s_own_goodbye_is_passed_on(tmp_path, code, outcome):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.send(goodbye(code, mask=False))
        assert (await read_goodbye(client))[0] == code
        client.send(sent(b"one more thing"), goodbye(code, mask=True))
        assert (await read_frame(wire))[1] == b"one more thing"
        assert (await read_goodbye(wire))[0] == code
        await client.closed()
        assert ended(await gateway.stop()).outcome == outcome


@pytest.mark.parametrize(
    ("wrong", "code"), [(said(b"unmasked"), 1002), (b"\xf1\x80", 1002), (frame(b"\xff", mask=True), 1007)]
)
async def test_a_client_that_breaks_the_protocol_is_told_so(tmp_path, wrong, code):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        client.send(sent(b"good"), wrong)
        assert (await read_frame(wire))[1] == b"good"
        assert (await read_goodbye(client))[0] == code
        if code == 1002:  # not a byte of the frame that is none
            assert (await read_goodbye(wire))[0] == 1001
        wire.close()
        record = ended(await gateway.stop())
        assert (record.outcome, record.refusal_code) == ("refused", "malformed_request")


async def test_a_provider_that_breaks_the_protocol_is_hidden_from_the_client(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.send(said(b"good"), sent(b"masked"))
        assert (await read_frame(client))[1] == b"good"
        assert await read_goodbye(client) == (1011, "the provider broke the WebSocket")
        assert (await read_goodbye(wire))[0] == 1002
        client.close()
        record = ended(await gateway.stop())
        assert (record.outcome, record.refusal_code) == ("upstream_error", "upstream_broken")


async def test_a_key_s_models_are_looked_at_before_a_message_is_forwarded(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, LIMITED)) as gateway:
        client, wire, _ = await connected(gateway, there, "/v1/responses")
        allowed = b'{"type":"response.create","model":"gpt-5-mini","input":"Hi"}'
        halves = frame(allowed[:30], mask=True, final=False), frame(allowed[30:], Opcode.CONT, mask=True)
        client.send(halves[0])
        await client.sent()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wire.some()
        client.send(halves[1])
        assert await wire.exactly(len(b"".join(halves))) == b"".join(halves)
        wire.send(said(begins("r1")), said(ends("r1", "response.completed", model="gpt-5-mini")))
        await read_frame(client)
        await read_frame(client)

        client.send(sent(b'{"type":"response.create","model":"gpt-5","input":"Hi"}'))
        opcode, error, _ = await read_frame(client)
        assert (opcode, json.loads(error)["error"]["code"]) == (Opcode.TEXT, "key_scope")
        assert await read_goodbye(client) == (1008, "This key may not use the model 'gpt-5'")
        assert (await read_goodbye(wire))[0] == 1001
        client.close()
        wire.close()
        first, whole = await gateway.stop()
        assert (first.model, first.model_requested, first.cost_nanousd > 0) == ("gpt-5-mini", "gpt-5-mini", True)
        assert (whole.outcome, whole.refusal_code, whole.model_requested) == ("refused", "key_scope", "gpt-5-mini")
        assert whole.cost_nanousd == 0


async def test_gemini_s_refusal_is_the_reason_of_its_goodbye(tmp_path):
    path = "/gemini/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    async with provider() as there, serving(tmp_path, openai(there, LIMITED)) as gateway:
        client, _, _ = await connected(gateway, there, path)
        client.send(frame(b'{"setup":{"model":"models/gemini-live"}}', Opcode.BINARY, mask=True))
        assert await read_goodbye(client) == (1008, "This key may not use the model 'gemini-live'")
        client.close()
        assert ended(await gateway.stop()).refusal_code == "key_scope"


async def test_a_message_too_large_to_be_judged_is_refused_as_soon_as_it_is(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, LIMITED), event_bytes_max=1000) as gateway:
        client, wire, _ = await connected(gateway, there, "/v1/responses")
        client.send(sent(b"x" * 5000)[:2000])
        assert json.loads((await read_frame(client))[1])["error"]["code"] == "body_too_large"
        assert (await read_goodbye(client))[0] == 1009
        assert (await read_goodbye(wire))[0] == 1001
        client.close()
        assert ended(await gateway.stop()).refusal_code == "body_too_large"


async def test_a_control_frame_does_not_wait_for_the_message_it_stands_in(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, LIMITED)) as gateway:
        client, wire, _ = await connected(gateway, there, "/v1/responses")
        allowed = b'{"type":"response.create","model":"gpt-5-mini","input":"Hi"}'
        halves = frame(allowed[:30], mask=True, final=False), frame(allowed[30:], Opcode.CONT, mask=True)
        ping = frame(b"there?", Opcode.PING, mask=True)
        client.send(halves[0], ping)
        assert await wire.exactly(len(ping)) == ping
        client.send(halves[1])
        assert await wire.exactly(len(b"".join(halves))) == b"".join(halves)


async def test_a_message_in_fragments_of_nothing_is_not_held_without_end(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, LIMITED), event_bytes_max=1000) as gateway:
        client, wire, _ = await connected(gateway, there, "/v1/responses")
        client.send(frame(b"{", mask=True, final=False), frame(b"", Opcode.CONT, mask=True, final=False) * 1000)
        assert json.loads((await read_frame(client))[1])["error"]["code"] == "body_too_large"
        assert (await read_goodbye(client))[0] == 1009
        assert (await read_goodbye(wire))[0] == 1001
        client.close()
        assert ended(await gateway.stop()).refusal_code == "body_too_large"


async def test_a_message_too_large_to_be_read_passes_and_leaves_the_cost_unknown(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), event_bytes_max=1000) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.send(said(b"x" * 5000))
        assert (await read_frame(client))[1] == b"x" * 5000
        await parted(client, wire)
        record = ended(await gateway.stop())
        assert (record.outcome, record.provenance, record.cost_nanousd) == ("ok", "unknown", None)
        assert record.flags == ("websocket", "message_unreadable", "responses_unfinished")


@pytest.mark.parametrize(
    ("setting", "flag"), [("websocket_idle_timeout_ms", "session_idle"), ("total_timeout_ms", "session_limit")]
)
async def test_a_session_that_is_silent_or_goes_on_for_too_long_is_ended(tmp_path, setting, flag):
    async with provider() as there, serving(tmp_path, openai(there), **{setting: 150}) as gateway:
        client, wire, _ = await connected(gateway, there)
        assert await read_goodbye(client) == (1001, f"{setting} of the gateway was reached")
        assert (await read_goodbye(wire))[0] == 1001
        client.send(goodbye(1001, mask=True))
        wire.send(goodbye(1001, mask=False))
        await client.closed()
        record = ended(await gateway.stop())
        assert (record.outcome, record.cost_nanousd, record.flags) == ("cancelled", 0, ("websocket", flag))


async def test_pings_keep_a_session_from_being_silent(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), websocket_idle_timeout_ms=400) as gateway:
        client, wire, _ = await connected(gateway, there)
        for _ in range(6):
            await asyncio.sleep(0.1)
            wire.send(frame(b"", Opcode.PING, mask=False))
            assert (await read_frame(client))[0] == Opcode.PING
        await parted(client, wire)


async def test_who_does_not_say_goodbye_is_hung_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.tunnel.CLOSING_MS", 100)
    async with provider() as there, serving(tmp_path, openai(there), websocket_idle_timeout_ms=100) as gateway:
        client, wire, _ = await connected(gateway, there)
        await read_goodbye(client)
        await read_goodbye(wire)
        await client.closed()
        await wire.closed()


async def test_a_gateway_that_stops_lets_a_response_end_and_then_says_goodbye(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), shutdown_timeout_ms=5_000) as gateway:
        quiet, busy = await connected(gateway, there), await connected(gateway, there)
        busy[1].send(said(begins("r1")))
        await read_frame(busy[0])
        gateway.begin_stop()
        assert await read_goodbye(quiet[0]) == (1001, "this gateway is shutting down")
        busy[1].send(said(ends("r1")))
        assert (await read_frame(busy[0]))[1] == ends("r1")
        assert (await read_goodbye(busy[0]))[0] == 1001
        for client, wire, _ in (quiet, busy):
            client.send(goodbye(1001, mask=True))
            assert (await read_goodbye(wire))[0] == 1001
            wire.close()
        records = await gateway.stopped()
        assert sorted(record.outcome for record in records) == ["cancelled", "cancelled", "ok"]
        assert {record.refusal_code for record in records} == {"", "shutting_down"}
        assert {record.cost_nanousd is None for record in records} == {False}


async def test_a_response_that_outlasts_the_shutdown_is_cut_off(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), shutdown_timeout_ms=100) as gateway:
        client, wire, _ = await connected(gateway, there)
        wire.send(said(begins("r1")))
        await read_frame(client)
        gateway.begin_stop()
        assert (await read_goodbye(client))[0] == 1001
        assert (await read_goodbye(wire))[0] == 1001
        record = ended(await gateway.stopped())
        assert (record.outcome, record.refusal_code, record.provenance) == ("cancelled", "shutting_down", "unknown")


async def test_a_session_holds_its_connections_and_its_place_among_the_calls_in_flight(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), upstream_connections_max=1) as gateway:
        client, wire, _ = await connected(gateway, there)
        assert (gateway.server._gate.inflight, gateway.server._upstreams.connections) == (1, 1)
        waiting = await gateway.client()
        waiting.send(ask())
        await until(lambda: gateway.server._gate.inflight == 2)
        assert there.connections == 1
        await parted(client, wire)
        again, request = await there.called()
        assert request.first.startswith(b"GET /v1/realtime")
        again.send(agree())
        assert (await waiting.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
