"""Clients that close a stream: behind its last event they had everything, before it they left."""

import asyncio
from pathlib import Path

import pytest

from gateway.contract.record import Record
from tests.support.data_plane import Wire, call, chunk, provider, soon, stream_head
from tests.support.gateways import gateway_on, sandbox_upstreams, wait_until

BODY = b'{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true}}'
USAGE = b'data: {"choices":[],"model":"gpt-4o-mini","usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n'
DONE = b"data: [DONE]\n\n"


async def left(directory: Path, key: str, before: bytes, after: bytes) -> Record:
    """The record of a stream whose client closes when it has read `before`; the rest of it is `after`."""
    async with provider() as there:
        with gateway_on(directory / "data", sandbox_upstreams(f"http://127.0.0.1:{there.port}")) as gateway:
            token = gateway.add_key(more=key)
            gateway.start()
            client = Wire(*await soon(asyncio.open_connection("127.0.0.1", gateway.port)))
            client.send(call("/v1/chat/completions", BODY, token=token))
            wire, _ = await there.called()
            wire.send(stream_head(), chunk(before))
            await client.until(before + b"\r\n")
            client.close()
            await client.closed()
            wait_until(lambda: b"lensai_connections 0.0" in gateway.ask_admin("metrics"), lambda: "it is not noticed")
            wire.send(after)
            await wire.sent()
            wait_until(lambda: bool(gateway.journaled()), lambda: "no record")
            [record] = gateway.journaled()
            return record


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("key", ['on_disconnect = "drain"', 'on_disconnect = "cancel"'])
async def test_a_client_that_closes_at_the_last_event_had_its_answer(tmp_path: Path, key: str, end: bytes):
    record = await left(tmp_path, key, before=USAGE + b"data: [DONE]" + end, after=chunk(b""))

    assert (record.outcome, record.provenance, record.flags) == ("ok", "reported", ())
    assert (record.tokens_in, record.tokens_out) == (9, 2)


async def test_a_client_that_closes_before_the_last_event_left(tmp_path: Path):
    record = await left(tmp_path, "", before=USAGE, after=chunk(DONE) + chunk(b""))

    assert (record.outcome, record.provenance) == ("client_gone", "reported")
    assert record.flags == ("client_disconnected", "drained")


async def test_a_call_whose_key_cancels_ends_where_its_client_left(tmp_path: Path):
    record = await left(tmp_path, 'on_disconnect = "cancel"', before=b'data: {"choices":[]}\n\n', after=b"")

    assert (record.outcome, record.provenance) == ("cancelled", "estimated")
    assert record.flags == ("client_disconnected",)
