"""The copy between both sides: what reaches whom, when, and how it ends when one of them leaves."""

import asyncio
import gzip
import json

import pytest

from tests.support.data_plane import (
    SECRET,
    TOKEN,
    Provider,
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
from tests.support.sockets import agree, ask

CHAT = "/v1/chat/completions"
TRANSPARENT = 'mode = "transparent"'
USAGE = b'{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}'
WHOLE = b'{"id":"c","object":"chat.completion","model":"gpt-4o-2024-08-06","choices":[],"usage":' + USAGE + b"}"
ASKED = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}'
EVENT = (
    b'data: {"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Hi"}}],"usage":null}\n\n'
)
LAST = b'data: {"id":"c","model":"gpt-4o-2024-08-06","choices":[],"usage":' + USAGE + b"}\n\n"
DONE = b"data: [DONE]\n\n"


def openai(there: Provider, key: str = "") -> str:
    return policy(upstreams_at(there.port, "openai", "anthropic", "gemini"), key)


async def test_a_whole_answer_is_passed_on_unchanged_and_metered(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{ "model" : "gpt-4o" }'))
        wire, request = await there.called()
        assert request.body == b'{ "model" : "gpt-4o" }'
        wire.send(answer(WHOLE, b"Content-Type: application/json", b"X-Request-Id: req-7", b"OpenAI-Version: 1"))
        message = await client.message()
        assert message.body == WHOLE
        assert message.lines[:4] == [
            b"content-length: %d" % len(WHOLE),
            b"Content-Type: application/json",
            b"X-Request-Id: req-7",
            b"OpenAI-Version: 1",
        ]
        [record] = await gateway.stop()
        assert message.header(b"x-lensai-request-id") == record.request_id.encode()
        assert (record.outcome, record.status, record.upstream_status) == ("ok", 200, 200)
        assert (record.tokens_in, record.tokens_out, record.provenance) == (9, 2, "reported")
        assert record.cost_nanousd == 9 * 2500 + 2 * 10_000
        assert (record.bytes_in, record.bytes_out, record.upstream_request_id) == (22, len(WHOLE), "req-7")
        assert (record.model_requested, record.model) == ("gpt-4o", "gpt-4o-2024-08-06")
        assert record.latency_us >= record.ttft_us > 0


async def test_all_bytes_of_an_answer_in_pieces_are_counted(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        whole = answer(WHOLE)
        for at in range(0, len(whole), 7):
            wire.send(whole[at : at + 7])
            await wire.sent()
            await asyncio.sleep(0)
        assert (await client.message()).body == WHOLE
        [record] = await gateway.stop()
        assert (record.bytes_out, record.tokens_in) == (len(WHOLE), 9)


async def test_an_event_of_a_stream_leaves_when_its_end_has_come(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, TRANSPARENT)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o","stream":true}'))
        wire, request = await there.called()
        assert request.body == b'{"model":"gpt-4o","stream":true}'
        wire.send(stream_head())
        await client.until(b"\r\n\r\n")  # even the head alone
        for piece, leaves in (
            (EVENT, EVENT),
            (EVENT[:10], b""),
            (EVENT[10:] + EVENT + EVENT[:20], EVENT * 2),
            (EVENT[20:], EVENT),
            (DONE + b"data: no end", DONE),
        ):
            wire.send(chunk(piece))
            await wire.sent()
            if leaves:
                assert await client.chunk() == (chunk(leaves), leaves)
        wire.send(chunk(b""))
        assert await client.chunk() == (chunk(b"data: no end"), b"data: no end")
        assert await client.chunk() == (b"0\r\n\r\n", b"")
        [record] = await gateway.stop()
        assert record.bytes_out == len(EVENT * 4 + DONE + b"data: no end")


async def test_usage_is_asked_for_and_what_that_causes_is_taken_out(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o","stream":true}', b"Accept-Encoding: gzip, br"))
        wire, request = await there.called()
        assert json.loads(request.body)["stream_options"] == {"include_usage": True}
        assert request.header(b"accept-encoding") == b"identity"
        wire.send(stream_head(), chunk(EVENT), chunk(LAST), chunk(DONE), chunk(b""))
        message = await client.message()
        assert message.body == EVENT.replace(b',"usage":null', b"") + DONE
        [record] = await gateway.stop()
        assert (record.tokens_in, record.tokens_out, record.provenance) == (9, 2, "reported")
        assert (record.stream, record.bytes_out) == (True, len(message.body))


@pytest.mark.parametrize(
    "lines",
    [
        (), (b"content-type: text/plain; charset=utf-8",), (b"content-type: application/octet-stream",),
        (b"content-type: text/event-stream", b"content-encoding: none"),
        (b"content-type: text/event-stream", b"content-encoding: Identity"),
    ],
)  # fmt: skip
async def test_a_stream_is_read_whatever_its_type_and_encoding_are_called(tmp_path, lines):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o","stream":true}'))
        wire, _ = await there.called()
        head = b"".join(line + b"\r\n" for line in (b"HTTP/1.1 200 OK", b"transfer-encoding: chunked", *lines, b""))
        wire.send(head, chunk(EVENT), chunk(LAST), chunk(DONE), chunk(b""))
        assert (await client.message()).body == EVENT.replace(b',"usage":null', b"") + DONE
        [record] = await gateway.stop()
        assert (record.tokens_in, record.tokens_out, record.provenance) == (9, 2, "reported")


async def test_a_stream_that_was_asked_for_may_come_as_a_whole_answer(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o","stream":true}'))
        wire, _ = await there.called()
        wire.send(answer(WHOLE, b"content-type: text/plain"))
        assert (await client.message()).body == WHOLE
        [record] = await gateway.stop()
        assert (record.tokens_in, record.provenance) == (9, "reported")


async def test_what_the_client_asked_for_is_not_taken_out(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, request = await there.called()
        assert request.body == ASKED
        wire.send(stream_head(), chunk(EVENT), chunk(LAST), chunk(DONE), chunk(b""))
        assert (await client.message()).body == EVENT + LAST + DONE


async def test_a_compressed_answer_is_passed_on_compressed_and_metered(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}', b"Accept-Encoding: gzip"))
        wire, request = await there.called()
        assert request.header(b"accept-encoding") == b"gzip"
        packed = gzip.compress(WHOLE)
        wire.send(answer(packed, b"content-encoding: gzip"))
        message = await client.message()
        assert (message.body, message.header(b"content-encoding")) == (packed, b"gzip")
        [record] = await gateway.stop()
        assert (record.tokens_in, record.provenance) == (9, "reported")


@pytest.mark.parametrize(
    ("encoding", "flag"), [(b"gzip", "undecodable_answer"), (b"rot13", "unknown_content_encoding")]
)
async def test_an_answer_that_cannot_be_decoded_is_passed_on_and_flagged(tmp_path, encoding, flag):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        wire.send(answer(b"no such thing", b"content-encoding: " + encoding))
        assert (await client.message()).body == b"no such thing"
        [record] = await gateway.stop()
        assert flag in record.flags
        assert record.provenance != "reported"


async def test_a_provider_s_own_error_is_passed_on_and_costs_nothing(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        wire.send(answer(b'{"error":{}}', b"retry-after: 7", status=429))
        message = await client.message()
        assert (message.status, message.header(b"retry-after")) == (429, b"7")
        [record] = await gateway.stop()
        assert (record.status, record.refusal_code, record.cost_nanousd) == (429, "", 0)


@pytest.mark.parametrize(
    ("path", "body", "event", "error"),
    [
        (CHAT, ASKED, EVENT, b'data: {"error":{'),
        (
            "/anthropic/v1/messages",
            b'{"model":"c","stream":true}',
            b"data: {}\n\n",
            b'event: error\ndata: {"type":"error"',
        ),
        (
            "/gemini/v1beta/models/g:streamGenerateContent?alt=sse",
            b'{"contents":[]}',
            b"data: {}\r\n\r\n",
            b'data: {"error":{"code":502',
        ),
        (
            "/v1/responses",
            b'{"model":"g","stream":true}',
            b"event: x\ndata: {}\n\n",
            b'event: error\ndata: {"type":"error","code":"upstream_broken"',
        ),
    ],
)
async def test_a_stream_that_breaks_behind_an_event_ends_with_the_provider_s_kind_of_error(
    tmp_path, path, body, event, error
):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(path, body))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(event))
        await client.until(b"\r\n\r\n")
        assert (await client.chunk())[1] == event
        wire.close()
        assert (await client.chunk())[1].startswith(error)
        assert await client.exactly(5) == b"0\r\n\r\n"
        [record] = await gateway.stop()
        assert (record.outcome, record.status, record.refusal_code) == ("upstream_error", 200, "upstream_broken")


async def test_after_an_error_event_the_connection_bears_the_next_call(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        for _ in range(2):
            client.send(call("/v1/chat/completions", b'{"model":"g","stream":true}'))
            wire, _ = await there.called()
            wire.send(stream_head(), chunk(b"data: {}\n\n"))
            await client.until(b"\r\n\r\n")
            await client.chunk()
            wire.close()
            assert b"upstream_broken" in (await client.chunk())[1]
            assert await client.exactly(5) == b"0\r\n\r\n"


async def test_no_event_is_put_into_a_compressed_stream(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, TRANSPARENT)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        wire.send(stream_head(b"content-encoding: unheard-of"), chunk(b"packed\n\n"))
        await client.until(b"\r\n\r\n")
        await client.chunk()
        wire.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.chunk()


async def test_a_client_that_leaves_is_billed_for_the_whole_answer(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT))
        await client.until(b"Hi")
        client.abort()
        await until(lambda: not gateway.server._connections)
        wire.send(chunk(EVENT), chunk(LAST), chunk(DONE), chunk(b""))
        await until(lambda: not gateway.server._pipeline.live)
        [record] = await gateway.stop()
        assert (record.outcome, record.status) == ("client_gone", 200)
        assert (record.tokens_in, record.tokens_out, record.provenance) == (9, 2, "reported")
        assert set(record.flags) >= {"client_disconnected", "drained"}


async def test_where_the_key_says_cancel_the_provider_is_hung_up_on(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there, 'on_disconnect = "cancel"')) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT))
        await client.until(b"Hi")
        client.abort()
        await wire.closed()
        [record] = await gateway.stop()
        assert (record.outcome, record.provenance) == ("cancelled", "estimated")
        assert record.cost_nanousd > 0


async def test_draining_is_bounded_in_time_from_when_the_client_left(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), drain_timeout_ms=150) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        client.abort()
        await until(lambda: not gateway.server._connections)
        wire.send(stream_head(), chunk(EVENT))  # a head does not begin the time anew
        await wire.closed()
        [record] = await gateway.stop()
        assert (record.outcome, record.status) == ("client_gone", 0)
        assert "drain_limit" in record.flags


