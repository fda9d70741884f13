"""Owns a Slack for tests: real HTTP on loopback, as strict about tokens, channels and blocks as Slack is.

Limits are those of https://docs.slack.dev/reference/block-kit; an error is `ok: false` with status 200, too many calls
are 429 with Retry-After.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

TOKEN, CHANNEL = "xoxb-1-canary-slack-token", "C0CANARY1"
WEBHOOK_PATH = "/services/T0/B0/canary-webhook-path"
_TEXT_OBJECTS = {"plain_text", "mrkdwn"}


class SlackServer:
    """What was posted, and what goes wrong next: `failures` are (status, headers, body), one for each call."""

    def __init__(self, port: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.failures: list[tuple[int, dict[str, str], bytes]] = []
        self.hold: threading.Event | None = None
        self.api_url = f"http://127.0.0.1:{port}/api/"
        self.webhook_url = f"http://127.0.0.1:{port}{WEBHOOK_PATH}"

    def limit_next(self, retry_after_s: int) -> None:
        body = b'{"ok":false,"error":"ratelimited"}'
        self.failures.append((429, {"Retry-After": str(retry_after_s), "content-type": "application/json"}, body))

    def post_message(self, authorization: str, asked: dict[str, Any]) -> dict[str, Any]:
        error = self._error(authorization, asked)
        if error:
            self.refusals.append(error)
            return {"ok": False, "error": error}
        self.messages.append(asked)
        return {"ok": True, "channel": asked["channel"], "ts": f"{len(self.messages)}.0", "message": {}}

    def _error(self, authorization: str, asked: dict[str, Any]) -> str:
        if not authorization.startswith("Bearer "):
            return "not_authed"
        if authorization != f"Bearer {TOKEN}":
            return "invalid_auth"
        if asked.get("channel") != CHANNEL:
            return "channel_not_found"
        return content_error(asked)


def content_error(asked: dict[str, Any]) -> str:
    """Slack's code for what is wrong with text and blocks; empty for nothing."""
    if not asked.get("text"):
        return "no_text"
    if len(asked["text"]) > 40_000:
        return "msg_too_long"
    blocks = asked.get("blocks", [])
    if not isinstance(blocks, list) or len(blocks) > 50:
        return "invalid_blocks"
    return "" if all(_BLOCKS.get(block.get("type"), _never)(block) for block in blocks) else "invalid_blocks"


def _never(_block: dict[str, Any]) -> bool:
    return False


def _text(found: Any, longest: int, *types: str) -> bool:
    types = types or tuple(_TEXT_OBJECTS)
    if not isinstance(found, dict) or found.get("type") not in types or not isinstance(found.get("text"), str):
        return False
    known = {"type", "text", "emoji"} if found["type"] == "plain_text" else {"type", "text", "verbatim"}
    return set(found) <= known and 1 <= len(found["text"]) <= longest and _is_escaped(found)


def _is_escaped(found: dict[str, Any]) -> bool:
    """No control sequence of Slack's, such as <!channel>; Slack would take it, and a name must not make one."""
    return found["type"] == "plain_text" or not any(sign in found["text"] for sign in "<>")


def _section(block: dict[str, Any]) -> bool:
    fields = block.get("fields")
    if set(block) - {"type", "text", "fields", "block_id", "accessory", "expand"} or not (block.get("text") or fields):
        return False
    if fields is not None and not (1 <= len(fields) <= 10 and all(_text(field, 2000) for field in fields)):
        return False
    return "text" not in block or _text(block["text"], 3000)


def _actions(block: dict[str, Any]) -> bool:
    elements = block.get("elements", [])
    return set(block) <= {"type", "elements", "block_id"} and 1 <= len(elements) <= 25 and all(map(_button, elements))


def _button(element: dict[str, Any]) -> bool:
    url = element.get("url", "https://")
    return (
        element.get("type") == "button"
        and set(element) <= {"type", "text", "url", "action_id", "value", "style"}
        and _text(element.get("text"), 75, "plain_text")
        and url.startswith(("http://", "https://"))
        and len(url) <= 3000
        and 1 <= len(element.get("action_id", "x")) <= 255
    )


def _header(block: dict[str, Any]) -> bool:
    return set(block) <= {"type", "text", "block_id"} and _text(block.get("text"), 150, "plain_text")


def _context(block: dict[str, Any]) -> bool:
    elements = block.get("elements", [])
    return (
        set(block) <= {"type", "elements", "block_id"}
        and 1 <= len(elements) <= 10
        and all(_text(element, 3000) for element in elements)
    )


_BLOCKS = {
    "header": _header, "section": _section, "actions": _actions, "context": _context,
    "divider": lambda block: set(block) <= {"type", "block_id"},
}  # fmt: skip


class _Server(ThreadingHTTPServer):
    # All that a test sends at once; more would be reset.
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    slack: SlackServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.slack.hold is not None:
            self.slack.hold.wait()
        if self.slack.failures:
            self._answer(*self.slack.failures.pop(0))
        elif self.path == "/api/chat.postMessage":
            answered = self.slack.post_message(self.headers.get("authorization", ""), self._read(body))
            self._answer(200, {"content-type": "application/json"}, json.dumps(answered).encode())
        elif self.path == WEBHOOK_PATH:
            error = content_error(json.loads(body)).replace("invalid_blocks", "invalid_payload")
            if not error:
                self.slack.messages.append(json.loads(body))
            self._answer(400 if error else 200, {"content-type": "text/plain"}, (error or "ok").encode())
        else:
            self._answer(404, {"content-type": "text/plain"}, b"no_service")

    def _read(self, body: bytes) -> dict[str, Any]:
        if self.headers["content-type"].startswith("application/json"):
            return json.loads(body)
        fields: dict[str, Any] = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        return fields | {name: json.loads(fields[name]) for name in ("blocks", "metadata") if name in fields}

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def slack_server() -> Iterator[SlackServer]:
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    slack = handler.slack = SlackServer(server.server_address[1])  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
