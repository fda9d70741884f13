"""A provider that breaks every rule: what its caller sees, what is recorded, and that no other call is harmed."""

import asyncio
import contextlib
import gzip
import json
import os
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.contract.record import Record
from gateway.upstream import INTERIM_HEADS_MAX, RESPONSE_HEAD_BYTES_MAX
from tests.support.certificates import Authority
from tests.support.data_plane import (
    HEAD_END,
    TOKEN,
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

CHAT = call("/v1/chat/completions", b'{"model":"m"}')
MESSAGE = call("/anthropic/v1/messages", b'{"model":"claude-opus-4-1","max_tokens":5,"messages":[]}')
STREAM = call("/v1/chat/completions", b'{"model":"m","stream":true,"stream_options":{"include_usage":true}}')
EVENT = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
OWN = b'{"whose":"the bystander\'s own"}'
POISON = b"poison"


@contextlib.asynccontextmanager
async def hostile(directory: Path) -> AsyncIterator[tuple[Gateway, Provider]]:
    """A gateway before a provider. Somebody else's call is open there all the while, and more follow it at the end."""
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "openai", "anthropic", "gemini"))
        async with serving(directory, toml) as gateway:
            bystander = await gateway.client()
            bystander.send(CHAT)
            wire, _ = await there.called()
            yield gateway, there
            for _ in range(2):
                wire.send(answer(OWN))
                assert (await bystander.message()).body == OWN
                bystander.send(CHAT)
                await wire.message()
            wire.send(answer(OWN))
            await bystander.message()


async def told(gateway: Gateway, there: Provider, *said: bytes, request: bytes = CHAT, close: bool = False) -> Message:
    """What the caller of a request gets when the provider has said that, and hung up or been hung up on."""
    client = await gateway.client()
    client.send(request)
    wire, _ = await there.called()
    wire.send(*said)
    if close:
        wire.close()
    message = await client.message()
    with contextlib.suppress(ConnectionError):
        await wire.rest()
    return message


async def recorded(gateway: Gateway) -> Record:
    """The record of the one call that has ended, once it is written."""
    await until(lambda: gateway.recorded())
    [record] = gateway.recorded()
    return record


# -- heads


NO_HEADS = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two lengths alike": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths in one line": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "chunks twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another transfer coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a length with a sign": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "a length in hexadecimal": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    "a length beyond counting": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "a bare LF": b"HTTP/1.1 200 OK\r\nX-A: 1\nX-B: 2\r\n\r\n",
    "bare LFs throughout": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}\r\n\r\n",
    "a bare CR": b"HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nX-A: 1\x002\r\n\r\n",
    "a NUL in a name": b"HTTP/1.1 200 OK\r\nX\x00A: 1\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n Content-Length: 2\r\n\r\n{}",
    "a blank before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
    "no name": b"HTTP/1.1 200 OK\r\n: 2\r\n\r\n",
    "no colon": b"HTTP/1.1 200 OK\r\nX-A\r\n\r\n",
    "a split header": b"HTTP/1.1 200 OK\r\nX-A: 1\n\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "a reason with a CR": b"HTTP/1.1 200 O\rK\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status beyond 599": b"HTTP/1.1 999 OK\r\n\r\n",
    "a switch nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
    "the version of HTTP/2": b"HTTP/2 200\r\ncontent-length: 2\r\n\r\n{}",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "an alert of TLS": b"\x15\x03\x01\x00\x02\x02\x46\r\n\r\n",
}
CUT_HEADS = {
    "nothing": b"",
    "half a line": b"HTTP/1.1 2",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "HTTP/0.9": b"<html>Hello</html>",
    "HTTP/2's settings": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
    "an interim answer alone": b"HTTP/1.1 100 Continue\r\n\r\n",
}


