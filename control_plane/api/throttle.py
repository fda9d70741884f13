"""Owns how many requests are taken: from a person or a program by who they are, from anybody else by address.

A secret counts for itself only once it was found to be somebody's; until then the request counts for its address, as do
all that show a wrong one. So inventing secrets opens no new count. Counts are of this process.
"""

import ipaddress
from collections.abc import Callable
from typing import cast

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from control_plane.api.access import secret_shown
from control_plane.api.problems import Problem
from control_plane.auth.tokens import digest

MINUTE_MS = 60_000
# Some ten megabytes; from more addresses in a minute than this comes a flood, and what is new counts together.
ADDRESSES_MAX = 50_000
# Secrets in use at a time, some three megabytes; one that was forgotten is found again by its next request.
KNOWN_MAX = 10_000
# What one subscriber is given: RFC 6177.
_IPV6_SUBSCRIBER_BITS = 64
# A gateway's worker reports each second, and many may share a token: on routes of theirs they are not counted.
_GATEWAY, _GATEWAYS = "gateway", "/v1/gateway/"
# Signed reports have limits of their own, by their key.
_UNCOUNTED = frozenset({"/healthz", "/readyz", "/v1/events", "/v1/events/"})
# Of the web UI, from memory: a page takes a dozen.
_ASSETS = "/assets/"


class Counts:
    """Requests of this minute by whom they count for; `a:…` are addresses."""

    def __init__(self, limit: int) -> None:
        self._limit, self._minute = limit, 0
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, whose: str, now_ms: int) -> int:
        """0 where it is taken; else the seconds until there is room again."""
        minute, into_ms = divmod(now_ms, MINUTE_MS)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        whose = self._bounded(whose)
        count = self._counts.get(whose, 0)
        if count >= self._limit:
            return -(-(MINUTE_MS - into_ms) // 1000)
        self._counts[whose] = count + 1
        return 0

    def give_back(self, whose: str) -> None:
        """It counts for somebody else after all."""
        whose = self._bounded(whose)
        self._counts[whose] = max(self._counts.get(whose, 0) - 1, 0)

    def _bounded(self, whose: str) -> str:
        is_new_address = whose.startswith("a:") and whose not in self._counts
        return "a:" if is_new_address and len(self._counts) >= ADDRESSES_MAX else whose


class ThrottleMiddleware(ASGIMiddleware):
    """Before AccessMiddleware: a flood reaches no database. Raises Problem 429."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, per_minute: int, now_ms: Callable[[], int]) -> None:
        self.counts = Counts(per_minute)
        self.known: dict[str, str] = {}  # SHA-256 of a secret -> whose it is, the oldest first
        self._now_ms = now_ms

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        http = cast(HTTPScope, scope)
        secret = secret_shown(http)
        sha256 = digest(secret) if secret else ""
        known = self.known.get(sha256, "")
        path = http["path"]
        if path in _UNCOUNTED or path.startswith(_ASSETS):
            await next_app(scope, receive, send)
            return
        if known == _GATEWAY and path.startswith(_GATEWAYS):
            await self._taken_from_a_gateway(http, receive, send, next_app, sha256)
            return
        whose = _address(http) if known in ("", _GATEWAY) else known
        if wait_s := self.counts.take(whose, self._now_ms()):
            raise Problem(429, "too_many_requests", f"Come again in {wait_s} s", headers={"retry-after": str(wait_s)})
        try:
            await next_app(scope, receive, send)
        finally:
            if secret and not known:
                self._learn(http, sha256, whose)

    async def _taken_from_a_gateway(
        self, http: HTTPScope, receive: Receive, send: Send, next_app: ASGIApp, sha256: str
    ) -> None:
        """Uncounted; a token that was revoked meanwhile is nobody's from the next request on."""
        try:
            await next_app(http, receive, send)
        except Problem as problem:
            if problem.status == 401:
                self.known.pop(sha256, None)
            raise

    def _learn(self, http: HTTPScope, sha256: str, counted: str) -> None:
        state = http["state"]
        principal = state.get("principal")
        who = principal.actor if principal else _GATEWAY if state.get("gateway") else ""
        if not who:
            return
        self.counts.give_back(counted)
        if who != _GATEWAY:
            self.counts.take(who, self._now_ms())
        self.known[sha256] = who
        if len(self.known) > KNOWN_MAX:
            del self.known[next(iter(self.known))]


def _address(http: HTTPScope) -> str:
    """Whom a request without a secret counts for. Behind trusted proxies the server has put their client here."""
    client = http["client"]
    # Many gateways may stand behind one address; whoever floods people's routes from there does not hold them up.
    apart = "gateway/" if http["path"].startswith(_GATEWAYS) else ""
    return f"a:{apart}{_subscriber(client[0]) if client else ''}"


def _subscriber(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_SUBSCRIBER_BITS), strict=False).network_address)
