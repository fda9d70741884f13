"""Owns the way to an upstream: its name's addresses, the race between them, the proxy in front, TLS.

Every connection resolves anew. Knows nothing of what is said on a connection once it is made.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]

from gateway import proxy as proxies
from gateway import tls_files
from gateway.blocking import Blocking
from gateway.faults import GatewayFault
from gateway.proxy import Outbound, Proxy, authority
from gateway.route import Origin
from gateway.settings import Settings
from gateway.tls_files import Trust
from gateway.wire.headers import response_reader
from gateway.wire.http1 import HEAD_END, HttpFault

# RFC 8305 §8: the next address is tried when the one before has not answered for so long.
NEXT_ADDRESS_S = 0.25
# Names looked up at once; one that does not come back holds one thread, and a policy has fewer that are broken.
LOOKUPS_MAX = 32
# Contexts kept, some 100 KB each: more upstreams than have certificates of their own, and then the oldest goes.
CONTEXTS_MAX = 256
# A proxy answers with some 100 bytes; one that refuses adds a page, whose head this is.
PROXY_HEAD_BYTES_MAX = 16 * 1024
# A model may think for minutes while nothing is sent, and NAT gateways forget a connection after four.
KEEPALIVE_IDLE_S = 60
KEEPALIVE_INTERVAL_S = 30

_READER = response_reader()

_Connection = TypeVar("_Connection", bound=asyncio.Protocol)

# As socket.getaddrinfo has it: family, kind, protocol, a name nobody asks for, and the address itself.
Address = tuple[int, int, int, str, tuple[Any, ...]]
# The addresses of a (name, port). Blocks; raises OSError or UnicodeError.
LookUp = Callable[[tuple[str, int]], list[Address]]

# What goes wrong on the way. ValueError: a name that DNS or TLS cannot hold; RuntimeError is uvloop's word for some.
_FAILURES = (OSError, ValueError, RuntimeError)
_ASKS_FOR_CREDENTIAL = (
    "its credential is missing or wrong; see the upstream's proxy_credential_id, or the setting"
    " outbound_proxy_credential_file"
)
# By the status of a proxy's answer: what to do.
_ADVICE = {
    401: _ASKS_FOR_CREDENTIAL,
    403: "it does not let the gateway go there; have it allowed, or name another proxy",
    407: _ASKS_FOR_CREDENTIAL,
}
_ADVICE_OTHERWISE = "its log says why; name another proxy if it cannot get there"


class ConnectFault(Exception):
    """The way to an upstream is closed. `code` is one of gateway.faults.CODES."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def look_up(address: tuple[str, int]) -> list[Address]:
    """The system's answer, for both families."""
    return cast("list[Address]", socket.getaddrinfo(*address, type=socket.SOCK_STREAM))


class Connector:
    """Makes connections for one process. `outbound` may be replaced, for the connections made from then on."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        timeout_ms: int,
        outbound: Outbound = Outbound(),  # noqa: B008 - a value
        look_up: LookUp = look_up,
    ) -> None:
        self.outbound = outbound
        self._loop = loop
        self._timeout_ms = timeout_ms
        self._look_up = Blocking(look_up, threads_max=LOOKUPS_MAX)
        # One at a time: none of them is in a hurry, and each burns the processor.
        self._load = Blocking(tls_files.client_context, threads_max=1)
        self._contexts: dict[Trust, ssl.SSLContext] = {}

    async def connect(self, origin: Origin, make: Callable[[], _Connection]) -> _Connection:
        """What `make` makes, connected to the origin. Raises ConnectFault, in the origin's connect timeout."""
        proxy = origin.proxy or (None if origin.direct else self.outbound.proxy_for(origin.host))
        way = f"to {origin.host}" + (f" through the proxy {proxy.name}" if proxy else "")
        # Before the time runs: how long files take to load says nothing of who is to answer.
        context = await self._context(origin.trust, origin.host) if origin.tls else None
        outer = await self._proxy_context(proxy) if proxy and proxy.tls else None
        try:
            async with asyncio.timeout((origin.connect_timeout_ms or self._timeout_ms) / 1000):
                if proxy is None:
                    return await self._open(origin.host, origin.port, context, make)
                tunnel = await self._tunnel(proxy, outer, authority(origin.host, origin.port))
                return await self._behind(tunnel, origin, context, make)
        except _FAILURES as error:
            raise _fault(way, error) from error

    async def _open(
        self, host: str, port: int, context: ssl.SSLContext | None, make: Callable[[], _Connection]
    ) -> _Connection:
        connected = await start_connection(
            _literal(host, port) or await self._look_up((host, port)),
            happy_eyeballs_delay=NEXT_ADDRESS_S,
            interleave=1,
            loop=self._loop,
            socket_factory=_socket,
        )
        try:
            _, connection = await self._loop.create_connection(
                make, sock=connected, ssl=context, server_hostname=host if context else None
            )
        except BaseException:
            connected.close()
            raise
        return connection

    async def _behind(
        self, tunnel: "_Tunnel", origin: Origin, context: ssl.SSLContext | None, make: Callable[[], _Connection]
    ) -> _Connection:
        transport, connection = tunnel.transport, make()
        if context is None:
            transport.set_protocol(connection)
        else:
            try:
                tls = await self._loop.start_tls(transport, connection, context, server_hostname=origin.host)
            except BaseException:
                transport.abort()
                raise
            transport = cast(asyncio.Transport, tls)
        if transport.is_closing():  # and whatever it reports of that comes to nobody
            raise ConnectionResetError
        connection.connection_made(transport)
        return connection

    async def _tunnel(self, proxy: Proxy, context: ssl.SSLContext | None, target: str) -> "_Tunnel":
        """A connection through which the proxy has opened the way to the target: RFC 9110 §9.3.6."""
        try:
            tunnel = await self._open(proxy.host, proxy.port, context, lambda: _Tunnel(self._loop))
        except _FAILURES as error:
            fault = _fault(f"to the proxy {proxy.name}", error)
            advice = "see that it runs, and that proxy or outbound_proxy names it"
            raise ConnectFault(fault.code, f"{fault.message}; {advice}") from error
        tunnel.ask(target, proxy.authorization)
        try:
            await tunnel.answered
        except BaseException:
            tunnel.transport.abort()
            raise
        if problem := _judged(bytes(tunnel.held)):
            tunnel.transport.abort()
            raise ConnectFault("upstream_unreachable", f"the proxy {proxy.name} did not connect to {target}: {problem}")
        return tunnel

    async def _proxy_context(self, proxy: Proxy) -> ssl.SSLContext:
        return await self._context(Trust(ca_file=proxy.ca_file, files_sha256=proxy.files_sha256), proxy.name)

    async def _context(self, trust: Trust, name: str) -> ssl.SSLContext:
        context = self._contexts.get(trust)
        if context is not None:
            return context
        try:
            context = await self._load(trust)
        except (OSError, ValueError) as error:
            message = f"the certificate files for {name} cannot be used ({type(error).__name__}); a reload logs why"
            raise ConnectFault("upstream_unreachable", message) from error
        if len(self._contexts) >= CONTEXTS_MAX:
            del self._contexts[next(iter(self._contexts))]
        self._contexts[trust] = context
        return context


