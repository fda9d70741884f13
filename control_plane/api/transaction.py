"""Owns the transaction of a request: a change is committed before its answer leaves, and a repeated POST is one change.

A request that changes something (POST, PUT, PATCH, DELETE) runs in one transaction. Its answer is held back until the
commit; an answer of 400 or more rolls back. With the header Idempotency-Key the answer is kept in the same transaction,
for a day, and given again to whoever sends the same request with the same key.

A route with `own_transaction=True` waits for others and cannot be in one: there the key is taken before it, and the
answer kept behind it. Whoever repeats it in between is told to wait. With `repeatable=True` the key means nothing: to
do it again is the same.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
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
# Of a route with transactions of its own; one that took longer died, and may be sent again.
ANSWERED_WITHIN_MS = 600_000
# The status of a request that has the key and no answer yet.
_UNDER_WAY = 0


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
        opt = scope["route_handler"].opt
        key = "" if opt.get("repeatable") else _idempotency_key(http)
        if http["method"] not in CHANGES or opt.get("own_transaction"):
            once = self._once(http, next_app, key) if key else next_app
            async with self._database.reading(org_id) as session:
                state["session"] = session
                await once(scope, receive, _letting_go(session, send))
            return
        held = _Held()
        # Before the transaction: SQLite's lock would wait for a slow client, and everybody for the lock.
        body = await _whole(receive, self._body_bytes_max)
        urgent = bool(opt.get("urgent"))
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
        actor, fingerprint = _actor(scope), _fingerprint(scope, body)
        stored = await self._stored(session, actor, key)
        if stored is not None:
            self._repeat(stored, fingerprint, held)
            return
        await next_app(scope, _replayed(body), held.take)
        if held.status < 400:
            row = IdempotentAnswer(
                actor=actor, key=key, fingerprint=fingerprint, created_at_ms=scope["state"]["now_ms"]
            )
            self._keep(row, held)
            session.add(row)
            await session.flush()

    def _once(self, http: HTTPScope, next_app: ASGIApp, key: str) -> ASGIApp:
        """The route, whose answer to this key is kept."""

        async def once(scope: Scope, receive: Receive, send: Send) -> None:
            held = _Held()
            bytes_max = cast(HTTPRouteHandler, scope["route_handler"]).resolve_request_max_body_size()
            body = await _whole(receive, bytes_max or self._body_bytes_max)
            actor, fingerprint = _actor(http), _fingerprint(http, body)
            stored = await self._claimed(actor, key, fingerprint, http["state"]["now_ms"])
            if stored is not None:
                self._repeat(stored, fingerprint, held)
            else:
                try:
                    await next_app(scope, _replayed(body), held.take)
                finally:
                    await self._answered(actor, key, held)
            await held.release(send)

        return once

    async def _claimed(self, actor: str, key: str, fingerprint: str, now_ms: int) -> IdempotentAnswer | None:
        """Who has the key already; None: this request has it now."""
        async with self._database.writing(EVERY_ORG) as session:
            stored = await self._stored(session, actor, key)
            if stored is not None:
                if stored.status != _UNDER_WAY or now_ms - stored.created_at_ms < ANSWERED_WITHIN_MS:
                    return stored
                await session.delete(stored)
                await session.flush()
            row = IdempotentAnswer(
                actor=actor, key=key, fingerprint=fingerprint, status=_UNDER_WAY, created_at_ms=now_ms
            )
            row.sealed = self._keyring.seal("", _context(row))
            session.add(row)
            return None

    async def _answered(self, actor: str, key: str, held: "_Held") -> None:
        """A refusal is not kept: what was wrong may be mended."""
        async with self._database.writing(EVERY_ORG) as session:
            row = await self._stored(session, actor, key)
            if row is not None and held.status < 400:
                self._keep(row, held)
            elif row is not None:
                await session.delete(row)

    async def _stored(self, session: AsyncSession, actor: str, key: str) -> IdempotentAnswer | None:
        if not self._database.sqlite:
            await _wait_for_its_like(session, actor, key)
        query = select(IdempotentAnswer).where(IdempotentAnswer.actor == actor, IdempotentAnswer.key == key)
        return (await session.execute(query)).scalar_one_or_none()

    def _repeat(self, stored: IdempotentAnswer, fingerprint: str, held: "_Held") -> None:
        if stored.fingerprint != fingerprint:
            raise Problem(
                422, "idempotency_key_reused", "This Idempotency-Key was used for another request; take a new one"
            )
        if stored.status == _UNDER_WAY:
            detail = "The first request with this Idempotency-Key is under way; send it again in a while"
            raise Problem(409, "conflict", detail, headers={"retry-after": "5"})
        answer = msgspec.json.decode(self._keyring.open(stored.sealed, _context(stored)), type=_Answer)
        held.replay(answer)

    def _keep(self, row: IdempotentAnswer, held: "_Held") -> None:
        row.status = held.status
        row.sealed = self._keyring.seal(msgspec.json.encode(held.answer()).decode(), _context(row))


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


def _fingerprint(scope: HTTPScope, body: bytes) -> str:
    address = scope["path"].encode() + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return hashlib.sha256(scope["method"].encode() + b" " + address + b"\n" + body).hexdigest()


def _context(row: IdempotentAnswer) -> str:
    return f"idempotent_answers:{row.actor}:{row.key}"


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