async def is_refused(message: Message, gateway: Gateway) -> None:
    """A 502 that no SDK tries again, and a record of a call whose cost is not known."""
    assert (message.status, message.header(b"x-should-retry")) == (502, b"false")
    assert json.loads(message.body)["error"]["code"] == "upstream_broken"
    record = await recorded(gateway)
    assert (record.outcome, record.status, record.upstream_status) == ("upstream_error", 502, 0)
    assert (record.refusal_code, record.cost_nanousd, record.provenance) == ("upstream_broken", None, "unknown")


@pytest.mark.parametrize("said", NO_HEADS.values(), ids=NO_HEADS)
async def test_a_head_that_can_be_read_in_two_ways_is_not_read(tmp_path, said):
    async with hostile(tmp_path) as (gateway, there):
        message = await told(gateway, there, said)
        await is_refused(message, gateway)
        assert POISON not in message.raw


@pytest.mark.parametrize("said", CUT_HEADS.values(), ids=CUT_HEADS)
async def test_a_head_that_does_not_end_is_none(tmp_path, said):
    async with hostile(tmp_path) as (gateway, there):
        await is_refused(await told(gateway, there, said, close=True), gateway)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n" + b"x-a: 1\r\n" * 131_072 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx-a: " + b"1" * 1_048_576,
        b"1" * 1_048_576,
    ],
    ids=["a megabyte of lines", "a line without end", "no line at all"],
)
async def test_a_head_without_measure_is_refused_long_before_its_end(tmp_path, said):
    assert len(said) > 2 * RESPONSE_HEAD_BYTES_MAX
    async with hostile(tmp_path) as (gateway, there):
        await is_refused(await told(gateway, there, said), gateway)


async def test_thousands_of_interim_answers_are_refused_after_a_few(tmp_path):
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    async with hostile(tmp_path) as (gateway, there):
        message = await told(gateway, there, interim * 5_000, answer(POISON))
        await is_refused(message, gateway)


async def test_as_many_interim_answers_as_may_be_come_before_every_answer(tmp_path):
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * INTERIM_HEADS_MAX
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        for again in (True, False):
            wire.send(interim, answer(b"{}"))
            message = await client.message()
            assert (message.status, message.header(b"link")) == (200, None)
            if again:
                client.send(CHAT)
                await wire.message()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/openai/v1/chat/completions", {"type": "server_error", "code": "upstream_broken"}),
        ("/anthropic/v1/messages", {"type": "api_error", "details": {"error_code": "upstream_broken"}}),
        ("/gemini/v1beta/models/m:generateContent", {"code": 502, "status": "UNAVAILABLE"}),
    ],
)
async def test_the_error_has_the_shape_of_the_provider_s_own(tmp_path, path, error):
    async with hostile(tmp_path) as (gateway, there):
        body = b'{"model":"m"}'
        message = await told(gateway, there, b"garbage\r\n\r\n", request=call(path, body))
        assert json.loads(message.body)["error"].items() >= error.items()
        is_json = message.header(b"content-type")
        assert (message.status, is_json) == (502, b"application/json")


# -- bodies


BAD_CHUNKS = {
    "a size that is none": b"zz\r\nhello\r\n",
    "a negative size": b"-5\r\nhello\r\n",
    "a size beyond counting": b"fffffffffffffffff\r\nhello\r\n",
    "a blank before the size": b" 5\r\nhello\r\n",
    "a size in the other notation": b"0x5\r\nhello\r\n",
    "no size": b"\r\nhello\r\n",
    "a bare LF behind the size": b"5\nhello\r\n",
    "a bare LF behind the chunk": b"5\r\nhello\n5\r\nhello\r\n",
    "a chunk longer than its size": b"5\r\nhello!\r\n",
    "an extension with a control byte": b"5;a=\x01\r\nhello\r\n",
    "an extension without a name": b"5;=1\r\nhello\r\n",
    "an extension without measure": b"5;a=" + b"1" * 1_000 + b"\r\nhello\r\n",
    "a trailer with a blank in its name": b"0\r\nx a: 1\r\n\r\n",
    "a trailer with a bare LF": b"0\r\nx: 1\ny: 2\r\n\r\n",
    "a trailer with a NUL": b"0\r\nx: \x00\r\n\r\n",
    "trailers without measure": b"0\r\n" + b"x: 1\r\n" * 10_000 + b"\r\n",
    "a last chunk that does not end": b"0\r\nHTTP/1.1 200 OK\r\n\r\n",
}


