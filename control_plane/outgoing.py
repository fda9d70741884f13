"""Owns HTTP to addresses that users choose: nothing of it reaches a private network, whatever a name resolves to.

A name is resolved once, every address it has is judged, and the connection goes to a judged one; TLS still verifies the
name. Redirects are refused, proxies of the environment are not used, sizes and times are bounded. What went wrong is
said without the URL, which may be a secret.
"""

import asyncio
import functools
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal, NamedTuple

import httpx

# Far more than a receiver needs to say; what follows is not read.
RESPONSE_BYTES_MAX = 64 * 1024
# All of it: name, connection, answer. Standard Webhooks asks for 15 s to 30 s; a sender here has others waiting.
TOTAL_S = 15.0
# A name with more is tried at the first of them; each gets its share of the time.
ADDRESSES_TRIED_MAX = 3
URL_CHARS_MAX = 2048
# Below are mail, shells and databases of the system; a receiver listens on 443, in tests and labs above.
PORT_MIN = 1024
_PORTS = frozenset({80, 443, *range(PORT_MIN, 65536)})

_HOST = re.compile(rb"[a-z0-9._:-]+")

PrivateTargets = Literal["refuse", "allow"]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# IANA's registries of special-purpose addresses, https://www.iana.org/assignments/iana-ipv4-special-registry, and what
# clouds have put at public addresses. Python's own `is_global` differs from version to version.
_REFUSED_V4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32",  # Azure's wire server
        ),
    )
)  # fmt: skip
# All of IPv6 that is routed on the internet, and what is special within it.
_GLOBAL_V6 = ip_network("2000::/3")
_REFUSED_V6 = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
_NAT64 = ip_network("64:ff9b::/96")


class TargetRefused(Exception):
    """Nothing is sent there, now or later; the message says what to change."""


class TargetFailed(Exception):
    """It was not reached or did not answer; the message names no address."""


class Answer(NamedTuple):
    """`body` is its beginning. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def refused_address(text: str) -> bool:
    """Whether an IP address is not one of the public internet, also where it is wrapped in another."""
    address = _unwrapped(ip_address(text.partition("%")[0]))
    if isinstance(address, IPv4Address):
        return any(address in network for network in _REFUSED_V4)
    return address not in _GLOBAL_V6 or any(address in network for network in _REFUSED_V6)


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or nat64 or address


def check_url(text: str, private: PrivateTargets) -> httpx.URL:
    """A URL that may be asked for, before its name is resolved. Raises TargetRefused."""
    try:
        url = httpx.URL(text) if len(text) <= URL_CHARS_MAX else httpx.URL("")
    except httpx.InvalidURL:
        raise TargetRefused("write a URL such as https://example.com/hook") from None
    allowed = ("https", "http") if private == "allow" else ("https",)
    if url.scheme not in allowed or not _HOST.fullmatch(url.raw_host):
        raise TargetRefused(f"write a URL such as https://example.com/hook, of at most {URL_CHARS_MAX} characters")
    if url.userinfo:
        raise TargetRefused("leave out the user and password; what is sent is signed instead")
    if url.port is not None and url.port not in _PORTS:
        raise TargetRefused(f"take port 443, or one from {PORT_MIN} on")
    if private == "refuse" and _is_refused_literal(url.host):
        raise TargetRefused("take an address of the public internet")
    return url


def _is_refused_literal(host: str) -> bool:
    try:
        return refused_address(host)
    except ValueError:
        return False


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, best first. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class Outgoing:
    """Sends to what users named. `resolve` and `tls` are arguments for tests and for private authorities."""

    def __init__(
        self,
        private: PrivateTargets,
        *,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
        total_s: float = TOTAL_S,
    ) -> None:
        self.private: PrivateTargets = private
        self._resolve, self._total_s, self._tls = resolve, total_s, tls

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, whatever its status. Raises TargetRefused, TargetFailed."""
        target = check_url(url, self.private)
        try:
            async with asyncio.timeout(self._total_s):
                return await self._post(target, body, headers)
        except TimeoutError:
            raise TargetFailed(f"no answer within {self._total_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise TargetFailed(f"the connection failed ({type(error).__name__})") from None

    async def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        # A connection of its own each time: none is reused for another name at the same address.
        tls = self._tls or await asyncio.to_thread(_public_tls)
        transport = PinnedTransport(self._judged, tls, self._total_s / ADDRESSES_TRIED_MAX)
        # Without httpx's client, which logs URLs.
        async with transport:
            response = await transport.handle_async_request(httpx.Request("POST", url, content=body, headers=headers))
            try:
                if response.is_redirect:
                    raise TargetRefused(f"HTTP {response.status_code}: it redirects; name the last address itself")
                return Answer(response.status_code, response.headers, await _beginning(response))
            finally:
                await response.aclose()

    async def _judged(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise TargetFailed("its name is not known (DNS)") from None
        if self.private == "refuse" and any(refused_address(address) for address in addresses):
            raise TargetRefused("its name stands for an address that is not of the public internet")
        return addresses[:ADDRESSES_TRIED_MAX]


@functools.cache
def _public_tls() -> ssl.SSLContext:
    """Of this process: to load the authorities takes 50 ms."""
    return httpx.create_ssl_context()


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to an address that was judged, as the name that was asked for: in Host, in SNI, in the certificate."""

    def __init__(self, judged: Resolve, tls: ssl.SSLContext, connect_s: float) -> None:
        self._judged, self._connect_s = judged, connect_s
        self._transport = httpx.AsyncHTTPTransport(verify=tls, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        last = httpx.ConnectError("its name has no address")
        for address in await self._judged(url.host, url.port or (443 if url.scheme == "https" else 80)):
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={
                    **request.extensions,
                    "sni_hostname": url.raw_host.decode("ascii"),
                    "timeout": {"connect": self._connect_s},
                },
            )
            try:
                return await self._transport.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error
        raise last

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _beginning(response: httpx.Response) -> bytes:
    """As it came over the wire: a packed body is not unpacked, so that a small one cannot become a large one."""
    taken = bytearray()
    async for piece in response.aiter_raw():
        taken += piece
        if len(taken) >= RESPONSE_BYTES_MAX:
            break
    return bytes(taken[:RESPONSE_BYTES_MAX])