async def test_draining_is_bounded_in_bytes(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there), drain_bytes_max=1000) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        client.abort()
        await until(lambda: not gateway.server._connections)
        wire.send(stream_head(), chunk(EVENT * 100))
        await wire.closed()
        [record] = await gateway.stop()
        assert "drain_limit" in record.flags


async def test_a_client_that_leaves_before_its_request_is_whole_costs_nothing(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b"x" * 100)[:-1])
        await until(lambda: gateway.server.body_buffer_bytes)
        client.abort()
        await until(lambda: not gateway.server._connections)
        [record] = await gateway.stop()
        assert (record.outcome, record.cost_nanousd, record.status) == ("client_gone", 0, 0)
        assert there.connections == 0


async def test_a_slow_client_holds_the_provider_back(tmp_path):
    size = 50_000_000
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client(limit=1000)
        client.pause()
        client.send(call("/v1/models"))
        wire, _ = await there.called()
        wire.send(answer(b"x" * size))
        sent = asyncio.ensure_future(wire.sent())
        [connection] = gateway.server._connections
        await until(lambda: connection.paused)
        # What the gateway holds is one read of the provider's socket and the high-water mark.
        assert connection._transport.get_write_buffer_size() < 1_000_000
        assert not sent.done()
        client.resume()
        assert len((await client.message()).body) == size
        await sent
        [record] = await gateway.stop()
        assert record.bytes_out == size


