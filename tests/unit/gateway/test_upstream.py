"""The provider's side of the wire: which connection a call gets, what counts as an answer, what is retried."""

import asyncio
import logging
import threading
from typing import Any

import pytest

from gateway.background import Background
from gateway.connect import Address, Connector, look_up
from gateway.route import Origin
from gateway.upstream import Upstreams
from tests.support.data_plane import (
    Gateway,
    Provider,
    Wire,
    answer,
    call,
    policy,
    provider,
    serving,
    until,
    upstreams_at,
)
from tests.support.processes import free_port
from tests.support.sockets import agree, ask, connected, goodbye, read_goodbye

CHAT = call("/v1/chat/completions", b'{"model":"m"}')


def openai(there: Provider) -> str:
    return policy(upstreams_at(there.port, "openai"))


async def served_once(gateway: Gateway, there: Provider) -> tuple[Wire, Wire]:
    """A client whose first call was answered, and the connection that was kept for its next."""
    client = await gateway.client()
    client.send(CHAT)
    wire, _ = await there.called()
    wire.send(answer(b"{}"))
    await client.message()
    return client, wire


async def test_a_connection_is_used_again_and_many_are_opened_for_calls_at_once(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        one, two = await gateway.client(), await gateway.client()
        one.send(CHAT)
        first, _ = await there.called()
        two.send(CHAT)
        second, _ = await there.called()
        for wire, client in ((second, two), (first, one)):
            wire.send(answer(b"{}"))
            await client.message()
        # The one used last, which is the least likely to be stale.
        two.send(CHAT)
        await first.message()
        first.send(answer(b"{}"))
        assert (await two.message()).status == 200
        assert there.connections == 2


async def test_calls_beyond_connections_max_wait_for_a_connection(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), upstream_connections_max=1) as gateway:
        one, two = await gateway.client(), await gateway.client()
        one.send(CHAT)
        wire, _ = await there.called()
        two.send(CHAT)
        await until(lambda: len(gateway.server._pipeline.live) == 2)
        wire.send(answer(b"one"))
        assert (await one.message()).body == b"one"
        await wire.message()
        wire.send(answer(b"two"))
        assert (await two.message()).body == b"two"
        assert there.connections == 1


async def test_who_waits_gets_a_new_connection_where_the_old_one_closes(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), upstream_connections_max=1) as gateway:
        one, two = await gateway.client(), await gateway.client()
        one.send(CHAT)
        wire, _ = await there.called()
        two.send(CHAT)
        await until(lambda: len(gateway.server._pipeline.live) == 2)
        wire.send(answer(b"one", b"connection: close"))
        assert (await one.message()).body == b"one"
        wire, _ = await there.called()
        wire.send(answer(b"two"))
        assert (await two.message()).body == b"two"


