"""Handshakes through a real gateway: what of them passes, what is ours, and what is no answer to one."""

import pytest

from tests.support.data_plane import Provider, answer, policy, provider, serving, upstreams_at
from tests.support.sockets import KEY, agree, ask


def openai(there: Provider) -> str:
    return policy(upstreams_at(there.port, "openai", "gemini"))


DEFLATE = b"permessage-deflate; client_max_window_bits"


async def test_a_handshake_is_passed_on_and_hop_by_hop_headers_are_our_own(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        offers = (
            b"OpenAI-Beta: realtime=v1",
            b"Sec-WebSocket-Extensions: " + DEFLATE,
            b"Sec-WebSocket-Protocol: realtime",
        )
        client = await gateway.client()
        client.send(ask("/v1/realtime?model=gpt-realtime&x=1", *offers))
        wire, request = await there.called()
        assert request.first == b"GET /v1/realtime?model=gpt-realtime&x=1 HTTP/1.1"
        assert request.lines == [
            b"Host: 127.0.0.1:%d" % there.port,
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: " + KEY,
            b"authorization: Bearer sk-of-the-policy",
            *offers,
            b"connection: Upgrade",
            b"upgrade: websocket",
        ]
        wire.send(
            agree(
                b"Sec-WebSocket-Protocol: realtime", b"Sec-WebSocket-Extensions: permessage-deflate", b"x-request-id: 7"
            )
        )
        head = await client.until(b"\r\n\r\n")
        first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        assert first == b"HTTP/1.1 101 Switching Protocols"
        assert lines[1:] == [
            b"Sec-WebSocket-Protocol: realtime",
            b"Sec-WebSocket-Extensions: permessage-deflate",
            b"x-request-id: 7",
            b"connection: Upgrade",
            b"upgrade: websocket",
            lines[-1],
        ]
        client.abort()
        [record] = await gateway.stop()
        assert lines[0].startswith(b"Sec-WebSocket-Accept: ")
        assert lines[-1] == b"x-lensai-request-id: " + record.request_id.encode()
        assert (record.upstream_request_id, record.endpoint, record.stream) == ("7", "realtime", True)


async def test_a_key_in_a_protocol_s_name_is_not_seen_by_the_provider(tmp_path):
    protocols = b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.lk-test"
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask("/v1/realtime?model=m", protocols, token=""))
        wire, request = await there.called()
        assert request.header(b"sec-websocket-protocol") == b"realtime"
        assert request.header(b"authorization") == b"Bearer sk-of-the-policy"
        assert b"lk-test" not in request.raw
        wire.send(agree(b"Sec-WebSocket-Protocol: realtime"))
        assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")

        alone = await gateway.client()
        alone.send(ask("/v1/realtime?model=m", b"Sec-WebSocket-Protocol: openai-insecure-api-key.lk-test", token=""))
        _, request = await there.called()
        assert request.header(b"sec-websocket-protocol") is None


async def test_a_client_s_own_key_in_a_protocol_s_name_passes(tmp_path):
    protocols = b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-own"
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask("/k/lk-test/openai/v1/realtime?model=m", protocols, token=""))
        _, request = await there.called()
        assert request.header(b"sec-websocket-protocol") == b"realtime, openai-insecure-api-key.sk-own"
        assert request.header(b"authorization") is None


async def test_a_key_in_the_query_of_a_handshake_is_taken_out(tmp_path):
    path = "/gemini/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=lk-test&alt=x"
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask(path, token=""))
        _, request = await there.called()
        assert request.first.endswith(b"GenerativeService.BidiGenerateContent?alt=x HTTP/1.1")
        assert request.header(b"x-goog-api-key") == b"sk-of-the-policy"


@pytest.mark.parametrize("status", [200, 401, 426, 500])
async def test_a_handshake_that_is_refused_is_an_ordinary_answer_and_the_last(tmp_path, status):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask("/v1/realtime?model=m"), b"\x81\x80frames that were sent early")
        wire, _ = await there.called()
        wire.send(answer(b'{"error":{}}', b"x-request-id: r", status=status))
        refused = await client.message()
        assert (refused.status, refused.body, refused.header(b"connection")) == (status, b'{"error":{}}', b"close")
        await client.closed()
        [record] = await gateway.stop()
        assert (record.status, record.upstream_status, record.cost_nanousd) == (status, status, 0)
        assert record.outcome == ("upstream_error" if status >= 400 else "ok")
        assert record.flags == ()


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        (b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"),
        (b"upgrade: websocket", b"upgrade: h2c"),
        (b"Connection: Upgrade", b"Connection: Upgrade\r\nSec-WebSocket-Protocol: unasked"),
    ],
)
async def test_a_101_to_something_else_is_no_answer(tmp_path, was, instead):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask("/v1/realtime?model=m"))
        wire, _ = await there.called()
        wire.send(agree().replace(was, instead))
        assert (await client.message()).status == 502
        await wire.closed()
        [record] = await gateway.stop()
        assert (record.outcome, record.refusal_code, record.cost_nanousd) == ("upstream_error", "upstream_broken", 0)


async def test_a_client_that_leaves_before_the_101_is_waited_for_no_longer(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(ask("/v1/realtime?model=m"))
        wire, _ = await there.called()
        client.abort()
        await wire.closed()
        [record] = await gateway.stop()
        assert (record.outcome, record.cost_nanousd) == ("client_gone", 0)
