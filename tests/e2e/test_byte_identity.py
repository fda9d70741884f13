"""Bytes with and without the gateway: the same request reaches the provider, the same answer the client.

Every exchange is made directly and through a real gateway process, cut into random pieces, framed and encoded
in random ways. `transparent` keys: identical. `metered` keys: a chat stream is what the provider sends when it
is not asked for usage, although it was. Longer, and each recording in each content-encoding:
TESTS_IDENTITY_EVERYTHING=1 TESTS_IDENTITY_SEEDS=200 pytest tests/e2e/test_byte_identity.py
"""

import asyncio
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
from gateway.providers import PROVIDERS, find_endpoint
from tests.e2e.identity.exchanges import CHAT, COMPLETIONS, EVENTS, EXCHANGES, RESPONSES, Exchange, as_if_asked
from tests.e2e.identity.replay import ENCODINGS, Manner, Provider, Seen, decoded, end_to_end, provider
from tests.e2e.identity.sockets import framed, passed, peer
from tests.golden.recordings import ABSENT, FILE, OWN_UNMETERED, Recording, recordings
from tests.support.gateways import PROVIDER_KEY, gateway_on, port_of, sandbox_upstreams
from tests.support.processes import running_sandbox

SEEDS = int(os.environ.get("TESTS_IDENTITY_SEEDS", "6"))
EVERYTHING = bool(os.environ.get("TESTS_IDENTITY_EVERYTHING"))
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


async def compared(
    line: Line, exchanges: Iterable[Exchange], mode: Mode, seed: int, encoding: str | None = None
) -> list[str]:
    """Every difference between direct and through the gateway."""
    found: list[str] = []
    for exchange in exchanges:
        manner = Manner.draw(Random(f"{exchange.name}/{seed}"), encoding)
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
_MODEL, _BEDROCK = b"/v1beta/models/m", b"/model/amazon.nova-micro-v1%3A0"
_TARGETS = {
    "chat.completions": CHAT,
    "completions": COMPLETIONS,
    "responses": RESPONSES,
    "responses.get": RESPONSES + b"/resp_1",
    "responses.compact": RESPONSES + b"/compact",
    "responses.input_tokens": RESPONSES + b"/input_tokens",
    "embeddings": b"/v1/embeddings",
    "moderations": b"/v1/moderations",
    "images": b"/v1/images/generations",
    "messages": b"/v1/messages",
    "messages.count_tokens": b"/v1/messages/count_tokens",
    "generateContent": _MODEL + b":generateContent",
    "streamGenerateContent": _MODEL + b":streamGenerateContent?alt=sse",
    "embedContent": _MODEL + b":embedContent",
    "countTokens": _MODEL + b":countTokens",
    "interactions": b"/v1beta/interactions",
    "predict": b"/v1/projects/p/locations/global/publishers/google/models/m:predict",
}
# By the provider too, where it serves an API of its own under such a name.
_OWN_TARGETS = {
    ("bedrock", "converse"): _BEDROCK + b"/converse",
    ("bedrock", "converse-stream"): _BEDROCK + b"/converse-stream",
    ("bedrock", "invoke"): _BEDROCK + b"/invoke",
    ("bedrock", "invoke-stream"): _BEDROCK + b"/invoke-with-response-stream",
    ("cohere", "chat"): b"/v2/chat",
    ("cohere", "generate"): b"/v1/generate",
    ("cohere", "embed"): b"/v2/embed",
    ("cohere", "rerank"): b"/v2/rerank",
    ("ollama", "chat"): b"/api/chat",
    ("ollama", "generate"): b"/api/generate",
    ("ollama", "embeddings"): b"/api/embeddings",
    ("voyage", "rerank"): b"/v1/rerank",
    ("writer", "chat"): CHAT,
}
_SOCKET_TARGETS = {
    "openai": "/v1/realtime?model=gpt-realtime",
    "azure": "/openai/realtime?api-version=2024-10-01-preview&deployment=gpt-realtime",
    "xai": "/v1/realtime?model=grok-voice",
    "gemini": "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
}


def _target(recording: Recording) -> bytes | None:
    """None where it cannot be replayed: sockets, uploads, and what the gateway does not forward."""
    if recording.messages or (recording.provider, recording.endpoint) in OWN_UNMETERED:
        return None
    if recording.request and not recording.request.lstrip().startswith(b"{"):
        return None
    return _OWN_TARGETS.get((recording.provider, recording.endpoint)) or _TARGETS.get(recording.endpoint)