async def test_a_stale_connection_is_replaced_once(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, old = await served_once(gateway, there)

        client.send(CHAT)
        await old.message()
        old.close()  # it took the request, and not a byte came back
        new, again = await there.called()
        assert again.raw.endswith(b'{"model":"m"}')
        new.close()  # a fresh connection that dies is not tried again
        failed = await client.message()
        assert (failed.status, failed.header(b"x-should-retry")) == (502, b"false")
        assert there.connections == 2
        records = await gateway.stop()
        assert [record.outcome for record in records] == ["ok", "upstream_error"]
        assert "retried_stale_connection" in records[1].flags


async def test_who_hangs_up_after_a_while_has_had_the_request_and_is_not_sent_it_again(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.upstream.STALE_S", 0.0)
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire = await served_once(gateway, there)
        client.send(CHAT)
        await wire.message()
        wire.close()
        assert (await client.message()).status == 502
        assert there.connections == 1
        records = await gateway.stop()
        assert (records[1].outcome, records[1].cost_nanousd, records[1].flags) == ("upstream_error", None, ())


async def test_nothing_is_retried_for_a_client_that_has_left(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire = await served_once(gateway, there)
        client.send(CHAT)
        await wire.message()
        client.abort()
        await until(lambda: not gateway.server._connections)
        wire.close()
        await until(lambda: not gateway.server._pipeline.live)
        assert there.connections == 1
        assert [record.outcome for record in await gateway.stop()] == ["ok", "upstream_error"]


async def test_nothing_is_retried_for_a_client_that_leaves_while_a_connection_is_made(tmp_path):
    looked_up, go_on = 0, threading.Event()

    def slow_the_second_time(address: tuple[str, int]) -> list[Address]:
        nonlocal looked_up
        looked_up += 1
        assert looked_up == 1 or go_on.wait(10)
        return look_up(("127.0.0.1", address[1]))

    async with provider() as there:
        toml = openai(there).replace("127.0.0.1", "provider.test")
        async with serving(tmp_path, toml, look_up=slow_the_second_time) as gateway:
            client, old = await served_once(gateway, there)
            client.send(CHAT)
            await old.message()
            old.close()
            await until(lambda: looked_up == 2)
            client.abort()
            await until(lambda: not gateway.server._pipeline.live)
            go_on.set()
            [pool] = gateway.server._upstreams._pools.values()
            await until(lambda: pool._idle)  # for the next call: nothing was sent on it
            [_, record] = await gateway.stop()
            assert (record.outcome, record.flags) == ("client_gone", ("client_disconnected",))


async def test_nothing_is_retried_once_a_byte_has_come(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire = await served_once(gateway, there)
        client.send(CHAT)
        await wire.message()
        wire.send(b"H")
        await wire.sent()
        wire.close()
        assert (await client.message()).status == 502
        assert there.connections == 1


async def test_a_connection_closed_while_idle_is_not_used(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire = await served_once(gateway, there)
        wire.close()
        await wire.closed()
        client.send(CHAT)
        again, _ = await there.called()
        again.send(answer(b"{}"))
        assert (await client.message()).status == 200
        assert all("retried" not in str(record.flags) for record in await gateway.stop())


async def test_an_idle_connection_is_closed_in_time(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), upstream_idle_timeout_ms=100) as gateway:
        _client, wire = await served_once(gateway, there)
        await wire.closed()


async def test_nobody_listens_there(tmp_path):
    toml = policy(upstreams_at(free_port(), "anthropic"))
    async with serving(tmp_path, toml) as gateway:
        client = await gateway.client()
        client.send(call("/anthropic/v1/messages", b'{"model":"m"}'))
        refused = await client.message()
        assert refused.status == 502
        assert b'"type":"error"' in refused.body
        assert b"upstream_unreachable" in refused.body
        [record] = await gateway.stop()
        assert (record.outcome, record.refusal_code) == ("upstream_error", "upstream_unreachable")
        # It was never sent, so it is known to cost nothing.
        assert (record.cost_nanousd, record.status, record.upstream_status) == (0, 502, 0)


async def test_a_name_that_can_be_no_host_is_unreachable_like_any_other(tmp_path):
    label = "a" * 64  # one more than DNS takes
    toml = policy('[upstreams.azure]\norigin = "http://{resource}.invalid"\nresources = ["*"]')
    async with serving(tmp_path, toml) as gateway:
        client = await gateway.client()
        path = f"/k/lk-test/azure/{label}/openai/v1/chat/completions"
        client.send(call(path, b'{"model":"m"}', b"api-key: own", token=""))
        assert (await client.message()).status == 403
        assert len(await gateway.stop()) == 1


async def test_a_provider_that_accepts_and_hangs_up_costs_a_502_and_nothing_else(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()

        async def hang_up() -> None:
            while True:
                (await there._arrived.get()).abort()

        hanging_up = asyncio.ensure_future(hang_up())
        for _ in range(20):
            client.send(CHAT)
            assert (await client.message()).status == 502
        hanging_up.cancel()
        assert len(await gateway.stop()) == 20


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"1" * 300_000,
        b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_502_with_a_record(tmp_path, said):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(said)
        refused = await client.message()
        assert refused.status == 502
        assert b"upstream_broken" in refused.body
        await wire.closed()
        [record] = await gateway.stop()
        assert (record.outcome, record.refusal_code) == ("upstream_error", "upstream_broken")
        # Sent, and not answered: what it cost is not known.
        assert (record.cost_nanousd, record.provenance) == (None, "unknown")


async def test_a_second_answer_nobody_asked_for_reaches_nobody(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"mine"), answer(b"poison"))
        assert (await client.message()).body == b"mine"
        await wire.closed()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"mine too"))
        assert (await client.message()).body == b"mine too"

        # And likewise when it comes while the connection is idle.
        wire.send(answer(b"poison"))
        await wire.closed()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"still mine"))
        assert (await client.message()).body == b"still mine"


