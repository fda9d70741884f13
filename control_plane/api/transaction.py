"""Owns the transaction of a request: a change is committed before its answer leaves, and a repeated POST is one change.

A request that changes something (POST, PUT, PATCH, DELETE) runs in one transaction. Its answer is held back until the
commit; an answer of 400 or more rolls back. With the header Idempotency-Key the answer is kept in the same transaction,
for a day, and given again to whoever sends the same request with the same key.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.api.problems import Problem
from control_plane.api.tables import IdempotentAnswer
from control_plane.auth.principal import Principal
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring

CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_CHARS_MAX = 200
# Stripe keeps them as long: https://docs.stripe.com/api/idempotent_requests
KEPT_MS = 86_400_000


class _Answer(msgspec.Struct):
    """A response as it was: status, headers that matter, body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class TransactionMiddleware(ASGIMiddleware):
    """Puts `session` into the scope's state. Expects `principal` and `now_ms` there (auth comes first).

    `wakes` are called after a commit, each where the session's `info` has its name.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(
        self, database: Database, keyring: Keyring, wakes: Mapping[str, Callable[[], None]], body_bytes_max: int
    ) -> None:
        self._database, self._keyring, self._wakes = database, keyring, wakes
        self._body_bytes_max = body_bytes_max

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        http = cast(HTTPScope, scope)
        if "\x00" in http["path"] or b"%00" in http["query_string"] or b"\x00" in http["query_string"]:
            raise Problem(400, "invalid", "An address holds no NUL: nothing is called so")  # PostgreSQL's text neither
        state = http["state"]
        if scope["route_handler"].opt.get("signed"):
            await next_app(scope, receive, send)
            return
        principal: Principal | None = state["principal"]
        org_id = principal.org_id if principal is not None else EVERY_ORG
        if http["method"] not in CHANGES or scope["route_handler"].opt.get("own_transaction"):
            async with self._database.reading(org_id) as session:
                state["session"] = session
                await next_app(scope, receive, _letting_go(session, send))
            return
        held = _Held()
        key = _idempotency_key(http)
        # Before the transaction: SQLite's lock would wait for a slow client, and everybody for the lock.
        body = await _whole(receive, self._body_bytes_max)
        urgent = bool(scope["route_handler"].opt.get("urgent"))
        async with self._database.writing(org_id, urgent=urgent) as session:
            session.info["now_ms"] = state["now_ms"]
            state["session"] = session
            await self._change(http, body, held, next_app, session, key)
            if held.status >= 400:
                await session.rollback()
        if held.status < 400:
            self._wake(session)
        await held.release(send)

    def _wake(self, session: AsyncSession) -> None:
        for name, wake in self._wakes.items():
            if session.info.get(name):
                wake()

    async def _change(
        self, scope: HTTPScope, body: bytes, held: "_Held", next_app: ASGIApp, session: AsyncSession, key: str
    ) -> None:
        if not key:
            await next_app(scope, _replayed(body), held.take)
            return
        actor = _actor(scope)
        fingerprint = hashlib.sha256(f"{scope['method']} {scope['path']}\n".encode() + body).hexdigest()
        if not self._database.sqlite:
            await _wait_for_its_like(session, actor, key)
        stored = await _stored(session, actor, key)
        if stored is not None:
            self._repeat(stored, fingerprint, held)
            return
        await next_app(scope, _replayed(body), held.take)
        if held.status < 400:
            session.add(self._to_keep(held, actor, key, fingerprint, scope["state"]["now_ms"]))
            await session.flush()

    def _repeat(self, stored: IdempotentAnswer, fingerprint: str, held: "_Held") -> None:
        if stored.fingerprint != fingerprint:
            raise Problem(
                422, "idempotency_key_reused", "This Idempotency-Key was used for another request; take a new one"
            )
        answer = msgspec.json.decode(self._keyring.open(stored.sealed, _context(stored)), type=_Answer)
        held.replay(answer)

    def _to_keep(self, held: "_Held", actor: str, key: str, fingerprint: str, now_ms: int) -> IdempotentAnswer:
        row = IdempotentAnswer(
            actor=actor, key=key, fingerprint=fingerprint, status=held.status, sealed="", created_at_ms=now_ms
        )
        row.sealed = self._keyring.seal(msgspec.json.encode(held.answer()).decode(), _context(row))
        return row


def _letting_go(session: AsyncSession, send: Send) -> Send:
    """Gives the session's connection back as the answer begins: a stream may go on for minutes, and reads no more."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            await session.close()
        await send(message)

    return told


class _Held:
    """An answer that waits for its commit."""

    def __init__(self) -> None:
        self._messages: list[Any] = []

    @property
    def status(self) -> int:
        return self._messages[0]["status"] if self._messages else 500

    async def take(self, message: Message) -> None:
        self._messages.append(message)

    async def release(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    def answer(self) -> _Answer:
        start: Any = self._messages[0]
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        body = b"".join(message.get("body", b"") for message in self._messages[1:])
        return _Answer(start["status"], headers, body)

    def replay(self, answer: _Answer) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        start: Any = {"type": "http.response.start", "status": answer.status, "headers": headers}
        MutableScopeHeaders(start)["idempotent-replayed"] = "true"
        self._messages = [start, {"type": "http.response.body", "body": answer.body, "more_body": False}]


def _idempotency_key(scope: HTTPScope) -> str:
    found = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not found or scope["method"] != "POST":
        return ""
    key = found[0].decode("latin-1")
    if len(found) > 1 or not 0 < len(key) <= KEY_CHARS_MAX:
        raise Problem(400, "invalid", f"Idempotency-Key must be one header of 1 to {KEY_CHARS_MAX} characters")
    return key


def _actor(scope: HTTPScope) -> str:
    """Whose key it is. A person's is another one in each organization: what was done in one is no answer in another."""
    principal: Principal | None = scope["state"]["principal"]
    if principal is not None:
        return f"{principal.org_id}/{principal.actor}"
    client = scope["client"]
    return f"address:{client[0] if client else ''}"


def _context(row: IdempotentAnswer) -> str:
    return f"idempotent_answers:{row.actor}:{row.key}"


async def _stored(session: AsyncSession, actor: str, key: str) -> IdempotentAnswer | None:
    query = select(IdempotentAnswer).where(IdempotentAnswer.actor == actor, IdempotentAnswer.key == key)
    return (await session.execute(query)).scalar_one_or_none()


async def _wait_for_its_like(session: AsyncSession, actor: str, key: str) -> None:
    """Of requests with one key, the second waits for the first to end. SQLite has one writer at a time anyway."""
    number = int.from_bytes(hashlib.sha256(f"{actor}\n{key}".encode()).digest()[:8], "big", signed=True)
    await session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


async def _whole(receive: Receive, bytes_max: int) -> bytes:
    """The body. Raises Problem 413, and 400 where the client left before its end."""
    body = bytearray()
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "invalid", "The body ended early")
        body += message.get("body", b"")
        if len(body) > bytes_max:
            raise Problem(413, "content_too_large", f"The body has more than {bytes_max} bytes; send less at a time")
        if not message.get("more_body"):
            return bytes(body)


def _replayed(body: bytes) -> Receive:
    """The body as it came; Litestar asks once."""

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
