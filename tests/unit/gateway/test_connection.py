"""The client's side of the wire: what is read, in which order it is answered, and how long anything may take."""

import asyncio
import socket
import ssl

import pytest

from tests.support.certificates import Authority
from tests.support.data_plane import (
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
from tests.support.sockets import ask

BODY = b'{"model":"m"}'
CHAT = "/v1/chat/completions"
NO_PROVIDER = policy(upstreams_at(1, "openai", "anthropic"))


def chunked(path: str, *pieces: bytes, trailer: bytes = b"") -> bytes:
    head = call(path).replace(b"GET", b"POST", 1).removesuffix(b"\r\n") + b"transfer-encoding: chunked\r\n\r\n"
    return head + b"".join(map(chunk, pieces)) + b"0\r\n" + trailer + b"\r\n"


async def test_a_connection_is_kept_for_the_next_request(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, BODY))
        wire, _ = await there.called()
        wire.send(answer(b"first"))
        assert (await client.message()).body == b"first"

        client.send(call("/v1/models"))
        assert (await wire.message()).first == b"GET /v1/models HTTP/1.1"
        wire.send(answer(b"second"))
        assert (await client.message()).body == b"second"
        assert there.connections == 1
        assert [record.endpoint for record in await gateway.stop()] == ["chat.completions", "models.list"]


async def test_pipelined_requests_are_answered_one_by_one_and_in_order(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(
            call(CHAT, b'{"model":"a"}'), call("/v1/models", token="lk-wrong"), chunked(CHAT, b'{"model', b'":"b"}')
        )
        wire, first = await there.called()
        assert first.body == b'{"model":"a"}'
        wire.send(answer(b"one"))
        assert (await client.message()).body == b"one"
        assert (await client.message()).status == 401

        # The second was refused for itself alone, and the third goes out with its length instead of its chunks.
        third = await wire.message()
        assert (third.body, third.header(b"content-length")) == (b'{"model":"b"}', b"13")
        wire.send(answer(b"three"))
        assert (await client.message()).body == b"three"
        assert [record.model_requested for record in await gateway.stop()] == ["a", "b"]


async def test_a_request_may_come_byte_by_byte(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        for request in (b"\r\n" + call(CHAT, BODY), chunked(CHAT, BODY[:3], BODY[3:], trailer=b"x-sum: 1\r\n")):
            client = await gateway.client()
            for byte in request:
                client.send(bytes([byte]))
                await client.sent()
                await asyncio.sleep(0)
            wire, seen = await there.called()
            assert seen.body == BODY
            wire.send(answer(b"{}", b"connection: close"))
            assert (await client.message()).status == 200
        assert len(await gateway.stop()) == 2


async def test_a_surplus_empty_line_is_no_beginning_of_a_request(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, header_timeout_ms=100, idle_timeout_ms=300) as gateway:
        client = await gateway.client()
        client.send(call("/v1/models", token=""), b"\r\n")
        assert (await client.message()).status == 401
        # It waits as an idle connection does, and so it is closed without a word.
        await client.closed()


async def test_100_continue_is_sent_to_who_waits_for_it(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        head = call(CHAT, BODY, b"Expect: 100-continue").removesuffix(BODY)
        client.send(head)
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(BODY)
        wire, request = await there.called()
        assert request.header(b"expect") is None
        wire.send(answer(b"{}"))
        assert (await client.message()).status == 200


async def test_a_refused_request_is_not_asked_for_its_body(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, BODY, b"Expect: 100-continue", token="lk-wrong").removesuffix(BODY))
        refused = await client.message()
        assert (refused.status, refused.header(b"connection")) == (401, b"close")
        await client.closed()


async def test_an_http10_client_gets_no_interim_answer_no_chunks_and_a_closed_connection(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, BODY, b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        wire, request = await there.called()
        assert request.first.endswith(b"HTTP/1.1")
        wire.send(stream_head(), chunk(b"data: 1\n\n"), chunk(b"data: [DONE]\n\n"), chunk(b""))
        received = await client.rest()
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")
        assert received.endswith(b"\r\nconnection: close\r\n\r\ndata: 1\n\ndata: [DONE]\n\n")


async def test_an_http10_client_may_ask_to_stay(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client()
        request = call("/v1/models", token="").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        client.send(request.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))
        assert (await client.message()).header(b"connection") is None
        client.send(request)
        assert (await client.message()).header(b"connection") == b"close"
        await client.closed()


async def test_connection_close_is_obeyed_after_the_answer(tmp_path):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(call("/v1/models", b"", b"Connection: close"), call("/v1/models"))
        wire, _ = await there.called()
        wire.send(answer(b"only"))
        message = await client.message()
        assert (message.body, message.header(b"connection")) == (b"only", b"close")
        await client.closed()
        assert len(await gateway.stop()) == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"HEAD /v1/models HTTP/1.1\r\nhost: g\r\nauthorization: Bearer lk-test\r\n\r\n", 405),
        (call(CHAT, b"x" * 101), 413),
        (call("/v1/models", b"", *(b"x-%d: 1" % n for n in range(20))), 431),
        (call("/v1/models", b"", b"x-long: " + b"1" * 2000), 431),
        (call(CHAT, BODY, b"x-tra: value\x00"), 400),
        (chunked(CHAT, b"x" * 60, b"x" * 60), 413),
    ],
)
async def test_what_is_out_of_bounds_is_refused_and_never_seen_by_a_provider(tmp_path, request_bytes, status):
    limits = {"body_bytes_max": 100, "header_count_max": 16, "header_bytes_max": 1000}
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, **limits) as gateway:
            client = await gateway.client()
            client.send(request_bytes)
            head = await client.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 %d " % status)
            assert (b"\r\nallow: DELETE, GET, POST\r\n" in head) == (status == 405)
            if status != 405:
                client.end()
                await client.rest()
            await gateway.stop()
        assert there.connections == 0


