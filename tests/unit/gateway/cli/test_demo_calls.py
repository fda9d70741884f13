import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cli.demo_calls import Call, demo_calls, send
from gateway.providers import PROVIDERS, find_endpoint

DIALECTS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gemini"}


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers 200 and remembers what it was sent."""

    received: list[tuple[str, dict[str, str], Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.received.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 100_000)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[http.server.HTTPServer]:
    handler = type("Handler", (Provider,), {"received": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def received(provider: http.server.HTTPServer) -> tuple[str, dict[str, str], Any]:
    (request,) = provider.RequestHandlerClass.received  # type: ignore[attr-defined]
    return request


def test_the_mix_has_every_family_and_every_kind_of_end() -> None:
    calls = demo_calls()
    families = Counter(call.path.split("/")[1] for call in calls)

    assert len(calls) >= 30
    assert families.keys() == DIALECTS.keys()
    assert {call.expected_status for call in calls} == {200, 403, 429}
    assert sum(call.hangs_up for call in calls) == 1


def test_every_call_but_the_refused_one_is_of_a_known_endpoint() -> None:
    for call in demo_calls():
        name, _, rest = call.path[1:].partition("/")
        known = find_endpoint(PROVIDERS[name], "POST", "/" + rest.partition("?")[0])
        assert (known is None) == (call.expected_status == 403), call.path
    assert PROVIDERS.keys() >= DIALECTS.keys()


@pytest.mark.parametrize(
    ("path", "slot", "value"),
    [
        ("/openai/v1/embeddings", "authorization", "Bearer lk-1"),
        ("/anthropic/v1/messages", "x-api-key", "lk-1"),
        ("/gemini/v1beta/models/g:generateContent", "x-goog-api-key", "lk-1"),
    ],
)
def test_a_call_carries_its_key_its_mark_and_its_controls(
    provider: http.server.HTTPServer, path: str, slot: str, value: str
) -> None:
    call = Call(path, {"model": "m"}, {"delay-ms": 5})

    assert send(call, "call-01", "127.0.0.1", provider.server_port, "lk-1") == 200

    target, headers, body = received(provider)
    assert (target, body) == (path, {"model": "m"})
    assert headers[slot] == value
    assert headers.keys() & {"authorization", "x-api-key", "x-goog-api-key"} == {slot}
    assert headers["x-lensai-tags"] == headers["x-sandbox-mark"] == "call-01"
    assert headers["x-sandbox-delay-ms"] == "5"


def test_a_client_that_hangs_up_has_seen_the_status(provider: http.server.HTTPServer) -> None:
    call = Call("/openai/v1/chat/completions", {}, {}, hangs_up=True)

    assert send(call, "call-01", "127.0.0.1", provider.server_port, "lk-1") == 200