class _Tunnel(asyncio.Protocol):
    """Asks a proxy for a connection, and keeps what it answers until somebody takes over."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.held = bytearray()
        self.answered: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses

    def ask(self, target: str, authorization: bytes) -> None:
        lines = [b"CONNECT %b HTTP/1.1" % target.encode("ascii"), b"host: " + target.encode("ascii")]
        if authorization:
            lines.append(b"proxy-authorization: " + authorization)
        self.transport.write(b"\r\n".join(lines) + HEAD_END)

    def data_received(self, data: bytes) -> None:
        self.held += data
        if HEAD_END in self.held or len(self.held) > PROXY_HEAD_BYTES_MAX:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        self._answered()

    def _answered(self) -> None:
        if not self.answered.done():
            self.answered.set_result(None)


def outbound(settings: Settings) -> Outbound:
    """The proxy of the settings, with what its files hold now. Raises GatewayFault where one cannot be used."""
    exceptions = proxies.read_exceptions(settings.no_proxy)
    if not settings.outbound_proxy:
        return Outbound(None, exceptions)
    ca_file = settings.outbound_proxy_ca_file
    if ca_file and (fault := tls_files.authorities_fault(ca_file)):
        raise GatewayFault(f"outbound_proxy_ca_file: {fault}")
    credential = _credential(settings.outbound_proxy_credential_file)
    proxy = proxies.read_proxy(settings.outbound_proxy, credential, ca_file, tls_files.digest((ca_file,)))
    return Outbound(proxy, exceptions)


def _credential(file: str) -> str:
    if not file:
        return ""
    try:
        credential = Path(file).read_text("utf-8").strip()
    except OSError as fault:
        raise GatewayFault(f"outbound_proxy_credential_file: cannot read {file}: {fault.strerror}") from None
    except UnicodeDecodeError:
        credential = ""
    if fault := proxies.credential_fault(credential):
        raise GatewayFault(f"outbound_proxy_credential_file: {file} {fault}")
    return credential


def _judged(answer: bytes) -> str:
    """Why a proxy's answer opens no way, and what to do; empty if it does."""
    end = answer.find(HEAD_END) + len(HEAD_END)
    if end < len(HEAD_END):
        return "it closed the connection, or sent no end of a head; see that it is an HTTP proxy"
    try:
        status = int(_READER.response(answer[:end]).first[2])
    except HttpFault:
        return "what it answered is no HTTP; see that it is an HTTP proxy"
    if not 200 <= status < 300:
        return f"it answered {status}; {_ADVICE.get(status, _ADVICE_OTHERWISE)}"
    # What stands here can only be the proxy's, and would be read as the provider's.
    return "it sent more than its answer; see that it is an HTTP proxy" if len(answer) > end else ""


def _literal(host: str, port: int) -> list[Address]:
    """The address that a host is, without asking anybody; none for a name."""
    address = proxies.read_ip(host)
    if address is None:
        return []
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]


def _socket(address: Address) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # macOS has another name for it, and is nobody's server
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    return made


def _fault(way: str, error: Exception) -> ConnectFault:
    if isinstance(error, TimeoutError):
        return ConnectFault("upstream_timeout", f"no connection {way} in time")
    return ConnectFault("upstream_unreachable", f"no connection {way} could be made ({_reason(error)})")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, socket.gaierror):
        return "its name has no address"
    if isinstance(error, ssl.SSLError) and error.reason:
        return f"TLS failed: {error.reason}"
    return type(error).__name__