async def test_a_body_in_one_piece_that_is_too_large_is_answered_and_recorded_once(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, body_bytes_max=100) as gateway:
        client = await gateway.client()
        client.send(chunked(CHAT, b"x" * 101))
        assert (await client.message()).status == 413
        client.end()
        await client.closed()
        [record] = await gateway.stop()
        assert (record.refusal_code, record.status, record.outcome) == ("body_too_large", 413, "refused")


async def test_a_key_s_own_calls_are_recorded_even_if_the_head_is_refused(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, body_bytes_max=100) as gateway:
        client = await gateway.client()
        client.send(call("/anthropic/v1/messages", b"x" * 101))
        refused = await client.message()
        # In the shape of the provider whose path was called.
        assert b'"request_too_large"' in refused.body
        [record] = await gateway.stop()
        assert (record.key_id, record.refusal_code, record.endpoint) == ("test", "body_too_large", "messages")


async def test_the_connection_of_a_small_refused_request_is_used_again(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client()
        for _ in range(2):
            client.send(call(CHAT, BODY, token="lk-wrong"))
            refused = await client.message()
            assert (refused.status, refused.header(b"connection")) == (401, None)


@pytest.mark.parametrize(
    ("token", "bytes_max", "status"), [("lk-wrong", 20_000_000, 401), ("lk-test", 12_000_000, 413)]
)
async def test_who_sends_all_of_a_large_request_first_reads_why_it_is_refused(tmp_path, token, bytes_max, status):
    async with serving(tmp_path, NO_PROVIDER, body_bytes_max=bytes_max) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b"x" * 20_000_000, token=token))
        await client.sent()
        assert (await client.message()).status == status
        client.end()
        await client.closed()


async def test_who_goes_on_sending_after_a_refusal_is_cut_off(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, body_bytes_max=1_000_000) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b"x" * 3_000_000, token="lk-wrong"))

        async def go_on() -> None:
            while True:
                client.send(b"x" * 100_000)
                await client.sent()

        with pytest.raises(ConnectionError):
            await go_on()


