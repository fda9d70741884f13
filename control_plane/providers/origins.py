"""Owns where an organization's calls may be sent: the address of an upstream or a proxy, judged as it is written.

Private addresses are legitimate, since models are hosted there. No name is resolved: what a name is now says nothing of
what it will be when a gateway connects. Pure.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from gateway.proxy import read_ip

# Where clouds hand their machines' own credentials to whoever asks from within, link-local addresses apart:
# cloud.google.com/compute/docs/metadata, docs.aws.amazon.com (Instance metadata, IPv6), Alibaba Cloud, Oracle Cloud.
_METADATA_ADDRESSES = frozenset(map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192")))
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})
# Names that lead nowhere outside: RFC 6761, RFC 6762, RFC 8375, ICANN's resolution 2024.07.29.06; Kubernetes' services.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".home.arpa", ".internal", ".svc")
# What resolvers take for an address in another notation: 2130706433, 0x7f.1 (WHATWG URL, "ends in a number").
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")

_Ip = IPv4Address | IPv6Address


def fault(address: str, *, secret: bool, verified: bool = True) -> str:
    """Why nothing may be sent to a scheme://host[:port], and what to do; empty if it may.

    `secret`: a credential of ours goes along. `verified`: a certificate is checked where the scheme is https.
    """
    parts = urlsplit(address.replace("{resource}", "resource"))
    host = (parts.hostname or "").rstrip(".")
    ip = _plain(read_ip(host))
    if ip is None and _NUMBER.fullmatch(host.rpartition(".")[2]):
        return f"{host!r} is an address in another notation; write it as 10.0.0.1"
    if _is_never_a_model(host, ip):
        return f"{host!r} is no model's: it is kept for machines among themselves; name another host"
    if secret and not (parts.scheme == "https" and verified) and not _is_private(host, ip):
        return (
            "the credential would cross a public network unprotected; use https with tls_verify, a private address,"
            " or a name that is private (one label, .internal, .local)"
        )
    return ""


def _plain(ip: _Ip | None) -> _Ip | None:
    """An IPv4 address that is written as IPv6 is the same address."""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return mapped or ip


def _is_never_a_model(host: str, ip: _Ip | None) -> bool:
    if ip is None:
        return host in _METADATA_NAMES
    return ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA_ADDRESSES


def _is_private(host: str, ip: _Ip | None) -> bool:
    if ip is not None:
        return not ip.is_global
    return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