async def started(client: Wire, there: Provider, *lines: bytes) -> Wire:
    """A stream whose first event has reached the client; the provider's end of it."""
    client.send(STREAM)
    wire, _ = await there.called()
    wire.send(stream_head(*lines), chunk(EVENT))
    await client.until(HEAD_END)
    assert (await client.chunk())[1] == EVENT
    return wire


@pytest.mark.parametrize("said", BAD_CHUNKS.values(), ids=BAD_CHUNKS)
async def test_a_chunk_that_can_be_read_in_two_ways_ends_the_stream_with_an_error(tmp_path, said):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        wire = await started(client, there)
        wire.send(said)
        assert b'"code":"upstream_broken"' in await client.rest_of_body()
        with contextlib.suppress(ConnectionError):
            await wire.rest()
        record = await recorded(gateway)
        assert (record.outcome, record.status, record.refusal_code) == ("upstream_error", 200, "upstream_broken")
        assert record.provenance != "reported"


async def test_extensions_and_trailers_that_are_well_formed_end_here(tmp_path):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        wire = await started(client, there)
        wire.send(b'6;a;b=c;d="e"\r\ndata: \r\n', b"0;last\r\nX-Checksum: 1\r\nContent-Length: 9\r\n\r\n")
        assert await client.chunk() == (b"6\r\ndata: \r\n", b"data: ")
        assert await client.chunk() == (b"0\r\n\r\n", b"")


CUT_BODIES: dict[str, Callable[[Wire], None]] = {
    "in a chunk": lambda wire: wire.send(chunk(EVENT)[:20]),
    "between chunks": lambda wire: None,
    "before the last empty line": lambda wire: wire.send(b"0\r\n"),
}


@pytest.mark.parametrize("cut", CUT_BODIES.values(), ids=CUT_BODIES)
async def test_a_stream_that_is_cut_is_never_taken_for_a_whole_one(tmp_path, cut):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        wire = await started(client, there)
        cut(wire)
        wire.close()
        rest = await rest_or_cut(client)
        assert not rest or b'"code":"upstream_broken"' in rest
        assert (await recorded(gateway)).outcome == "upstream_error"


async def rest_or_cut(client: Wire) -> bytes:
    """What a client still gets of a stream; b"" where its connection is reset."""
    try:
        return await client.rest_of_body()
    except (ConnectionError, asyncio.IncompleteReadError):
        return b""


async def test_an_answer_shorter_than_its_length_is_cut_for_the_client_too(tmp_path):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(b"x" * 100)[:-1])
        await client.until(HEAD_END)
        wire.close()
        assert len(await rest_or_cut(client)) < 100
        record = await recorded(gateway)
        assert (record.outcome, record.status, record.refusal_code) == ("upstream_error", 200, "upstream_broken")


# -- one answer for one request


async def never_seen(gateway: Gateway, there: Provider, *said: bytes, request: bytes = CHAT) -> Message:
    """The answer to a request that the provider says that to, of which what is poison must reach nobody."""
    client = await gateway.client()
    client.send(request)
    wire, _ = await there.called()
    wire.send(*said)
    message = await client.message(to_head=said[0].startswith(b"HTTP/1.1 304"))
    await wire.closed()
    other = await gateway.client()
    for each in (client, other):
        each.send(CHAT)
        wire, _ = await there.called()
        wire.send(answer(OWN, b"connection: close"))
        assert (await each.message()).body == OWN
    assert POISON not in message.raw
    return message