async def test_a_connection_given_back_is_not_left_paused_by_who_gave_it(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        slow, other = await gateway.client(limit=1000), await gateway.client()
        slow.pause()
        slow.send(call("/v1/models"))
        wire, _ = await there.called()
        [taking] = [connection for connection in gateway.server._connections if connection._exchange]
        block = b"x" * 100_000
        sent = 0
        wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        # Fill the kernel's buffers without ever pausing, then let the last chunk tip it over.
        while taking._transport.get_write_buffer_size() == 0:
            wire.send(chunk(b"y" * 1000))
            sent += 1000
            await wire.sent()
            await asyncio.sleep(0)
        assert not taking.paused
        wire.send(chunk(block), chunk(b""))
        await until(lambda: taking.paused and taking._exchange is None)

        other.send(call("/v1/models"))
        await wire.message()
        wire.send(answer(b"other"))
        assert (await other.message()).body == b"other"
        slow.resume()
        assert len((await slow.message()).body) == sent + len(block)


async def test_the_answer_behind_one_that_is_not_taken_is_held_back_too(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client(limit=1000)
        client.pause()
        client.send(call("/v1/models"), call("/v1/models"))
        wire, _ = await there.called()
        [connection] = gateway.server._connections
        wire.send(answer(b"x" * 100_000))
        while not connection.paused:
            await wire.message()
            wire.send(answer(b"x" * 100_000))
            client.send(call("/v1/models"))
            await asyncio.sleep(0)
        client.send(call("/v1/models"))
        await wire.message()
        wire.send(answer(b"x" * 20_000_000))
        sent = asyncio.ensure_future(wire.sent())
        done, _ = await asyncio.wait({sent}, timeout=0.2)
        assert not done
        assert connection._transport.get_write_buffer_size() < 1_000_000
        sent.cancel()
        client.abort()


ECHOES = (
    b"X-Echo: Bearer " + SECRET.encode(),
    b"X-Request-Id: " + SECRET.encode(),
    b"Location: https://elsewhere.test/?key=" + SECRET.encode(),
)


async def test_a_provider_that_echoes_our_credential_shows_it_to_nobody(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        wire.send(answer(b"{}", b"x-a: 1", *ECHOES, b"x-b: 2"))
        message = await client.message()
        assert SECRET.encode() not in message.raw
        assert message.lines[:3] == [b"content-length: 2", b"x-a: 1", b"x-b: 2"]
        [record] = await gateway.stop()
        assert (record.status, record.upstream_request_id) == (200, "")


async def test_nor_does_a_redirect_or_a_reason_phrase(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        wire.send(answer(b"", *ECHOES, status=302).replace(b"Said", b"See " + SECRET.encode()))
        message = await client.message()
        assert (message.status, message.header(b"location")) == (302, None)
        assert SECRET.encode() not in message.raw


async def test_nor_does_an_interim_answer(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, b'{"model":"gpt-4o"}'))
        wire, _ = await there.called()
        hints = b"\r\n".join((b"HTTP/1.1 103 Early Hints", *ECHOES)) + b"\r\n\r\n"
        wire.send(hints, answer(b"{}"))
        message = await client.message()
        assert message.status == 200
        assert SECRET.encode() not in message.raw


async def test_a_client_s_own_credential_comes_back_as_the_provider_sent_it(tmp_path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        own = b"authorization: Bearer " + SECRET.encode()
        client.send(call(f"/k/{TOKEN}/openai{CHAT}", b'{"model":"gpt-4o"}', own, token=""))
        wire, _ = await there.called()
        wire.send(answer(b"{}", *ECHOES))
        assert (await client.message()).header(b"x-echo") == b"Bearer " + SECRET.encode()


async def test_a_placeholder_for_a_key_is_no_secret(tmp_path):
    toml = '[credentials.vllm]\nsecret = "EMPTY"\n[upstreams.vllm]\norigin = "http://127.0.0.1:%d"'
    async with provider() as there, serving(tmp_path, policy(toml % there.port)) as gateway:
        client = await gateway.client()
        client.send(call("/vllm/v1/chat/completions", b'{"model":"m"}'))
        wire, _ = await there.called()
        wire.send(answer(b"{}", b"x-queue: EMPTY"))
        assert (await client.message()).header(b"x-queue") == b"EMPTY"


async def test_a_session_s_handshake_and_aws_s_session_token_show_no_secret_either(tmp_path):
    aws = '[credentials.bedrock]\nsecret = "AKIA:key-of-the-policy:token-of-the-policy"\n[upstreams.bedrock]\norigin = '
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai") + f'\n{aws}"http://127.0.0.1:{there.port}"')
        async with serving(tmp_path, toml) as gateway:
            client = await gateway.client()
            client.send(ask("/v1/realtime?model=m"))
            wire, _ = await there.called()
            wire.send(agree(*ECHOES))
            assert SECRET.encode() not in await client.until(b"\r\n\r\n")
            client.abort()
            again = await gateway.client()
            again.send(call("/bedrock/model/m/converse", b"{}"))
            wire, request = await there.called()
            token = request.header(b"x-amz-security-token")
            wire.send(answer(b"{}", b"x-echo: " + token))
            message = await again.message()
            assert (token, b"of-the-policy" in message.raw) == (b"token-of-the-policy", False)