async def test_a_head_that_does_not_come_is_timed_out(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, header_timeout_ms=100) as gateway:
        client = await gateway.client()
        client.send(b"GET /v1/models HTTP/1.1\r\nhost:")
        timed_out = await client.message()
        assert (timed_out.status, timed_out.header(b"connection")) == (408, b"close")
        await client.closed()


async def test_a_connection_without_a_request_is_closed_without_a_word(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, header_timeout_ms=100, idle_timeout_ms=100) as gateway:
        silent, once = await gateway.client(), await gateway.client()
        once.send(call("/v1/models", token=""))
        assert (await once.message()).status == 401
        await silent.closed()
        await once.closed()


async def test_a_body_that_trickles_is_timed_out_as_a_whole(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, body_timeout_ms=200) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b"x" * 10_000).removesuffix(b"x" * 10_000))

        async def trickle() -> None:
            while True:
                client.send(b"x")
                await asyncio.sleep(0.02)

        trickling = asyncio.ensure_future(trickle())
        assert (await client.message()).status == 408
        trickling.cancel()
        [record] = await gateway.stop()
        assert (record.refusal_code, record.cost_nanousd) == ("request_timeout", 0)


async def test_a_client_that_takes_nothing_is_cut_off(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, write_timeout_ms=100) as gateway:
            client = await gateway.client(limit=1000)
            client.pause()
            client.send(call("/v1/models"))
            wire, _ = await there.called()
            wire.send(answer(b"x" * 30_000_000, b"connection: close"))
            await wire.closed()  # read to its end for the meter, once nobody holds it back
            [record] = await gateway.stop()
            assert record.outcome == "client_gone"
            assert "client_disconnected" in record.flags


async def test_one_connection_too_many_is_told_so(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, connections_max=1) as gateway:
        first = await gateway.client()
        first.send(call("/v1/models", token=""))
        await first.message()
        second = await gateway.client()
        refused = await second.message()
        assert (refused.status, refused.header(b"retry-after")) == (503, b"1")
        assert b"overloaded" in refused.body


async def test_the_bodies_held_at_once_are_bounded(tmp_path):
    async with serving(tmp_path, NO_PROVIDER, body_buffer_bytes_max=1000) as gateway:
        first, second = await gateway.client(), await gateway.client()
        first.send(call(CHAT, b"x" * 900)[:-1])
        first.send(b"")
        await first.sent()
        await until(lambda: gateway.server.body_buffer_bytes)
        second.send(call(CHAT, b"x" * 200))
        assert (await second.message()).status == 503
        first.close()
        await until(lambda: not gateway.server.body_buffer_bytes)
        third = await gateway.client()
        third.send(call(CHAT, b"x" * 200))
        assert (await third.message()).status == 400
        codes = [record.refusal_code for record in await gateway.stop()]
        assert codes == ["overloaded", "", "malformed_body"]


async def test_more_than_a_head_of_pipelined_bytes_waits_in_the_kernel(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, header_bytes_max=1000) as gateway:
            client = await gateway.client()
            client.send(call("/v1/models"))
            wire, _ = await there.called()
            client.send(call("/v1/models") * 500_000)
            taken = asyncio.ensure_future(client.sent())
            done, _ = await asyncio.wait({taken}, timeout=0.2)
            assert not done  # neither the gateway nor the kernel has taken forty megabytes
            wire.send(answer(b"first"))
            assert (await client.message()).body == b"first"
            assert (await wire.message()).first == b"GET /v1/models HTTP/1.1"
            wire.send(answer(b"second"))
            assert (await client.message()).body == b"second"
            taken.cancel()
            client.abort()