@pytest.mark.parametrize(
    "said",
    [
        answer(b"{}") + answer(POISON),
        answer(b"{}") + POISON,
        answer(b"{}") + b"\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" + answer(POISON),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"{}") + chunk(b"") + answer(POISON),
        b"HTTP/1.1 204 None\r\n\r\n" + POISON,
        b"HTTP/1.1 204 None\r\n\r\n" + answer(POISON),
        b"HTTP/1.1 204 None\r\ncontent-length: 6\r\n\r\n" + POISON,
        b"HTTP/1.1 304 Same\r\ncontent-length: 6\r\n\r\n" + POISON,
        b"HTTP/1.1 304 Same\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(POISON) + chunk(b""),
    ],
    ids=[
        "a second answer", "bytes behind a length", "an empty line behind a length", "behind no body",
        "behind the last chunk", "a 204 with bytes", "a 204 with an answer", "a 204 with a length", "a 304 with a body",
        "a 304 in chunks",
    ],
)  # fmt: skip
async def test_what_follows_an_answer_reaches_nobody(tmp_path, said):
    async with hostile(tmp_path) as (gateway, there):
        message = await never_seen(gateway, there, said)
        assert message.status in (200, 204, 304)


async def test_an_answer_before_the_request_is_never_somebody_else_s(tmp_path):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(CHAT)
        wire = await there.accept()
        wire.send(answer(b"early"))
        # Which of the two crossed the other on the way cannot be told.
        message = await client.message()
        assert message.status == 502 or message.body == b"early"
        wire.send(answer(POISON))
        with contextlib.suppress(ConnectionError):
            await wire.rest()
        for each in (client, await gateway.client()):
            each.send(CHAT)
            wire, _ = await there.called()
            wire.send(answer(OWN, b"connection: close"))
            assert (await each.message()).body == OWN


async def test_a_question_about_a_head_alone_never_reaches_a_provider(tmp_path):
    """So no answer can have a body that its request forbids."""
    async with hostile(tmp_path) as (gateway, there):
        before = there.connections
        client = await gateway.client()
        client.send(call("/v1/models").replace(b"GET", b"HEAD"))
        assert (await client.message(to_head=True)).status == 405
        assert there.connections == before


# -- encodings


async def test_what_is_no_gzip_is_passed_on_and_not_believed(tmp_path):
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(call("/v1/chat/completions", b'{"model":"m"}', b"accept-encoding: gzip"))
        wire, _ = await there.called()
        wire.send(answer(b"garbage", b"content-encoding: gzip", b"connection: close"))
        message = await client.message()
        assert (message.body, message.header(b"content-encoding")) == (b"garbage", b"gzip")
        record = await recorded(gateway)
        assert (record.outcome, record.status) == ("ok", 200)
        assert record.provenance != "reported"


async def test_a_little_gzip_that_unpacks_without_end_is_passed_on_and_not_kept(tmp_path):
    bomb = gzip.compress(b"\0" * 80_000_000, 9)
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(call("/v1/chat/completions", b'{"model":"m"}', b"accept-encoding: gzip"))
        wire, _ = await there.called()
        wire.send(answer(bomb, b"content-encoding: gzip", b"connection: close"))
        assert (await client.message()).body == bomb
        record = await recorded(gateway)
        assert record.provenance != "reported"


# -- usage


@pytest.mark.parametrize("hops", [200, 30_000], ids=["some", "many"])
async def test_numbers_beyond_counting_cost_neither_the_record_nor_the_connection(tmp_path, hops):
    much = {"type": "compaction", "input_tokens": 10**12, "output_tokens": 10**12}
    iterations = [much | {"model": f"m{number}"} for number in range(hops)]
    usage = {"input_tokens": 1, "output_tokens": 0, "iterations": iterations}
    body = json.dumps({"type": "message", "model": "claude-opus-4-1", "usage": usage}).encode()
    async with hostile(tmp_path) as (gateway, there):
        client = await gateway.client()
        client.send(MESSAGE)
        wire, _ = await there.called()
        wire.send(answer(body))
        assert (await client.message()).body == body
        record = await recorded(gateway)
        assert "usage_inconsistent" in record.flags
        assert record.cost_nanousd is None or record.cost_nanousd < 10**9
        client.send(MESSAGE)
        await wire.message()
        wire.send(answer(OWN))
        assert (await client.message()).body == OWN


