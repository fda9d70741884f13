"""Owns what a Policy must satisfy before it is served, whoever wrote it. Knows neither files nor TOML."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from gateway import proxy as proxies
from gateway import quota_rules
from gateway.contract.policy import (
    Credential,
    Key,
    KillSwitch,
    Policy,
    PriceOverride,
    Project,
    Quota,
    QuotaOverride,
    Upstream,
)
from gateway.endpoints import ENDPOINT_NAMES
from gateway.problems import Fields, Path, Problem, listed, missing, name_faults
from gateway.providers import PROVIDERS
from gateway.wire.headers import CREDENTIAL_SLOTS, HOP_BY_HOP, OWN_PREFIX
from pricing.overrides import Override

Row = Project | Credential | Key | Upstream | PriceOverride | Quota | QuotaOverride | KillSwitch

# What a request's first path segment may be without naming an upstream: /k/<token>/… and a bare /v1/….
RESERVED_NAMES = frozenset(("k", "v1"))
# Enough to recognise a key by (`lk-` and five characters), too little to be one.
PREFIX_CHARS_MAX = 12

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[(?P<literal>[0-9A-Fa-f:.]+)\])"
_ORIGIN = re.compile(rf"https?://(?:\{{resource\}}\.)?{_HOST}(?::(?P<port>[0-9]{{1,5}}))?")
_BASE_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# RFC 9110 §5.1 (token) and §5.5 (visible ASCII; spaces and tabs only between).
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
_SECRET = re.compile(r"[!-~]+")

# The gateway frames, addresses and pays for requests itself; nothing configured may.
_FORBIDDEN_HEADERS = HOP_BY_HOP | CREDENTIAL_SLOTS | {b"host", b"content-length", b"content-encoding", b"expect"}


class _Anything(frozenset[str]):
    """Every name there may be."""

    def __contains__(self, name: object) -> bool:
        return True


class _Names(NamedTuple):
    """What rows may refer to."""

    projects: frozenset[str]
    upstreams: frozenset[str]
    credentials: Mapping[str, Credential]


_ANYTHING = _Names(_Anything(), _Anything(), {})


def problems(policy: Policy) -> Iterator[Problem]:
    """Every reason not to serve the policy; none if it is good. Never holds a secret."""
    yield from _twice("projects", (project.id for project in policy.projects))
    yield from _twice("upstreams", (upstream.name for upstream in policy.upstreams))
    yield from _twice("credentials", (credential.id for credential in policy.credentials))
    yield from _keys_twice(policy.keys)
    names = _Names(
        frozenset(project.id for project in policy.projects),
        frozenset(upstream.name for upstream in policy.upstreams),
        {credential.id: credential for credential in policy.credentials},
    )
    rows: list[tuple[Path, Fields]] = [
        *((("projects", project.id), _project(project)) for project in policy.projects),
        *((("credentials", credential.id), _credential(credential)) for credential in policy.credentials),
        *((("upstreams", upstream.name), _upstream(upstream, names)) for upstream in policy.upstreams),
        *((("keys", index), _key(key, names)) for index, key in enumerate(policy.keys)),
        *((("price_overrides", index), _price(price, names)) for index, price in enumerate(policy.price_overrides)),
    ]
    for path, fields in rows:
        for field, message in fields:
            yield (*path, field) if field else path, message
    yield from quota_rules.problems(policy)


def faults_alone(row: Row) -> Fields:
    """What is wrong with a row that was published, whatever it refers to; files of this machine are not its to name."""
    match row:
        case Project():
            yield from _project(row)
        case Credential():
            yield from _credential(row)
        case Key():
            yield from _key(row, _ANYTHING)
        case Upstream():
            ids = (row.credential_id, row.proxy_credential_id)
            stand_ins = {id: Credential(id, "stand:in") for id in ids if id}
            yield from _upstream(row, _ANYTHING._replace(credentials=stand_ins))
            for field in ("ca_file", "client_cert_file", "client_key_file", "proxy_ca_file"):
                if getattr(row, field):
                    yield field, "names a file of the gateway's machine, which only its own lensai.toml may"
        case PriceOverride():
            yield from _price(row, _ANYTHING)
        case _:
            yield from quota_rules.faults_alone(row)


def upstream_faults(upstream: Upstream, credentials: Mapping[str, Credential]) -> Fields:
    """What an upstream that is good alone lacks among the credentials there are."""
    if upstream.credential_id and upstream.credential_id not in credentials:
        yield "credential_id", "there is no such credential"
    id = upstream.proxy_credential_id
    if id and id not in credentials:
        yield "proxy_credential_id", "there is no such credential"
    elif id and (fault := proxies.credential_fault(credentials[id].secret)):
        yield "proxy_credential_id", f"the secret of {id!r} {fault}"


def _twice(table: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield (table, name), "is there twice; keep one"


def _keys_twice(keys: tuple[Key, ...]) -> Iterator[Problem]:
    unique: tuple[tuple[str, Callable[[Key], str]], ...] = (
        ("id", lambda key: key.id),
        ("sha256", lambda key: key.sha256),
    )
    for field, value_of in unique:
        first: dict[str, int] = {}
        for index, key in enumerate(keys):
            if first.setdefault(value_of(key), index) != index:
                yield ("keys", index, field), "another key has the same; keep one"


def _project(project: Project) -> Fields:
    yield from name_faults("", project.id)
    yield from name_faults("org_id", project.org_id)


def _credential(credential: Credential) -> Fields:
    yield from name_faults("", credential.id)
    if not _SECRET.fullmatch(credential.secret):
        yield "secret", "empty, or holds characters that no header can carry; set it again"


def _upstream(upstream: Upstream, names: _Names) -> Fields:
    yield from name_faults("", upstream.name)
    if upstream.name in RESERVED_NAMES:
        yield "", f"{upstream.name!r} means something else as the start of a path; choose another name"
    if upstream.org_id:
        yield from name_faults("org_id", upstream.org_id)
    if upstream.provider not in PROVIDERS:
        yield "provider", f"unknown {upstream.provider!r}; use one of {listed(PROVIDERS)}"
    yield from _address(upstream)
    yield from _resources(upstream)
    if upstream.provider in PROVIDERS and PROVIDERS[upstream.provider].signs and not upstream.region:
        yield "region", "is missing; name the AWS region that requests are signed for"
    if upstream.region and not _DNS_LABEL.fullmatch(upstream.region):
        yield "region", f"{upstream.region!r} is not a region's name; write it like us-east-1"
    if upstream.credential_id and upstream.credential_id not in names.credentials:
        yield "credential_id", missing("credentials", upstream.credential_id, names.credentials)
    yield from _proxy(upstream, names)
    yield from _client_certificate(upstream)
    yield from _headers(upstream.headers)
    if upstream.connections_max is not None and upstream.connections_max < 1:
        yield "connections_max", f"{upstream.connections_max} lets nobody through; use 1 or more, or remove it"
    for field in ("connect_timeout_ms", "first_byte_timeout_ms", "total_timeout_ms"):
        if (duration_ms := getattr(upstream, field)) is not None and duration_ms < 1:
            yield field, f"{duration_ms} is no duration; use 1 or more, or remove it for the setting of that name"


def _address(upstream: Upstream) -> Fields:
    origin = _ORIGIN.fullmatch(upstream.origin)
    literal = origin["literal"] if origin else None
    if not origin or not 0 < int(origin["port"] or 1) <= 65535 or (literal and not _is_ipv6(literal)):
        yield (
            "origin",
            (
                f"{upstream.origin!r} is not scheme://host[:port] with http or https; put a path into base_path and"
                " a secret into [credentials.…]"
            ),
        )
    if not _BASE_PATH.fullmatch(upstream.base_path) or {".", ".."} & set(upstream.base_path.split("/")):
        yield "base_path", f"{upstream.base_path!r} is not a plain path; write it as /a/b, or leave it empty"


def _is_ipv6(literal: str) -> bool:
    address = proxies.read_ip(literal)
    return address is not None and address.version == 6


def _proxy(upstream: Upstream, names: _Names) -> Fields:
    named = upstream.proxy not in ("", proxies.DIRECT)
    if named and (fault := proxies.fault(upstream.proxy)):
        yield "proxy", f'{fault}, or "direct" for none'
    if upstream.proxy_credential_id:
        yield from _proxy_credential(upstream.proxy_credential_id, names, named=named)
    if upstream.proxy_ca_file and not (named and proxies.is_tls(upstream.proxy)):
        yield (
            "proxy_ca_file",
            "proxy is no https://host:port, so it shows no certificate; remove the one or change the other",
        )


def _proxy_credential(id: str, names: _Names, *, named: bool) -> Fields:
    credential = names.credentials.get(id)
    if credential is None:
        yield "proxy_credential_id", missing("credentials", id, names.credentials)
    elif not named:
        yield (
            "proxy_credential_id",
            "there is no proxy beside it; name one, or use the setting outbound_proxy_credential_file for that of the"
            " settings",
        )
    elif fault := proxies.credential_fault(credential.secret):
        yield "proxy_credential_id", f"the secret of {id!r} {fault}"


def _client_certificate(upstream: Upstream) -> Fields:
    if upstream.client_key_file and not upstream.client_cert_file:
        yield "client_key_file", "there is no client_cert_file beside it; add it, or remove this"
    if upstream.client_cert_file and not upstream.origin.startswith("https://"):
        yield "client_cert_file", "the origin is not https, so nobody asks for it; change the origin, or remove this"


def _resources(upstream: Upstream) -> Fields:
    if "{resource}" not in upstream.origin:
        if upstream.resources:
            yield "resources", "the origin holds no {resource}; remove the one or add the other"
    elif upstream.resources == ("*",):
        if upstream.credential_id:
            yield (
                "resources",
                (
                    'with "*" any caller could have the credential sent to a stranger\'s resource; list yours,'
                    ' or set credential_id = ""'
                ),
            )
    elif not upstream.resources:
        yield "resources", "the origin holds {resource}; list the names it may be"
    for resource in upstream.resources:
        if not _DNS_LABEL.fullmatch(resource) and upstream.resources != ("*",):
            yield "resources", f"{resource!r} is not a resource's name (a-z, 0-9 and hyphens); correct it"


def _headers(headers: tuple[tuple[str, str], ...]) -> Fields:
    for name, value in headers:
        lowered = name.lower().encode("utf-8", "replace")
        if not _HEADER_NAME.fullmatch(name):
            yield "headers", f"{name!r} is not a header name; use letters, digits and hyphens"
        elif lowered in _FORBIDDEN_HEADERS or lowered.startswith(OWN_PREFIX):
            yield "headers", f"{name} is the gateway's to set; remove it (secrets go into [credentials.…])"
        elif not _HEADER_VALUE.fullmatch(value):
            yield "headers", f"the value of {name} is empty or not printable ASCII; correct it"


def _key(key: Key, names: _Names) -> Fields:
    yield from name_faults("id", key.id)
    # A wrong sha256 is not repeated in the message: it may be the key itself, pasted in error.
    if not _SHA256.fullmatch(key.sha256):
        yield "sha256", "not 64 lower-case hexadecimal digits; `lensai keys create` writes it"
    if len(key.prefix) > PREFIX_CHARS_MAX:
        yield "prefix", f"longer than {PREFIX_CHARS_MAX} characters, which gives too much of the key away; shorten it"
    if key.project_id not in names.projects:
        yield "project_id", missing("projects", key.project_id, names.projects)
    for id in key.replaces:
        yield from name_faults("replaces", id)
    for name in key.upstreams or ():
        if name not in names.upstreams:
            yield "upstreams", missing("upstreams", name, names.upstreams)
    for name in key.endpoints or ():
        if name not in ENDPOINT_NAMES:
            yield "endpoints", f"unknown {name!r}; use some of {listed(ENDPOINT_NAMES)}"


def _price(price: PriceOverride, names: _Names) -> Fields:
    if price.org_id:
        yield from name_faults("org_id", price.org_id)
    if price.upstream != "*" and price.upstream not in names.upstreams:
        yield "upstream", missing("upstreams", price.upstream, names.upstreams)
    try:
        Override(price.upstream, price.model, price.rates, price.multiplier, price.starts_at_s, price.ends_at_s)
    except ValueError as fault:
        yield "", str(fault)