async def test_refused_requests_that_are_pipelined_wait_in_the_kernel_too(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client()
        client.send(call("/v1/models", token="") * 200_000)
        [connection] = gateway.server._connections
        for _ in range(200):
            assert (await client.message()).status == 401
            assert len(connection._held) < 1_000_000  # one read of the socket and what was left of the one before
        client.abort()


async def test_who_takes_no_refusals_is_not_given_more_of_them(tmp_path):
    count = 12_000
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client(limit=1000)
        client.pause()
        client.send(call("/v1/models", token="") * count)
        [connection] = gateway.server._connections
        await until(lambda: connection._transport.get_write_buffer_size() > 1024 * 1024)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert connection._transport.get_write_buffer_size() < 1024 * 1024 + 1000
        client.resume()
        for _ in range(count):
            assert (await client.message()).status == 401


async def test_a_body_in_tiny_chunks_takes_no_more_memory_than_another(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        client = await gateway.client()
        client.send(chunked(CHAT, *[b"ab"] * 50_000).removesuffix(b"0\r\n\r\n"))
        await until(lambda: gateway.server.body_buffer_bytes == 100_000)
        [connection] = gateway.server._connections
        assert len(connection._body) < 100  # as many as there were reads of the socket


async def test_who_does_not_take_the_last_of_an_answer_is_cut_off_too(tmp_path):
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(tmp_path, toml, write_timeout_ms=100) as gateway:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # so that the kernel takes no more later
                client.connect(("127.0.0.1", gateway.port))
                client.sendall(call("/v1/models", b"", b"connection: close"))
                wire, _ = await there.called()
                [connection] = gateway.server._connections
                wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while connection._transport.get_write_buffer_size() == 0:
                    wire.send(chunk(b"x" * 1000))
                    await wire.sent()
                    await asyncio.sleep(0)
                wire.send(chunk(b"x" * 40_000), chunk(b""))
                await until(lambda: connection._exchange is None)
                assert not connection.paused  # so little is left that nobody is told of it
                await until(lambda: not gateway.server._connections)


async def test_a_tls_client_may_take_its_time_for_the_last_answer(tmp_path):
    size = 2_000_000
    directory = tmp_path / "data"
    authority = Authority(tmp_path)
    cert_file, key_file = map(str, authority.issue("127.0.0.1"))
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai"))
        async with serving(directory, toml, tls_cert_file=cert_file, tls_key_file=key_file) as gateway:
            context = ssl.create_default_context(cafile=authority.ca_file)
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=context, limit=1000)
            client = Wire(reader, writer)
            client.send(call("/v1/models", b"", b"connection: close"))
            wire, _ = await there.called()
            client.pause()
            wire.send(answer(b"x" * size))
            [connection] = gateway.server._connections
            while connection._exchange is not None:
                await client.exactly(1000) if connection.paused else await asyncio.sleep(0)
            lost = asyncio.ensure_future(until(lambda: not gateway.server._connections))
            done, _ = await asyncio.wait({lost}, timeout=1.5)
            assert not done  # more than a goodbye would be waited for
            client.resume()
            assert len(await client.rest()) > size - 1000
            client.close()
            await lost


@pytest.mark.parametrize(
    ("was", "instead"), [(b"Upgrade: websocket", b"Upgrade: h2c"), (b"Version: 13", b"Version: 8"), (b"GET", b"POST")]
)
async def test_an_upgrade_to_anything_else_is_not_forwarded(tmp_path, was, instead):
    async with provider() as there, serving(tmp_path, policy(upstreams_at(there.port, "openai"))) as gateway:
        client = await gateway.client()
        client.send(ask("/v1/models").replace(was, instead))
        if was == b"GET":
            assert (await client.message()).status == 403
            return
        wire, request = await there.called()
        assert request.header(b"upgrade") is None
        assert request.header(b"connection") is None
        wire.send(answer(b"{}"))
        assert (await client.message()).status == 200


async def test_a_handshake_that_is_refused_here_ends_the_connection(tmp_path):
    async with serving(tmp_path, NO_PROVIDER) as gateway:
        for path, status in (("/v1/models", 403), ("/v1/realtime?model=m", 401)):
            client = await gateway.client()
            client.send(ask(path, token="lk-wrong" if status == 401 else "lk-test"), b"\x81\x80 frames sent early")
            refused = await client.message()
            assert (refused.status, refused.header(b"connection")) == (status, b"close")
            await client.closed()
        [record] = await gateway.stop()
        assert (record.refusal_code, record.endpoint) == ("endpoint_not_metered", "")
