"""Streams whose provider breaks off, on raw wires: what the client has of each, and the error that ends it.

How the gateway ends streams by itself is in test_cut_streams.py; the way out is the same.
"""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.wire import eventstream
from tests.support.data_plane import Provider, answer, call, chunk, policy, provider, serving, stream_head, upstreams_at

CHAT = "/v1/chat/completions"
TRANSPARENT = 'mode = "transparent"'
ASKED = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}'
EVENT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
FRAME = eventstream.encode({":message-type": "event", ":event-type": "messageStart"}, b'{"role":"assistant"}')


def openai(there: Provider, key: str = "") -> str:
    return policy(upstreams_at(there.port, "openai", "gemini"), key)


@pytest.mark.parametrize("key", ["", TRANSPARENT])
@pytest.mark.parametrize("asked", [ASKED, b'{"model":"gpt-4o","stream":true}'])
async def test_a_stream_that_breaks_anywhere_ends_with_whole_events_and_an_error(
    tmp_path: Path, key: str, asked: bytes
):
    stream = b"data: {}\n\n: ping\n\ndata: [1]\n\n"
    async with provider() as there, serving(tmp_path, openai(there, key)) as gateway:
        client = await gateway.client()
        for at in range(len(stream)):
            client.send(call(CHAT, asked))
            wire, _ = await there.called()
            wire.send(stream_head(), chunk(stream[:at]) if at else b"")
            await client.until(b"\r\n\r\n")
            wire.close()
            *events, error, after = (await client.rest_of_body()).split(b"\n\n")
            assert stream.startswith(b"".join(event + b"\n\n" for event in events if event != b": ping"[:at]))
            assert len(events) == stream[:at].count(b"\n\n")
            assert error.removeprefix(b": ping\n").startswith(b'data: {"error":{"message":')
            assert after == b""


async def test_a_stream_that_breaks_within_a_large_event_is_cut(tmp_path: Path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        wire.send(stream_head(), *(chunk(b"data: " + b"A" * 10_000) for _ in range(100)))
        await client.until(b"\r\n\r\n")
        await client.chunk()
        wire.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.rest_of_body()
        [record] = await gateway.stop()
        assert record.outcome == "upstream_error"


@pytest.mark.parametrize(
    ("path", "kind", "event", "error"),
    [
        ("/ollama/api/chat", b"application/x-ndjson", b'{"done":false}\n', b'{"error":"'),
        ("/bedrock/model/m/converse-stream", b"application/vnd.amazon.eventstream", FRAME, b"\0\0\0"),
    ],
)
async def test_streams_in_other_framings_end_with_an_error_of_their_own(
    tmp_path: Path, path: str, kind: bytes, event: bytes, error: bytes
):
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % kind
    async with provider() as there:
        toml = policy(upstreams_at(there.port, "ollama", "bedrock"))
        async with serving(tmp_path, toml) as gateway:
            for ending in (b"", event[:-1]):
                client = await gateway.client()
                client.send(call(path, b'{"model":"m","messages":[]}'))
                wire, _ = await there.called()
                wire.send(head, chunk(event + ending))
                await client.until(b"\r\n\r\n")
                assert (await client.chunk())[1] == event
                wire.close()
                assert (await client.chunk())[1].startswith(error)
                assert await client.exactly(5) == b"0\r\n\r\n"


@pytest.mark.parametrize("came", [b"", b"[", b'[{"candidates":', b'[{"candidates":[]}', b'[{"candidates":[]},\r\n{"ca'])
async def test_a_json_array_ends_with_an_error_as_its_last_element(tmp_path: Path, came: bytes):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/gemini/v1beta/models/g:streamGenerateContent", b'{"contents":[]}'))
        wire, _ = await there.called()
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        wire.send(chunk(came) if came else b"")
        await client.until(b"\r\n\r\n")
        wire.close()
        *elements, error = json.loads(await client.rest_of_body())
        assert elements == [{"candidates": []}] * came.count(b"[]}")
        assert (error["error"]["code"], error["error"]["status"]) == (502, "UNAVAILABLE")


async def test_a_whole_json_array_is_passed_on_unchanged(tmp_path: Path):
    pieces = (b'[{"candidates":[]}', b",\r\n", b'{"candidates":[]}', b"\n]\n")
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/gemini/v1beta/models/g:streamGenerateContent", b'{"contents":[]}'))
        wire, _ = await there.called()
        wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        wire.send(*map(chunk, (*pieces, b"")))
        assert (await client.message()).body == b"".join(pieces)


async def test_a_client_of_http_1_0_is_told_too(tmp_path: Path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED).replace(b" HTTP/1.1", b" HTTP/1.0"))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(EVENT + EVENT[:9]))
        await client.until(b"\r\n\r\n")
        await client.until(EVENT)
        wire.close()
        assert (await client.rest()).startswith(b'data: {"error":{')


async def test_a_stream_whose_length_was_announced_is_cut(tmp_path: Path):
    async with provider() as there, serving(tmp_path, openai(there, TRANSPARENT)) as gateway:
        client = await gateway.client()
        client.send(call(CHAT, ASKED))
        wire, _ = await there.called()
        wire.send(answer(EVENT * 2, b"content-type: text/event-stream")[:-5])
        await client.until(EVENT)
        wire.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.exactly(len(EVENT))


@pytest.mark.parametrize(
    ("events", "number"),
    [
        (b"", 0),
        (b'event: a\ndata: {"type":"a","sequence_number":6,"delta":"\\"sequence_number\\":9"}\n\n', 7),
        (b'data: {"sequence_number": 11}\n\n: ping\n\n', 12),
        (b'data: {"sequence_number":1}\n\ndata: {"sequence_number":2}\n\ndata: {"sequence_number":3}', 3),
        (b"data: {}\n\n", 0),
    ],
)
async def test_an_error_of_the_responses_api_is_numbered_as_its_stream_goes_on(
    tmp_path: Path, events: bytes, number: int
):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/v1/responses", b'{"model":"g","stream":true}'))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(events) if events else b"")
        await client.until(b"\r\n\r\n")
        wire.close()
        error = json.loads((await client.rest_of_body()).rpartition(b"data: ")[2])
        [record] = await gateway.stop()
        assert (error["code"], error["sequence_number"]) == ("upstream_broken", number)
        assert record.request_id in error["message"]


async def test_a_stream_that_nothing_meters_is_told_too(tmp_path: Path):
    async with provider() as there, serving(tmp_path, openai(there)) as gateway:
        client = await gateway.client()
        client.send(call("/v1/fine_tuning/jobs/j/events"))
        wire, _ = await there.called()
        wire.send(stream_head(), chunk(b"data: {}\n\ndata: {"))
        await client.until(b"\r\n\r\n")
        wire.close()
        assert (await client.rest_of_body()).startswith(b'data: {}\n\ndata: {"error":{"message":')
