"""Owns what an outbound proxy is: how people write one, and which hosts are reached without it. Does no I/O."""

import base64
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

import msgspec

# What an upstream says in place of a proxy to have none.
DIRECT = "direct"

_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(https?)://(?:({_NAME})|\[([0-9A-Fa-f:.]+)\]):([0-9]{{1,5}})/?")
_SUFFIX = re.compile(rf"\.?{_NAME}")
_EXAMPLE = "http://proxy.example:3128"

_Ip = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class Proxy(msgspec.Struct, frozen=True, gc=False):
    """A proxy that connects to any host it is told: RFC 9110 §9.3.6. Its credential is never in a repr."""

    host: str
    port: int
    tls: bool = False  # whether it is spoken to in TLS itself
    authorization: bytes = b""  # the value of Proxy-Authorization
    ca_file: str = ""  # empty: the authorities of the system
    files_sha256: str = ""  # tells one content of the file from the next

    def __repr__(self) -> str:
        return f"Proxy({self.name})"

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return authority(self.host, self.port)


class Exceptions(NamedTuple):
    """Hosts that the setting's proxy is not for."""

    names: tuple[str, ...]  # each with all below it
    networks: tuple[_Network, ...]
    everything: bool

    def hold(self, host: str) -> bool:
        """Whether a host is among them. Names are not resolved: an address matches networks, a name names."""
        address = read_ip(host)
        if self.everything or is_loopback(host, address):
            return True
        if address is not None:
            return any(address in network for network in self.networks)
        host = host.lower().rstrip(".")
        return any(host == name or host.endswith("." + name) for name in self.names)


class Outbound(NamedTuple):
    """The proxy of the settings, and whom it is not for."""

    proxy: Proxy | None = None
    exceptions: Exceptions = Exceptions((), (), False)

    def proxy_for(self, host: str) -> Proxy | None:
        return None if self.proxy is None or self.exceptions.hold(host) else self.proxy


def fault(text: str) -> str:
    """Why a text names no proxy, and what to do; empty if it does. Does not repeat what may hold a password."""
    if "@" in text:
        return (
            "a credential in the address would be shown wherever the address is; write scheme://host:port alone, and"
            " put user:password where credentials are kept"
        )
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[4]) <= 65535 or (found[3] and read_ip(found[3]) is None):
        return f"{text!r} is not scheme://host:port with http or https; write it like {_EXAMPLE}"
    return ""


def credential_fault(credential: str) -> str:
    """Why a proxy cannot be given a credential, which is not repeated; empty if it can."""
    user, colon, _ = credential.partition(":")
    return "" if user and colon and credential.isprintable() else "does not hold user:password alone; write it so"


def read_proxy(text: str, credential: str, ca_file: str, files_sha256: str) -> Proxy:
    """The proxy of a text without fault; the credential is user:password, or empty for none."""
    found = _ADDRESS.fullmatch(text)
    assert found is not None, "the policy and the settings check proxies"
    scheme, name, literal, port = found.groups()
    return Proxy(
        (name or literal).lower(),
        int(port),
        scheme == "https",
        b"Basic " + base64.b64encode(credential.encode()) if credential else b"",  # RFC 7617 §2
        ca_file,
        files_sha256,
    )


def is_tls(text: str) -> bool:
    """Whether the proxy of a text is spoken to in TLS."""
    return text.startswith("https://")


def exceptions_fault(text: str) -> str:
    """Why a list of exceptions cannot be used, and what to do; empty if it can."""
    wrong = [entry for entry in _entries(text) if not (_SUFFIX.fullmatch(entry) or _network(entry) or entry == "*")]
    return f"{wrong[0]!r} is no host, domain, address or network; correct it, or remove it" if wrong else ""


def read_exceptions(text: str) -> Exceptions:
    """The exceptions of a list without fault."""
    entries = _entries(text)
    networks = [network for entry in entries if (network := _network(entry))]
    names = [entry.strip(".").lower() for entry in entries if not _network(entry) and entry != "*"]
    return Exceptions(tuple(names), tuple(networks), "*" in entries)


def read_ip(host: str) -> _Ip | None:
    """The address a host is, None for a name. An IPv6 address has no brackets here."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def authority(host: str, port: int) -> str:
    """host:port as HTTP has it: RFC 9110 §4.2, RFC 3986 §3.2.2."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str, address: _Ip | None) -> bool:
    """Whether a host is this machine, by its address or by its name (RFC 6761 §6.3)."""
    if address is not None:
        return address.is_loopback
    name = host.lower().rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _entries(text: str) -> list[str]:
    return [entry for entry in re.split(r"[,\s]+", text) if entry]


def _network(entry: str) -> _Network | None:
    try:
        return ip_network(re.sub(r"^\[(.*)\]$", r"\1", entry), strict=False)
    except ValueError:
        return None