# -- TLS


def secure(authority: Authority, port: int) -> str:
    origin = f'origin = "https://127.0.0.1:{port}"\nca_file = "{authority.ca_file}"'
    return policy(f'[credentials.openai]\nsecret = "sk-of-the-policy"\n[upstreams.openai]\n{origin}')


async def test_who_answers_a_handshake_with_something_else_is_unreachable(tmp_path):
    authority = Authority(tmp_path)
    async with provider() as there, serving(tmp_path, secure(authority, there.port)) as gateway:
        for said in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x16\x03\x03\xff\xff" + b"\0" * 65_535,
            b"\x15\x03\x01\0\2\2\x46",
        ):
            client = await gateway.client()
            client.send(CHAT)
            wire = await there.accept()
            wire.send(said)
            message = await client.message()
            assert message.status == 502
            assert b'"upstream_unreachable"' in message.body
            with contextlib.suppress(ConnectionError):
                await wire.rest()
        assert {record.cost_nanousd for record in await gateway.stop()} == {0}  # nothing was ever sent


async def test_what_is_no_tls_any_more_breaks_the_answer(tmp_path):
    authority = Authority(tmp_path)
    with spoiling(authority.server("127.0.0.1")) as port:
        async with serving(tmp_path, secure(authority, port)) as gateway:
            client = await gateway.client()
            client.send(CHAT)
            message = await client.message()
            assert message.status == 502
            assert b'"upstream_broken"' in message.body
            [record] = await gateway.stop()
            assert (record.outcome, record.cost_nanousd) == ("upstream_error", None)


@contextlib.contextmanager
def spoiling(tls: ssl.SSLContext) -> Iterator[int]:
    """A server that takes one request in TLS and goes on without it."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as open_until_the_end:

        def serve() -> None:
            accepted, _ = listening.accept()
            wrapped = open_until_the_end.enter_context(tls.wrap_socket(accepted, server_side=True))
            assert wrapped.recv(1 << 16)
            with socket.socket(fileno=os.dup(wrapped.fileno())) as beneath:
                beneath.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


# -- what an SDK makes of it


async def streamed(gateway: Gateway, there: Provider, *said: bytes) -> list[Any]:
    """The chunks that openai's SDK reads of a stream which begins well; each of what is said is sent by itself."""
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{gateway.port}/openai/v1", api_key=TOKEN, max_retries=0
    ) as api:
        opening = asyncio.ensure_future(
            api.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "Hi"}],
                stream=True,
                stream_options={"include_usage": True},  # so that nothing is taken out, and no event held back for it
            )
        )
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT))
        stream = await opening
        seen = [await anext(stream)]
        for each in said:
            sent = passed_on(gateway)
            wire.send(each)
            await until(lambda before=sent: passed_on(gateway) != before)
        seen += [each async for each in stream]
        return seen


def passed_on(gateway: Gateway) -> list[int]:
    """How many bytes each call in flight has passed on."""
    return sorted(exchange.bytes_out for exchange in gateway.server._pipeline.live)


@pytest.mark.parametrize("before", [b"", chunk(EVENT[:20]), chunk(EVENT + EVENT[:-1])])
async def test_an_sdk_raises_the_error_that_ends_a_broken_stream(tmp_path, before):
    async with hostile(tmp_path) as (gateway, there):
        with pytest.raises(openai.APIError) as raised:
            await streamed(gateway, there, before + b"zz\r\n")
        assert raised.value.code == "upstream_broken"
