"""Streams that the gateway ends, in whatever chunks the provider writes: whole events, the error, then a clean end.

The provider is the sandbox, which says the same to every call, so that what was delivered is compared byte for byte.
Only what names no output cap and has a known maximum pays as it goes, so that a budget may run out under it.
"""

import asyncio
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.eventstream import EventStreamBuffer

from gateway.wire import sse
from tests.support.data_plane import Gateway, Wire, call, policy, serving, until
from tests.support.gateways import sandbox_upstreams
from tests.support.processes import running_sandbox

STREAMS = 20
TOKENS = 3500
HI = [{"role": "user", "content": "Hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Hi"}]}]
GENERATE = "/gemini/v1beta/models/gemini-2.5-flash:streamGenerateContent"
# Sizes of a provider's writes: within the name of a field, within an event, events and a half, and whole events.
WRITES = (7, 23, 300, 1447, 0)


def events(body: bytes) -> list[bytes]:
    """The payloads of a stream that ends with a whole event."""
    assert body.endswith((b"\n\n", b"\r\n\r\n")), body[-200:]
    return [payload for event in sse.split(body) if (payload := sse.payload(event))]


def lines(body: bytes) -> list[bytes]:
    assert body.endswith(b"\n"), body[-200:]
    return body.splitlines()


def elements(body: bytes) -> list[bytes]:
    return [json.dumps(element).encode() for element in json.loads(body)]


def frames(body: bytes) -> list[bytes]:
    buffer = EventStreamBuffer()  # checks every length and checksum
    buffer.add_data(body)
    messages = list(buffer)
    assert sum(message.prelude.total_length for message in messages) == len(body)
    return [message.payload for message in messages]


class Stream(NamedTuple):
    """One API's stream, how to take it apart, and where its error has the words."""

    path: str
    body: dict[str, Any]
    parts: Callable[[bytes], list[bytes]]
    message: Callable[[Any], str]


CHAT = Stream(
    "/openai/v1/chat/completions",
    {"model": "gpt-4o-mini", "messages": HI, "stream": True},
    events,
    lambda error: error["error"]["message"],
)
RESPONSES = Stream(
    "/openai/v1/responses",
    {"model": "gpt-4o-mini", "input": "Hi", "stream": True},
    events,
    lambda error: error["message"],
)
CONVERSE = Stream(
    "/bedrock/model/us.amazon.nova-lite-v1:0/converse-stream",
    {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
    frames,
    lambda error: error["message"],
)
PAYING = {"chat": CHAT, "responses": RESPONSES, "converse": CONVERSE}
ALL = PAYING | {
    "anthropic": Stream(
        "/anthropic/v1/messages",
        {"model": "claude-haiku-4-5", "messages": HI, "max_tokens": 4000, "stream": True},
        events,
        lambda error: error["error"]["message"],
    ),
    "gemini": Stream(f"{GENERATE}?alt=sse", {"contents": CONTENTS}, events, lambda error: error["error"]["message"]),
    "gemini array": Stream(GENERATE, {"contents": CONTENTS}, elements, lambda error: error["error"]["message"]),
    "ollama": Stream(
        "/ollama/api/chat", {"model": "llama3.2", "messages": HI, "stream": True}, lines, lambda error: error["error"]
    ),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with running_sandbox("--frozen") as origin:
        yield origin


async def asked(gateway: Gateway, stream: Stream, user: str, **controls: int) -> Wire:
    client = await gateway.client()
    told = [f"x-sandbox-{name.replace('_', '-')}: {value}".encode() for name, value in controls.items()]
    about = (b"anthropic-version: 2023-06-01", b"x-lensai-user: " + user.encode(), b"x-sandbox-close: announced")
    client.send(call(stream.path, json.dumps(stream.body).encode(), *about, *told))
    return client


async def whole(gateway: Gateway, stream: Stream, **controls: int) -> list[bytes]:
    """The parts of the same stream where nobody ends it."""
    client = await asked(gateway, stream, "whole", **controls)
    body = (await client.message()).body
    client.close()
    return stream.parts(body)


def judge(stream: Stream, body: bytes, uncut: list[bytes], says: str) -> None:
    """Fails unless the body is the beginning of the uncut one, and then the error."""
    *before, last = stream.parts(body)
    assert before == uncut[: len(before)]
    assert 0 < len(before) < len(uncut), "it was not cut"
    error = json.loads(last)
    message = stream.message(error)
    assert says in message
    assert "(LensAI request req_" in message
    if b'"sequence_number"' in before[-1]:
        assert error["sequence_number"] == json.loads(before[-1])["sequence_number"] + 1


@pytest.mark.parametrize("mode", ["metered", "transparent"])
@pytest.mark.parametrize("stream", ALL.values(), ids=ALL)
async def test_a_kill_switch_ends_streams_behind_whole_events(tmp_path: Path, sandbox: str, stream: Stream, mode: str):
    rng = random.Random(11)
    toml = policy(sandbox_upstreams(sandbox), f'mode = "{mode}"')
    async with serving(tmp_path, toml) as gateway:
        uncut = await whole(gateway, stream, tokens=TOKENS)
        clients = [
            await asked(
                gateway,
                stream,
                "u",
                tokens=TOKENS,
                chunk_delay_ms=1,
                write_bytes=rng.choice((*WRITES, rng.randint(1, 999))),
            )
            for _ in range(STREAMS)
        ]
        for client in clients:
            assert b" 200 " in (await client.until(b"\r\n\r\n"))
        bodies = [asyncio.ensure_future(client.rest_of_body()) for client in clients]
        # Under way, in the midst of whatever each of them is writing.
        live = gateway.server._pipeline.live
        await until(lambda: all(exchange.bytes_out > 500 for exchange in live))
        gateway.reload(toml + '[[kill_switches]]\nid = "stop"\nreason = "incident 7"\n')
        for body in bodies:
            judge(stream, await body, uncut, "incident 7")


@pytest.mark.parametrize("stream", PAYING.values(), ids=PAYING)
async def test_a_budget_ends_streams_behind_whole_events(tmp_path: Path, sandbox: str, stream: Stream):
    rng = random.Random(13)
    limit = '[[quotas]]\nid = "each"\nunit = "usd"\nwindow = "total"\nlimit_usd = "%s"\nscope = {user = "*"}\n'
    toml = policy(sandbox_upstreams(sandbox))
    async with serving(tmp_path, toml) as gateway:
        pace = {"tokens": TOKENS, "chunk_tokens": 50}
        uncut = await whole(gateway, stream, **pace)
        gateway.reload(toml + limit % ("0.00096" if stream is CONVERSE else "0.004"))
        clients = [
            await asked(
                gateway,
                stream,
                f"u{n}",
                **pace,
                chunk_delay_ms=20,
                write_bytes=rng.choice((*WRITES, rng.randint(1, 999))),
            )
            for n in range(STREAMS)
        ]
        for client in clients:
            assert b" 200 " in (await client.until(b"\r\n\r\n"))
        for body in await asyncio.gather(*(client.rest_of_body() for client in clients)):
            judge(stream, body, uncut, "The budget 'each'")
