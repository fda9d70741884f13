"""Owns asking a sandbox without a network: bytes go in, the answer's bytes come out and are taken apart."""

import json
from typing import Any, NamedTuple

from botocore.eventstream import EventStreamBuffer

from gateway.sandbox import Options, Sandbox
from gateway.sandbox.bill import Entry
from gateway.sandbox.request import RequestReader

KEY = "sandbox-key"


class Told(NamedTuple):
    """One answer. `body` is without its chunk framing; `entry` is on the bill, or None."""

    status: int
    headers: dict[str, str]
    body: bytes
    entry: Entry | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The data of each server-sent event; `[DONE]` as that text."""
        lines = [line for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]

    @property
    def messages(self) -> list[tuple[str, Any]]:
        """The type and the payload of each message of a binary event stream, whose checksums are good."""
        buffer = EventStreamBuffer()
        buffer.add_data(self.body)
        read = list[tuple[str, Any]]()
        for message in buffer:
            kind = message.headers.get(":event-type") or message.headers[":exception-type"]
            read.append((kind, json.loads(message.payload)))
        return read


def new_sandbox(**options: Any) -> Sandbox:
    """A sandbox nobody listens on, whose clock stands still."""
    return Sandbox(Options(clock_s=lambda: 1_763_900_000.0, **options))


def ask(sandbox: Sandbox, path: str, document: Any = None, method: str = "POST", **headers: str) -> Told:
    """What is answered to that JSON, or to those bytes. Header names take `_` for `-`; a None value leaves one out."""
    body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
    given = {"host": "sandbox", "authorization": f"Bearer {KEY}", "content-length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value is not None)]
    (request,) = RequestReader().feed("\r\n".join([*lines, "", ""]).encode() + body)
    plan = sandbox.plan(request, connection=1, reused=False)
    assert plan is not None
    wire = list[bytes]()
    for frame in plan.frames:
        wire.append(frame.data)
        if plan.entry and plan.entry.stream:
            plan.entry.count(frame.output, frame.reasoning)
    return take_apart(b"".join(wire))._replace(entry=plan.entry)


def ask_form(sandbox: Sandbox, path: str, *parts: tuple[str, Any], **headers: str) -> Told:
    """The same for a form: its parts are texts, or bytes for a file, or (filename, bytes)."""
    body = b"".join(_part(name, value) for name, value in parts) + b"--form--\r\n"
    return ask(sandbox, path, body, content_type="multipart/form-data; boundary=form", **headers)


def _part(name: str, value: Any) -> bytes:
    if isinstance(value, str):
        return f'--form\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    filename, data = value if isinstance(value, tuple) else ("file", value)
    head = f'--form\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


def take_apart(wire: bytes) -> Told:
    """An answer's bytes: status, headers by lower-case name, and the body without its framing."""
    head, _, body = wire.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    return Told(int(status_line.split()[1]), headers, body, None)


def _unchunked(body: bytes) -> bytes:
    """The chunks' data, up to where the bytes end: a cut stream has no last chunk."""
    chunks, at = list[bytes](), 0
    while at < len(body):
        start = body.index(b"\r\n", at) + 2
        size = int(body[at : start - 2], 16)
        chunks.append(body[start : start + size])
        at = start + size + 2
    return b"".join(chunks)
