"""Bytes with and without the gateway: the same request reaches the provider, the same answer the client.

Every exchange is made directly and through a real gateway process, cut into random pieces, framed and encoded
in random ways. `transparent` keys: identical. `metered` keys: a chat stream is what the provider sends when it
is not asked for usage, although it was. Longer: TESTS_IDENTITY_SEEDS=200 pytest tests/e2e/test_byte_identity.py
"""

import contextlib
import hashlib
import http.client
import json
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from gateway.contract.policy import Mode
from gateway.providers import PROVIDERS
from tests.e2e.identity.exchanges import CHAT, COMPLETIONS, EVENTS, EXCHANGES, RESPONSES, Exchange, as_if_asked
from tests.e2e.identity.replay import Manner, Provider, Seen, decoded, end_to_end, provider
from tests.golden.recordings import ABSENT, FILE, READERS, Recording, recordings
from tests.support.gateways import PROVIDER_KEY, gateway_on, port_of, sandbox_upstreams
from tests.support.processes import running_sandbox

SEEDS = int(os.environ.get("TESTS_IDENTITY_SEEDS", "6"))
# The policy's upstreams: every provider the gateway knows, and one that it does not.
UPSTREAMS = (*(name for name in PROVIDERS if name != "openai-compatible"), "generic")


class Line:
    """A provider, and a gateway before it that a key of each mode can use."""

    def __init__(self, there: Provider, port: int, tokens: dict[Mode, str]) -> None:
        self._there = there
        self._port = port
        self._tokens = tokens

    async def directly(self, exchange: Exchange, manner: Manner) -> Seen:
        return await self._there.replay(exchange, manner, self._there.port, b"")

    async def through(self, exchange: Exchange, manner: Manner, mode: Mode) -> Seen:
        prefix = f"/k/{self._tokens[mode]}/{exchange.upstream}".encode()
        return await self._there.replay(exchange, manner, self._port, prefix)


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with provider() as there:
        upstreams = "\n".join(
            f'[upstreams.{name}]\norigin = "http://127.0.0.1:{there.port}"\nbase_path = ""' for name in UPSTREAMS
        )
        with gateway_on(tmp_path / "data", upstreams) as gateway:
            modes: tuple[Mode, ...] = ("transparent", "metered")
            tokens = {mode: gateway.add_key(mode) for mode in modes}
            gateway.start()
            yield Line(there, gateway.port, tokens)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def differences(exchange: Exchange, direct: Seen, seen: Seen) -> Iterator[str]:
    """What is not the same with the gateway between, where it must change nothing."""
    if end_to_end(direct.received) != end_to_end(seen.received) and seen.received.first == direct.received.first:
        yield f"{exchange.name}: request headers {end_to_end(seen.received)}"
    if seen.received.first != direct.received.first:
        yield f"{exchange.name}: request line {seen.received.first!r}"
    if sha256(seen.received.body) != sha256(exchange.request):
        yield f"{exchange.name}: request body {seen.received.body[:300]!r}"
    if end_to_end(direct.answered) != end_to_end(seen.answered):
        yield f"{exchange.name}: answer headers {end_to_end(seen.answered)}"
    if sha256(seen.answered.body) != sha256(direct.answered.body):
        yield f"{exchange.name}: answer body {seen.answered.body[:300]!r}"


def metered_differences(exchange: Exchange, seen: Seen) -> Iterator[str]:
    """What is wrong where the gateway asked for usage: more than that was changed, or the client can tell."""
    request = json.loads(seen.received.body)
    asked = json.loads(exchange.request)
    asked["stream_options"] = {**asked.get("stream_options", {}), "include_usage": True}
    if request != asked:
        yield f"{exchange.name}: request {seen.received.body[:300]!r}"
    if sha256(decoded(seen.answered)) != sha256(exchange.body):
        yield f"{exchange.name}: answer {decoded(seen.answered)[:600]!r}"


def is_asked_for(exchange: Exchange) -> bool:
    """Whether the gateway splices the option into this request."""
    return exchange.asked is not None and b'"include_usage":true' not in exchange.request


async def compared(line: Line, exchanges: Iterable[Exchange], mode: Mode, seed: int) -> list[str]:
    """Every difference between direct and through the gateway."""
    found: list[str] = []
    for exchange in exchanges:
        manner = Manner.draw(Random(f"{exchange.name}/{seed}"))
        seen = await line.through(exchange, manner, mode)
        if mode == "metered" and is_asked_for(exchange):
            found += [f"{manner} {each}" for each in metered_differences(exchange, seen)]
        else:
            direct = await line.directly(exchange, manner)
            found += [f"{manner} {each}" for each in differences(exchange, direct, seen)]
    return found


MODES: tuple[Mode, ...] = ("transparent", "metered")


@pytest.mark.parametrize("mode", MODES)
async def test_no_byte_changes_between_client_and_provider(line: Line, mode: Mode):
    for seed in range(SEEDS):
        assert await compared(line, EXCHANGES, mode, seed) == []