async def test_interim_answers_are_passed_over(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", answer(b"{}"))
        message = await client.message()
        assert (message.first, message.body) == (b"HTTP/1.1 200 Said", b"{}")


async def test_an_answer_may_end_with_its_connection(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n", b'{"usage":', b"{}}")
        wire.close()
        message = await client.message()
        assert (message.body, message.header(b"transfer-encoding")) == (b'{"usage":{}}', b"chunked")
        # The client's connection outlives the provider's.
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"{}", status=204))
        assert (await client.message()).status == 204


async def test_an_answer_that_ends_by_a_reset_is_no_whole_answer(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"x" * 100)[:-1])
        assert (await client.until(b"x")).endswith(b"x")
        wire.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(1000)
        [record] = await gateway.stop()
        assert (record.outcome, record.status, record.refusal_code) == ("upstream_error", 200, "upstream_broken")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_with_its_head(tmp_path, status):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/v1/models"))
        wire, _ = await there.called()
        wire.send(b"HTTP/1.1 %d Nothing\r\nx-a: 1\r\n\r\n" % status)
        message = await client.message()
        assert (message.status, message.header(b"transfer-encoding")) == (status, None)
        client.send(call("/v1/models"))
        assert (await wire.message()).first == b"GET /v1/models HTTP/1.1"
        wire.send(answer(b"{}"))
        assert (await client.message()).body == b"{}"


async def test_an_http10_provider_s_connection_is_not_kept(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"{}").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert (await client.message()).body == b"{}"
        await wire.closed()


async def test_a_slow_provider_is_given_up_on(tmp_path):
    async with provider() as there:
        toml = openai(there).replace("[[keys]]", "first_byte_timeout_ms = 100\n[[keys]]")
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(CHAT)
            wire, _ = await there.called()
            late = await client.message()
            assert (late.status, late.header(b"x-should-retry")) == (504, b"false")
            await wire.closed()
            [record] = await gateway.stop()
            assert (record.refusal_code, record.cost_nanousd) == ("upstream_timeout", None)


async def test_an_answer_may_take_no_longer_than_the_total_timeout(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), total_timeout_ms=200) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"xx")[:-1])
        await client.until(b"x")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(1000)
        await wire.closed()
        [record] = await gateway.stop()
        assert record.refusal_code == "upstream_timeout"


async def test_a_slow_connect_is_given_up_on(tmp_path):
    async with provider() as there:
        toml = policy(
            f'[credentials.c]\nsecret = "s"\n[upstreams.openai]\ncredential_id = "c"\norigin = "https://127.0.0.1:{there.port}"'
        )
        async with serving(tmp_path, toml, connect_timeout_ms=100) as gateway:
            client = await gateway.client()
            client.send(CHAT)  # the other end never says its part of the TLS handshake
            assert (await client.message()).status == 504
            [record] = await gateway.stop()
            assert (record.refusal_code, record.cost_nanousd) == ("upstream_timeout", 0)


async def test_a_provider_that_switches_protocols_unasked_is_broken(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        for request in (CHAT, CHAT.replace(b"host:", b"connection: upgrade\r\nupgrade: websocket\r\nhost:")):
            client.send(request)
            wire, _ = await there.called()
            wire.send(agree())
            assert (await client.message()).status == 502
            await wire.closed()


async def test_a_connection_that_became_a_websocket_is_never_used_again(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire, _ = await connected(gateway, there)
        client.send(goodbye(mask=True))
        wire.send(goodbye(mask=False))
        await read_goodbye(wire)
        await wire.closed()
        again = await gateway.client()
        again.send(CHAT)
        await there.called()
        assert there.connections == 2


async def test_a_websocket_takes_an_idle_connection_and_retries_a_stale_one(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client, wire = await served_once(gateway, there)
        client.send(ask())
        await wire.message()
        wire.close()
        fresh, request = await there.called()
        assert request.header(b"upgrade") == b"websocket"
        fresh.send(agree())
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")


def limited(there: Provider, line: str) -> str:
    """OpenAI's upstream with a limit of its own."""
    return openai(there).replace("[[keys]]", f"{line}\n[[keys]]")


async def test_an_upstream_may_have_fewer_connections_than_the_others(tmp_path):
    async with provider() as there, serving(tmp_path, limited(there, "connections_max = 1")) as gateway:
        one, two = await gateway.client(), await gateway.client()
        one.send(CHAT)
        wire, _ = await there.called()
        two.send(CHAT)
        await until(lambda: len(gateway.server._pipeline.live) == 2)
        wire.send(answer(b"one"))
        await one.message()
        await wire.message()
        wire.send(answer(b"two"))
        assert (await two.message()).body == b"two"
        assert there.connections == 1


async def test_an_upstream_may_have_a_total_timeout_of_its_own(tmp_path):
    async with provider() as there, serving(tmp_path, limited(there, "total_timeout_ms = 200")) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"xx")[:-1])
        await client.until(b"x")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(1000)
        await wire.closed()
        [record] = await gateway.stop()
        assert record.refusal_code == "upstream_timeout"


async def test_an_upstream_may_have_a_connect_timeout_of_its_own(tmp_path):
    async with provider() as there:
        toml = limited(there, "connect_timeout_ms = 100\ntls_verify = false").replace("http://", "https://")
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(CHAT)  # the other end never says its part of the TLS handshake
            assert (await client.message()).status == 504
            [record] = await gateway.stop()
            assert (record.refusal_code, record.cost_nanousd) == ("upstream_timeout", 0)


async def test_a_connection_that_is_old_is_closed_and_not_kept(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), upstream_connection_age_ms=1) as gateway:
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        loop = asyncio.get_running_loop()
        made = loop.time()
        await until(lambda: loop.time() > made + 0.001)
        wire.send(answer(b"{}"))
        assert (await client.message()).status == 200
        await wire.closed()
        client.send(CHAT)
        again, _ = await there.called()
        again.send(answer(b"{}"))
        assert (await client.message()).status == 200


