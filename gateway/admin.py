"""Owns the admin listener: /healthz, /readyz, /metrics and further pages on a socket and threads of their own.

It answers while the event loop is stalled or full, because that is when it is asked. It says only what
its callers' checks say, and it never sees a request of the proxy.
"""

import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app  # pyright: ignore[reportUnknownVariableType]

from gateway.logs import logger

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

# What is wrong, by subject: {"policy": "none loaded"}; empty when all is well.
Check = Callable[[], Mapping[str, str]]

# JSON, made at each request and on a thread of the listener's; by path.
Pages = Mapping[str, Callable[[], bytes]]
NO_PAGES: Pages = MappingProxyType({})

# A heartbeat comes every quarter of a second; a loop this late serves nobody, and a restart is due.
HEARTBEAT_AGE_S_MAX = 10.0
# A prober or scraper sends its request at once; one that does not is cut off.
SOCKET_TIMEOUT_S = 5.0
# Two scrapers and two probers at a time, doubled. More are hung up on.
THREADS_MAX = 8
# How often the listener looks whether it was closed, so how long closing takes.
CLOSE_POLL_S = 0.1


def heartbeat_check(age_s: Callable[[], float]) -> Check:
    """The health check of a process whose event loop last beat `age_s()` ago."""

    def check() -> Mapping[str, str]:
        age = age_s()
        return {"event_loop": f"no heartbeat for {age:.0f} s"} if age > HEARTBEAT_AGE_S_MAX else {}

    return check


def _nothing() -> Mapping[str, str]:
    return {}


def admin_app(
    *, registry: CollectorRegistry, health: Check, ready: Check, degraded: Check = _nothing, pages: Pages = NO_PAGES
) -> "WSGIApplication":
    """The listener's own three pages and the further ones. Any other path is 404, any method but GET 405.

    `degraded` is what /readyz tells beside what is wrong: some calls are not served as they should be, others are.
    """
    apps: dict[str, WSGIApplication] = {
        **{path: _page_app(page) for path, page in pages.items()},
        "/healthz": _check_app(health),
        "/readyz": _check_app(ready, degraded),
        "/metrics": make_wsgi_app(registry),
    }
    absent = _answer_app("404 Not Found")
    refused = _answer_app("405 Method Not Allowed", ("Allow", "GET"))

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        page = apps.get(environ["PATH_INFO"], absent)
        return (page if environ["REQUEST_METHOD"] == "GET" else refused)(environ, start_response)

    return app


def _check_app(check: Check, degraded: Check = _nothing) -> "WSGIApplication":
    """200, or 503 with what is wrong: `{"ok": false, "wrong": {"policy": "none loaded"}}`."""

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        wrong = dict(check())
        start_response("503 Service Unavailable" if wrong else "200 OK", [("Content-Type", "application/json")])
        said: dict[str, object] = {"ok": not wrong, "wrong": wrong}
        if lacking := dict(degraded()):
            said["degraded"] = lacking
        return [msgspec.json.encode(said) + b"\n"]

    return app


def _page_app(page: Callable[[], bytes]) -> "WSGIApplication":
    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        content = page()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [content]

    return app


def _answer_app(status: str, *headers: tuple[str, str]) -> "WSGIApplication":
    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(status, [("Content-Type", "text/plain"), *headers])
        return [status.encode() + b"\n"]

    return app


class _Handler(WSGIRequestHandler):
    timeout = SOCKET_TIMEOUT_S

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: probes and scrapes come every few seconds for ever."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """Threads, at most THREADS_MAX; a peer that breaks off is nobody's error."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, app: "WSGIApplication") -> None:
        self.address_family = family
        self._slots = threading.BoundedSemaphore(THREADS_MAX)
        super().__init__(address, _Handler)
        self.set_app(app)

    def server_bind(self) -> None:
        """As its parents, without their reverse look-up of the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # pyright: ignore
        self.setup_environ()

    def verify_request(self, request: object, client_address: object) -> bool:
        return self._slots.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exception()
        if not isinstance(error, (TimeoutError, ConnectionError)):
            logger.error("admin_fault", exc_info=error)


class Admin:
    """A running listener."""

    def __init__(self, server: WSGIServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(CLOSE_POLL_S,), name="admin", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def close(self) -> None:
        """Stops accepting; answers under way end with the process."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def start_admin(
    host: str,
    port: int,
    *,
    registry: CollectorRegistry,
    health: Check,
    ready: Check,
    degraded: Check = _nothing,
    pages: Pages = NO_PAGES,
) -> Admin:
    """Listens at once; port 0 takes a free one. Raises OSError where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    app = admin_app(registry=registry, health=health, ready=ready, degraded=degraded, pages=pages)
    return Admin(_Server((host, port), family, app))
