"""Owns `POST /v1/events` from its first header to its answer: who signed it, what is in it, and that it is kept.

It stands before the framework, as an ASGI application of its own: a reporter sends a thousand requests a second, and of
what the framework does for a request (a session, a transaction, parameters) it needs nothing.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgspec
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from control_plane.api import problems
from control_plane.api.problems import FieldProblem, Problem
from control_plane.ingest import batch
from control_plane.ingest.allowance import Allowances
from control_plane.ingest.event import Event, to_record, wrongs
from control_plane.ingest.known import Known, KnownKeys
from control_plane.ingest.seen import Seen
from control_plane.ingest.signature import TOLERANCE_S, is_signed, signed_at_s
from control_plane.ingest.spool import Frame, NotKept, Spool
from gateway.contract.record import encode_record

PATH = "/v1/events"
KEY_ID, TIMESTAMP, SIGNATURE = b"x-lensai-key-id", b"x-lensai-timestamp", b"x-lensai-signature"
CHALLENGE = "LensAI-Signature"
# A body that is larger is read on a thread: it would keep everybody waiting.
_LOOP_BYTES_MAX = 32 << 10
# A header that is there twice says nothing: two readers could read two different ones.
_ONCE = frozenset({KEY_ID, TIMESTAMP, SIGNATURE, b"content-encoding"})

_log = logging.getLogger("lensai.control_plane.ingest")
_encoder = msgspec.json.Encoder()


class Taken(msgspec.Struct, frozen=True):
    """The answer to a batch that is kept: all of it is durable. `duplicates` are those that were there before."""

    accepted: int
    duplicates: int


class Prepared(NamedTuple):
    """What of a batch is to be kept. `events` counts all, `frames` are without those that were seen before."""

    events: int
    frames: list[Frame]
    identities: list[tuple[str, str]]


class Receiver:
    """Takes batches. One for a process; belongs to its event loop."""

    def __init__(self, known: KnownKeys, spool: Spool, now_ms: Callable[[], int]) -> None:
        self._known, self._spool, self._now_ms = known, spool, now_ms
        self._allowances = Allowances()
        self._seen = Seen()

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            taken = await self.take(scope["headers"], receive)
        except Exception as error:
            problem = problems.as_problem(error)
            body = _encoder.encode(problems.details(problem))
            await _send(send, problem.status, problems.CONTENT_TYPE, body, problem.headers)
        else:
            await _send(send, 200, "application/json", _encoder.encode(taken), {})

    async def take(self, sent: Iterable[tuple[bytes, bytes]], receive: Receive) -> Taken:
        """Raises Problem: 400, 401, 413, 415, 429, 503; then nothing was acknowledged."""
        headers = _headers(sent)
        known = await self._known.find(headers.get(KEY_ID, b"").decode("latin-1"), self._now_ms())
        if known is None:
            raise nobody("Sign the batch with an ingest key: x-lensai-key-id, x-lensai-timestamp, x-lensai-signature")
        self._check_allowance(known)
        body = await _whole(headers, receive)
        self._check_signature(known, headers, body)
        encoding = headers.get(b"content-encoding", b"").strip().lower()
        now_s = self._now_ms() // 1000
        if len(body) > _LOOP_BYTES_MAX or encoding:
            prepared = await asyncio.to_thread(prepare, body, encoding, known, self._seen, now_s)
        else:
            prepared = prepare(body, encoding, known, self._seen, now_s)
        self._check_allowance(known)
        self._allowances.take(known.origin.key_id, known.events_per_s, prepared.events, self._now_ms())
        await self._keep(prepared)
        return Taken(prepared.events, prepared.events - len(prepared.frames))

    async def _keep(self, prepared: Prepared) -> None:
        if not prepared.frames:
            return
        try:
            await self._spool.keep(prepared.frames)
        except NotKept as fault:
            _log.warning("events_not_kept", extra={"reason": str(fault), "events": prepared.events})
            raise Problem(
                503, "unavailable", "The batch could not be kept: send it again", headers={"retry-after": "1"}
            ) from None
        self._seen.add(prepared.identities)

    def _check_allowance(self, known: Known) -> None:
        wait_s = self._allowances.wait_s(known.origin.key_id, known.events_per_s, self._now_ms())
        if wait_s > 0:
            raise Problem(
                429,
                "too_many_requests",
                f"This key may report {known.events_per_s} events a second; send the batch again later",
                headers={"retry-after": str(math.ceil(wait_s))},
            )

    def _check_signature(self, known: Known, headers: Mapping[bytes, bytes], body: bytes) -> None:
        now_ms = self._now_ms()
        timestamp = headers.get(TIMESTAMP, b"")
        if not is_signed(known.secrets_at(now_ms), timestamp, body, headers.get(SIGNATURE, b"")):
            raise nobody("The signature is not this key's over x-lensai-timestamp, a dot and the body as sent")
        at_s = signed_at_s(timestamp)
        if at_s is None or abs(now_ms // 1000 - at_s) > TOLERANCE_S:
            raise nobody(f"x-lensai-timestamp is more than {TOLERANCE_S} seconds off: sign with the time of sending")


def prepare(body: bytes, encoding: bytes, known: Known, seen: Seen, now_s: int) -> Prepared:
    """The frames of a batch: redacted, priced, without what was seen. Raises Problem 400, 413, 415."""
    events = batch.decode(batch.inflated(body, encoding))
    origin = known.origin
    wrong = [
        FieldProblem(f"body/{index}/{field}", message)
        for index, event in enumerate(events)
        for field, message in wrongs(event, origin, now_s)
    ]
    if wrong:
        raise batch.refused(wrong)
    fresh: dict[tuple[str, str], Event] = {}
    for event in events:
        identity = (origin.org_id, event.request_id)
        if identity not in seen:
            fresh.setdefault(identity, event)
    kept = list(fresh.values())
    if known.redactor is not None:
        kept = known.redactor(kept)
    frames = [(_frame_id(event.request_id), encode_record(to_record(event, origin))) for event in kept]
    return Prepared(len(events), frames, list(fresh))


def nobody(detail: str) -> Problem:
    """401: unknown key, wrong signature, wrong time."""
    return Problem(401, "unauthenticated", detail, headers={"www-authenticate": CHALLENGE})


def _frame_id(request_id: str) -> bytes:
    # The record has the whole; a frame's own id is for who looks into a segment.
    return request_id.encode()[:64]


def _headers(sent: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in sent:
        if name in _ONCE and name in headers:
            raise nobody(f"The header {name.decode('latin-1')} is there twice; send it once")
        headers[name] = value
    return headers


async def _whole(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """The body as sent. Raises Problem 413 as soon as it is known, and 400 where the client left before its end."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > batch.BODY_BYTES_MAX:
        raise batch.too_large()
    body = b""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "invalid", "The body ended early")
        part = message.get("body", b"")
        body = body + part if body else part
        if len(body) > batch.BODY_BYTES_MAX:
            raise batch.too_large()
        if not message.get("more_body"):
            return body


def before(app: ASGIApp, receiver: Callable[[], Receiver]) -> ASGIApp:
    """The application, with a receiver before it for the requests that are the receiver's own."""

    async def first(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            scope["path_template"] = PATH  # as the framework says which route it is
            await receiver()(cast(HTTPScope, scope), receive, send)
        else:
            await app(scope, receive, send)

    return first


async def _send(send: Send, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
    told = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    told += [(name.encode(), value.encode()) for name, value in headers.items()]
    start: Any = {"type": "http.response.start", "status": status, "headers": told}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