def replayed(recording: Recording, number: int, target: bytes) -> Exchange:
    """A recording as an exchange with the provider it came from, or with one of its dialect."""
    method = "GET" if recording.endpoint == "responses.get" else "POST"
    upstream, target = _served(recording, method, target)
    request = recording.request or b'{"model":"m","stream":%b}' % (b"true" if recording.stream else b"false")
    return Exchange(
        f"{number} {recording.provider} {recording.endpoint}",
        upstream,
        target,
        b"" if method == "GET" else request,
        recording.body,
        _asked(upstream, target, request, recording.body),
        _content_type(recording),
        recording.status,
    )


def _served(recording: Recording, method: str, target: bytes) -> tuple[str, bytes]:
    """The upstream that serves a target, and under what path: its own provider, or one of its dialect."""
    for upstream in (recording.provider, "vertex", "generic", "anthropic", "openai"):
        for path in (target, b"/openai" + target, target.removeprefix(b"/v1")):
            name = "openai-compatible" if upstream == "generic" else upstream
            served = (
                find_endpoint(PROVIDERS[name], method, path.partition(b"?")[0].decode()) if name in PROVIDERS else None
            )
            if upstream in UPSTREAMS and served:
                return upstream, path
    raise AssertionError(f"{recording.kind}: nobody serves {target!r}")


def _content_type(recording: Recording) -> bytes:
    start = recording.body.lstrip()[:1]
    if recording.reader == "ollama.chat" and recording.stream:
        return b"application/x-ndjson"
    if start in (b"[", b"{"):
        return b"application/json"
    return b"application/vnd.amazon.eventstream" if recording.provider == "bedrock" else EVENTS


def _asked(upstream: str, target: bytes, request: bytes, body: bytes) -> bytes | None:
    """What this answer would be with the option, where the gateway gives it: provider_facts §2."""
    splices = upstream == "generic" or PROVIDERS[upstream].splice
    if not splices or not target.endswith((CHAT, COMPLETIONS)) or not json.loads(request).get("stream"):
        return None
    return as_if_asked(body) if body.lstrip().startswith(b"data:") else body


def _exchanges(mode: Mode) -> list[Exchange]:
    exchanges = [
        replayed(recording, number, target)
        for number, recording in enumerate(recordings())
        if recording.body and (target := _target(recording))
    ]
    # Refused, because they cannot be metered yet.
    exchanges = [each for each in exchanges if not json.loads(each.request or b"{}").get("background")]
    if mode == "transparent":
        return exchanges
    # What a provider that names usage unasked would send if it was asked is not recorded.
    return [each for each in exchanges if not (is_asked_for(each) and b'"usage"' in each.body)]


@pytest.mark.skipif(not FILE.exists(), reason=ABSENT)
@pytest.mark.parametrize("mode", MODES)
async def test_no_byte_of_a_recorded_exchange_changes(line: Line, mode: Mode):
    exchanges = _exchanges(mode)

    assert len(exchanges) > 300
    for encoding in dict.fromkeys(("", *ENCODINGS)) if EVERYTHING else (None,):
        assert await compared(line, exchanges, mode, seed=1, encoding=encoding) == []


@pytest.mark.skipif(not FILE.exists(), reason=ABSENT)
@pytest.mark.parametrize("deflate", [False, True])
async def test_no_byte_of_a_recorded_session_changes(tmp_path: Path, deflate: bool):
    sessions = [recording for recording in recordings() if recording.messages]
    assert len(sessions) == 13
    async with peer() as there:
        upstreams = "\n".join(
            f'[upstreams.{name}]\norigin = "http://127.0.0.1:{there.port}"\nbase_path = ""' for name in _SOCKET_TARGETS
        )
        with gateway_on(tmp_path / "data", upstreams) as gateway:
            token = gateway.add_key()
            gateway.start()
            for number, recording in enumerate(sessions):
                path = f"/k/{token}/{recording.provider}{_SOCKET_TARGETS[recording.provider]}"
                for seed in range(SEEDS):
                    random = Random(f"{number}/{seed}")
                    client, far = await there.session(gateway.port, path, deflate=deflate)
                    sent, received = (
                        framed(
                            [message for is_sent, message in recording.messages if is_sent == from_client],
                            random,
                            mask=from_client,
                            deflate=deflate,
                        )
                        for from_client in (True, False)
                    )
                    out, back = await asyncio.gather(
                        passed(client, far, sent, random), passed(far, client, received, random)
                    )
                    assert sha256(out) == sha256(sent), (recording.kind, seed)
                    assert sha256(back) == sha256(received), (recording.kind, seed)
                    client.close()
                    far.close()