# Streams whose usage the sandbox, like the real thing, sends only when it is asked.
_CHAT_STREAM = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}],"stream":true,"n":2}'
_TEXT_STREAM = b'{"model":"gpt-3.5-turbo-instruct","prompt":["a","b"],"stream":true}'
_PLAIN = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":%b}'
ASKING = (
    ("openai", "/v1/chat/completions", _CHAT_STREAM),
    ("openai", "/v1/chat/completions", _PLAIN % b'{"include_obfuscation":false}'),
    ("openai", "/v1/chat/completions", _PLAIN % b"null"),
    ("openai", "/v1/completions", _TEXT_STREAM),
    ("azure", "/openai/deployments/gpt-4o/chat/completions?api-version=2025-04-01-preview", _CHAT_STREAM),
)


def answered(port: int, path: str, body: bytes, key: str, write_bytes: int, encoding: str) -> tuple[str | None, bytes]:
    """Content-encoding and body as they came. The sandbox answers the same again, in writes of that size."""
    controls = {"x-sandbox-frozen": "true", "x-sandbox-write-bytes": str(write_bytes), "x-sandbox-encoding": encoding}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", path, body, {"authorization": f"Bearer {key}", **controls})
        response = connection.getresponse()
        data = response.read()
    assert response.status == 200, data
    return response.getheader("content-encoding"), data


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
def test_a_metered_stream_is_what_the_provider_sends_unasked(tmp_path: Path, encoding: str):
    with running_sandbox() as sandbox, gateway_on(tmp_path / "data", sandbox_upstreams(sandbox)) as gateway:
        token = gateway.add_key()
        gateway.start()
        for number, (upstream, path, body) in enumerate(ASKING):
            _, direct = answered(port_of(sandbox), path, body, PROVIDER_KEY, 0, "identity")
            through = answered(gateway.port, f"/{upstream}{path}", body, token, 7 + 90 * number, encoding)
            assert b'"usage"' not in direct
            assert through == (None, direct)


# Where each dialect serves what a recording is of. The paths of the recordings are partly their proxies'.
_TARGETS = {
    "chat.completions": CHAT,
    "completions": COMPLETIONS,
    "responses": RESPONSES,
    "embeddings": b"/v1/embeddings",
    "messages": b"/v1/messages",
    "generateContent": b"/v1beta/models/m:generateContent",
    "streamGenerateContent": b"/v1beta/models/m:streamGenerateContent?alt=sse",
    "embedContent": b"/v1beta/models/m:embedContent",
}


def replayed(recording: Recording, number: int) -> Exchange:
    """A recording as an exchange with the provider it came from, or with one of its dialect."""
    upstream = recording.provider if recording.provider in UPSTREAMS else "generic"
    if upstream == "gemini" and recording.reader.startswith("openai"):
        upstream = "generic"  # Google's OpenAI-compatible endpoint
    target = _TARGETS[recording.endpoint]
    request = recording.request or b'{"model":"m","stream":%b}' % (b"true" if recording.stream else b"false")
    is_array = recording.body.lstrip()[:1] in (b"[", b"{")
    return Exchange(
        f"{number} {recording.provider} {recording.endpoint}",
        upstream,
        b"/openai" + target if upstream == "azure" else target,
        request,
        recording.body,
        _asked(upstream, target, request, recording.body),
        b"application/json" if is_array else EVENTS,
        recording.status,
    )


def _asked(upstream: str, target: bytes, request: bytes, body: bytes) -> bytes | None:
    """What this answer would be with the option, where the gateway gives it: provider_facts §2."""
    splices = upstream == "generic" or PROVIDERS[upstream].splice
    if not splices or target not in (CHAT, COMPLETIONS) or not json.loads(request).get("stream"):
        return None
    return as_if_asked(body) if body.lstrip().startswith(b"data:") else body


def _exchanges(mode: Mode) -> list[Exchange]:
    served = [each for each in recordings() if each.endpoint in _TARGETS and each.reader in READERS.values()]
    exchanges = [replayed(recording, number) for number, recording in enumerate(served) if recording.body]
    # Refused, because they cannot be metered yet.
    exchanges = [each for each in exchanges if not json.loads(each.request).get("background")]
    if mode == "transparent":
        return exchanges
    # What a provider that names usage unasked would send if it was asked is not recorded.
    return [each for each in exchanges if not (is_asked_for(each) and b'"usage"' in each.body)]


@pytest.mark.skipif(not FILE.exists(), reason=ABSENT)
@pytest.mark.parametrize("mode", MODES)
async def test_no_byte_of_a_recorded_exchange_changes(line: Line, mode: Mode):
    exchanges = _exchanges(mode)

    assert len(exchanges) > 150
    assert await compared(line, exchanges, mode, seed=1) == []
