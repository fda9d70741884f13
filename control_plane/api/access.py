"""Owns the door: who speaks is found before anything else, and every route says what it takes to use it.

A route has `needs="thing:verb"`, or `public=True`, or `gateway=True`; an application with a route that says none does
not start. A browser that changes something must show that its own page asked for it (CSRF).
"""

import hmac
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from control_plane.api.problems import Problem, forbidden
from control_plane.auth.principal import COOKIE, Principal, by_session, by_token, gateway_by_token
from control_plane.auth.roles import Permission, may
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring

CSRF_HEADER = "x-csrf-token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Far longer than any token.
_TOKEN_CHARS_MAX = 200


class AccessMiddleware(ASGIMiddleware):
    """Puts `principal` (or None), `gateway` (or None), `now_ms` and `request_id` into the scope's state."""

    scopes = (ScopeType.HTTP,)

    def __init__(
        self, database: Database, keyring: Keyring, now_ms: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._database, self._keyring, self._now_ms, self._new_id = database, keyring, now_ms, new_id

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        state, opt = scope["state"], scope["route_handler"].opt
        state["now_ms"], state["request_id"] = self._now_ms(), self._new_id()
        state["principal"] = state["gateway"] = None
        bearer, cookie = _bearer(scope), _cookie(scope)
        if bearer or cookie:
            async with self._database.reading(EVERY_ORG) as session:
                if opt.get("gateway"):
                    state["gateway"] = await gateway_by_token(session, bearer) if bearer else None
                elif bearer:
                    state["principal"] = await by_token(session, bearer, state["now_ms"])
                else:
                    state["principal"] = await by_session(session, cookie, state["now_ms"])
        self._check(cast(HTTPScope, scope), opt)
        await next_app(scope, receive, send)

    def _check(self, scope: HTTPScope, opt: dict[str, Any]) -> None:
        principal: Principal | None = scope["state"]["principal"]
        if opt.get("gateway"):
            if scope["state"]["gateway"] is None:
                raise _nobody("Send a gateway token: Authorization: Bearer lgw_…")
            return
        if principal is not None and principal.kind == "user" and scope["method"] not in _SAFE:
            self._check_csrf(scope, principal)
        if opt.get("public"):
            return
        if principal is None:
            raise _nobody("Sign in, or send a service token: Authorization: Bearer lst_…")
        if not may(principal.role, opt["needs"]):
            raise forbidden(f"The role {principal.role} may not do this; it takes {opt['needs']}")

    def _check_csrf(self, scope: HTTPScope, principal: Principal) -> None:
        shown = _header(scope, CSRF_HEADER.encode())
        if not hmac.compare_digest(shown.encode(), csrf_token(self._keyring, principal).encode()):
            raise forbidden(f"A browser must send the header {CSRF_HEADER}; GET /v1/session tells it")


def csrf_token(keyring: Keyring, principal: Principal) -> str:
    """What a page of ours knows of its session and another site's page cannot."""
    return keyring.sign(principal.session_id.encode(), "csrf")


def unguarded(app: Litestar) -> list[str]:
    """Routes of the API that do not say who may use them, as `METHOD path`: a mistake of ours."""
    wrong: list[str] = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if route.path.startswith("/v1") and not _says_who(handler):
                wrong.append(f"{handler} {route.path}")
    return wrong


def _says_who(handler: BaseRouteHandler) -> bool:
    if not isinstance(handler, HTTPRouteHandler) or "OPTIONS" in handler.http_methods:
        return True
    opt = handler.opt
    return bool(opt.get("public") or opt.get("gateway") or opt.get("needs") in get_args(Permission))


def same_site(connection: ASGIConnection[Any, Any, Any, Any], url: str) -> bool:
    """Whether a request's Origin, if it has one, is our own address."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin)[:2] == urlsplit(url)[:2]


def _nobody(detail: str) -> Problem:
    return Problem(401, "unauthenticated", detail, headers={"www-authenticate": "Bearer"})


def _bearer(scope: Scope) -> str:
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    return token.strip()[:_TOKEN_CHARS_MAX] if scheme.lower() == "bearer" else ""


def _cookie(scope: Scope) -> str:
    try:
        found = SimpleCookie(_header(scope, b"cookie")).get(COOKIE)
    except CookieError:
        return ""
    return found.value[:_TOKEN_CHARS_MAX] if found else ""


def _header(scope: Scope | HTTPScope, name: bytes) -> str:
    return next((value.decode("latin-1") for sent, value in scope["headers"] if sent == name), "")