async def test_who_waits_for_a_connection_that_is_old_gets_a_new_one(tmp_path):
    limits = {"upstream_connection_age_ms": 1, "upstream_connections_max": 1}
    async with provider() as there, serving(tmp_path, openai(there), **limits) as gateway:
        one, two = await gateway.client(), await gateway.client()
        one.send(CHAT)
        wire, _ = await there.called()
        loop = asyncio.get_running_loop()
        made = loop.time()
        two.send(CHAT)
        await until(lambda: len(gateway.server._pipeline.live) == 2 and loop.time() > made + 0.001)
        wire.send(answer(b"one"))
        assert (await one.message()).body == b"one"
        wire, _ = await there.called()
        wire.send(answer(b"two"))
        assert (await two.message()).body == b"two"


async def test_connections_of_one_burst_do_not_end_in_another():
    loop = asyncio.get_running_loop()
    numbers = iter((0.0, 0.5, 1.0))
    upstreams = Upstreams(
        loop,
        Background(logging.getLogger("test")),
        Connector(loop, timeout_ms=1),
        connections_max=1,
        connection_age_ms=600_000,
        random=lambda: next(numbers),
    )
    ages_s = [upstreams.expiry() - loop.time() for _ in range(3)]
    assert ages_s == [pytest.approx(seconds, abs=1) for seconds in (600, 570, 540)]


class Dawdling(Connector):
    """Hands a connection over when the other end has already spoken or hung up on it."""

    async def connect(self, origin: Origin, make: Any) -> Any:
        connection = await super().connect(origin, make)
        await until(lambda: connection.transport is None)
        return connection


@pytest.mark.parametrize("said", [answer(b"poison"), b""])
async def test_who_answers_or_hangs_up_before_it_was_asked_is_broken(tmp_path, said):
    async with provider() as there, serving(tmp_path, openai(there), upstream_connections_max=1) as gateway:
        gateway.server._upstreams.connector = Dawdling(asyncio.get_running_loop(), timeout_ms=5_000)
        client = await gateway.client()
        for _ in range(2):  # and its place among the connections is free again
            client.send(CHAT)
            wire = await there.accept()
            wire.send(said)
            if not said:
                wire.close()
            message = await client.message()
            assert message.status == 502
            assert b"answered or hung up before it was asked" in message.body
        assert gateway.server._upstreams.connections == 0


async def test_a_provider_that_answers_before_it_has_the_whole_request_is_not_asked_again_there(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/v1/chat/completions", b'{"model":"m","pad":"' + b"x" * 20_000_000 + b'"}'))
        wire = await there.accept()
        await wire.until(b"\r\n\r\n")
        wire.pause()
        wire.send(answer(b"too large", status=413))
        assert (await client.message()).body == b"too large"
        client.send(CHAT)
        again, request = await there.called()
        assert request.body == b'{"model":"m"}'
        again.send(answer(b"{}"))
        assert (await client.message()).status == 200
