"""Owns a receiver of webhooks for tests: real HTTP; it believes what the library of Standard Webhooks verifies."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class WebhookReceiver:
    """What arrived and was believed, by id in order; `answers` are the next (status, headers), then 204."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/canary-webhook-path"
        self.secret = ""
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.refused: list[str] = []
        self.answers: list[tuple[int, dict[str, str]]] = []

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.refused.append(str(error))
            return 401, {}
        self.received.append((headers["webhook-id"], json.loads(body)))
        return self.answers.pop(0) if self.answers else (204, {})


class _Server(ThreadingHTTPServer):
    # All that a test sends at once; more would be reset.
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    receiver: WebhookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status, headers = self.receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
        self.send_response(status)
        for name, value in {**headers, **({} if status == 204 else {"content-length": "0"})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    receiver = handler.receiver = WebhookReceiver(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
