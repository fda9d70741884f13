"""Owns the door: who speaks is found before anything else, and every route says what it takes to use it.

A route has `needs="thing:verb"`, or `public=True`, or `gateway=True`, or `signed=True` (each request bears a signature
that the route checks); an application with a route that says none does not start. A browser that changes something must
show that its own page asked for it (CSRF).
"""

from collections.abc import Callable
from typing import cast, get_args
from urllib.parse import urlsplit

from litestar import Litestar
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from control_plane.api.problems import Problem, forbidden
from control_plane.auth.principal import (
    COOKIE,
    Principal,
    SignedIn,
    by_session,
    by_token,
    gateway_by_token,
    note_use,
)
from control_plane.auth.roles import Permission, may
from control_plane.auth.session_secret import renew, set_cookie
from control_plane.auth.tables import BrowserSession
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring
from control_plane.settings import Settings

CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Far longer than any token.
_TOKEN_CHARS_MAX = 200


class AccessMiddleware(ASGIMiddleware):
    """Puts `principal` (or None), `gateway` (or None), `now_ms` and `request_id` into the scope's state."""

    scopes = (ScopeType.HTTP,)

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: Settings,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._database, self._keyring, self._settings = database, keyring, settings
        self._now_ms, self._new_id = now_ms, new_id

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        http, opt = cast(HTTPScope, scope), scope["route_handler"].opt
        state = http["state"]
        state["now_ms"], state["request_id"] = self._now_ms(), self._new_id()
        state["principal"] = state["gateway"] = None
        if http["method"] == "OPTIONS":
            await next_app(scope, receive, send)
        elif opt.get("public"):
            self._check_origin(http)
            await next_app(scope, receive, send)
        elif opt.get("signed"):
            await next_app(scope, receive, send)
        elif opt.get("gateway"):
            await self._admit_gateway(http)
            await next_app(scope, receive, send)
        else:
            cookie = await self._admit(http, opt.get("needs"))
            await next_app(scope, receive, _with_cookie(send, cookie) if cookie else send)

    async def _admit_gateway(self, scope: HTTPScope) -> None:
        bearer, now_ms = _bearer(scope), scope["state"]["now_ms"]
        async with self._database.reading(EVERY_ORG) as session:
            token = await gateway_by_token(session, bearer) if bearer else None
        if token is None:
            raise _nobody("Send a gateway token: Authorization: Bearer lgw_…")
        scope["state"]["gateway"] = token
        await note_use(self._database, token, now_ms)

    async def _admit(self, scope: HTTPScope, needs: Permission | None) -> str:
        """Finds who speaks and what they may; returns the cookie that the answer sets, or nothing."""
        signed_in = await self._signed_in(scope)
        if signed_in is None:
            raise _nobody("Sign in, or send a service token: Authorization: Bearer lst_…")
        principal = scope["state"]["principal"] = signed_in.principal
        if principal.kind == "user" and scope["method"] not in _SAFE:
            self._check_csrf(scope, principal)
        if needs is None or not may(principal.role, needs):
            raise forbidden(f"The role {principal.role} may not do this; it takes {needs}")
        return await self._note(scope, signed_in)

    async def _signed_in(self, scope: HTTPScope) -> SignedIn | None:
        """A token that is shown is what counts, even if it is wrong and the cookie is not."""
        bearer, cookie, now_ms = _bearer(scope), _cookie(scope), scope["state"]["now_ms"]
        async with self._database.reading(EVERY_ORG) as session:
            if bearer:
                return await by_token(session, bearer, now_ms)
            return await by_session(session, cookie, now_ms) if cookie else None

    async def _note(self, scope: HTTPScope, signed_in: SignedIn) -> str:
        now_ms, proof = scope["state"]["now_ms"], signed_in.proof
        if not isinstance(proof, BrowserSession):
            await note_use(self._database, proof, now_ms)
            return ""
        secret = await renew(self._database, proof, _cookie(scope), now_ms, self._settings.session_s)
        return set_cookie(self._settings, secret) if secret else ""

    def _check_csrf(self, scope: HTTPScope, principal: Principal) -> None:
        shown = _header(scope, CSRF_HEADER.encode())
        if not shown.isascii() or not self._keyring.is_signed(principal.session_id.encode(), shown, "csrf"):
            raise forbidden(f"A browser must send the header {CSRF_HEADER}; GET /v1/session tells it")

    def _check_origin(self, scope: HTTPScope) -> None:
        """Another site's page must not sign somebody in as somebody else."""
        origin = _header(scope, b"origin")
        own = {_header(scope, b"host").lower(), urlsplit(self._settings.url).netloc.lower()}
        if scope["method"] not in _SAFE and origin and urlsplit(origin).netloc.lower() not in own:
            raise forbidden("A page of another site may not ask for this")


def csrf_token(keyring: Keyring, principal: Principal) -> str:
    """What a page of ours knows of its session and another site's page cannot."""
    return keyring.sign(principal.session_id.encode(), "csrf")


def unguarded(app: Litestar) -> list[str]:
    """Routes that do not say who may use them, as `handler path`: a mistake of ours."""
    wrong: list[str] = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if not _says_who(handler):
                wrong.append(f"{handler} {route.path}")
    return wrong


def _says_who(handler: BaseRouteHandler) -> bool:
    if not isinstance(handler, HTTPRouteHandler) or "OPTIONS" in handler.http_methods:
        return True
    opt = handler.opt
    by_itself = any(opt.get(name) for name in ("public", "gateway", "signed"))
    return by_itself or opt.get("needs") in get_args(Permission)


def _nobody(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"www-authenticate": "Bearer"})


def secret_shown(scope: HTTPScope) -> str:
    """The one secret by which a request is somebody's; a cookie beside a token does not count."""
    return _bearer(scope) or _cookie(scope)


def _bearer(scope: HTTPScope) -> str:
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    return token.strip()[:_TOKEN_CHARS_MAX] if scheme.lower() == "bearer" else ""


def _cookie(scope: HTTPScope) -> str:
    """Ours among whatever else this host's pages keep, well formed or not."""
    for pair in _header(scope, b"cookie").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value[:_TOKEN_CHARS_MAX]
    return ""


def _with_cookie(send: Send, cookie: str) -> Send:
    """Adds a cookie to the answer, unless it sets one itself."""

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableScopeHeaders.from_message(message)
            if "set-cookie" not in headers:
                headers["set-cookie"] = cookie
        await send(message)

    return told


def _header(scope: HTTPScope, name: bytes) -> str:
    return next((value.decode("latin-1") for sent, value in scope["headers"] if sent == name), "")
