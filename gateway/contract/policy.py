"""Owns Policy: everything a gateway must know to serve — keys, projects, upstreams, prices, modes.

A TOML file compiles to it whole; a control plane publishes the same rows one by one (publishing.py). Secrets are in
`Credential` alone and never in a repr.
"""

from typing import Literal

import msgspec

Mode = Literal["transparent", "metered", "guaranteed"]
OnDisconnect = Literal["drain", "cancel"]
Unit = Literal["usd", "tokens_in", "tokens_out", "tokens", "requests", "concurrent"]
Window = Literal["minute", "hour", "day", "week", "month", "total"]
Action = Literal["block", "alert"]
Dimension = Literal["org", "project", "key", "user", "team", "model", "provider", "upstream", "route", "tag"]


class Project(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    id: str
    name: str = ""
    org_id: str = "default"


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A caller's key. Only its SHA-256 is held; `prefix` is what people recognise it by."""

    id: str
    project_id: str
    sha256: str  # lower-case hex of the SHA-256 of the whole token
    prefix: str = ""
    name: str = ""
    mode: Mode = "metered"
    on_disconnect: OnDisconnect = "drain"
    disabled: bool = False
    expires_at_s: int | None = None  # UTC, seconds since the epoch; None never expires
    upstreams: tuple[str, ...] | None = None  # names this key may use; None is all
    endpoints: tuple[str, ...] | None = None  # endpoint names this key may use; None is all
    models: tuple[str, ...] | None = None  # exact requested models this key may use; None is all
    user_id: str = ""  # attribution when the request names none
    team: str = ""
    tags: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()  # ids of the keys that were rotated into it, the first one first


class Credential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A provider's secret, injected in place of the caller's.

    Where requests are signed (AWS), a secret of two or three parts, `access key id:secret key[:session token]`, signs.
    """

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Credential(id={self.id!r}, secret=…)"


class Upstream(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where requests under `/<name>/…` go, in which dialect, with whose credential."""

    name: str
    provider: str  # a row of gateway/providers.py: "openai", "azure", "anthropic", "gemini", "groq" …
    origin: str  # scheme://host[:port]; Azure may hold {resource}: https://{resource}.openai.azure.com
    base_path: str = ""  # put before the path that follows the name: "/openai" for Groq
    credential_id: str = ""  # empty: only callers who bring the provider's own key get through
    tls_verify: bool = True
    ca_file: str = ""
    client_cert_file: str = ""  # PEM; what the gateway proves itself with to this upstream
    client_key_file: str = ""  # empty: the key is in client_cert_file
    proxy: str = ""  # http[s]://host:port; "direct" is none; empty is the setting outbound_proxy
    proxy_credential_id: str = ""  # whose secret is user:password
    proxy_ca_file: str = ""
    files_sha256: str = ""  # of the files above when they were read: a renewed certificate is a changed policy
    resources: tuple[str, ...] = ()  # what {resource} may be; ("*",) only together with an empty credential_id
    headers: tuple[tuple[str, str], ...] = ()  # added to every request
    models: dict[str, str] = {}  # deployment or alias in requests -> priced model
    connect_timeout_ms: int | None = None  # None: the setting of the same name
    first_byte_timeout_ms: int | None = None
    total_timeout_ms: int | None = None
    region: str = ""  # for which AWS requests are signed
    lists_shared: bool = False  # projects that share the credential may list each other's files and batches
    connections_max: int | None = None  # None: the setting upstream_connections_max
    org_id: str = ""  # whose keys alone find it, before another of that name; empty is everybody's


class PriceOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A negotiated or self-hosted rate; decimal strings, USD per million tokens unless the bucket says otherwise."""

    upstream: str  # name of the upstream, or "*"
    model: str  # exact model, or "*" for every model of that upstream
    rates: dict[str, str] = {}  # bucket of pricing.usage.Usage -> USD per million of it
    multiplier: str = ""  # instead of rates: "0.85" is 15 % off the catalog's price
    starts_at_s: int | None = None
    ends_at_s: int | None = None
    org_id: str = ""  # whose calls alone it is for; empty is everybody's


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So much of a unit, in a window, for a scope: a budget, a rate limit or a limit of calls at a time."""

    id: str
    unit: Unit
    limit: int | None  # nano-USD where the unit is usd, else a count; None: counted, and never refused
    window: Window = "month"
    # What it is of: dimension -> value, or "*" for a counter of its own for each value. {} is everything.
    scope: dict[Dimension, str] = {}
    action: Action = "block"
    thresholds: tuple[int, ...] = (50, 80, 90, 100)  # percent of the limit; each signals once in a window
    time_zone: str = "UTC"  # whose calendar the window is of; an IANA name
    values_max: int = 10_000  # counters that a scope with "*" may have in one window; further values are refused
    # Held, in nano-USD, for a call whose cost has no bound; None: such a call is refused. Of usd alone.
    ceiling: int | None = None
    answers_429: bool = False  # refuses with 429 instead of 402, for clients that know nothing else
    # Another one with each edit: a limit that was raised and lowered again is not the limit that it was, for others may
    # have claimed more in between. 0: the policy's version is.
    revision: int = 0


class QuotaOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Minutes of grace: another limit for a quota, until then."""

    quota_id: str
    until_s: int
    limit: int | None = None  # None: nothing is refused until then


class KillSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ends the calls of a scope, those under way too, and admits no new ones."""

    id: str
    scope: dict[Dimension, str] = {}  # dimension -> value; {} is everything
    reason: str = ""  # which the caller is told
    allow: tuple[str, ...] = ()  # names of endpoints that stay open


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of what a gateway obeys. `version` grows with every change; `source` says who wrote it."""

    format: int = 1
    version: int = 0
    source: str = ""
    projects: tuple[Project, ...] = ()
    keys: tuple[Key, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    credentials: tuple[Credential, ...] = ()
    price_overrides: tuple[PriceOverride, ...] = ()
    quotas: tuple[Quota, ...] = ()
    quota_overrides: tuple[QuotaOverride, ...] = ()
    kill_switches: tuple[KillSwitch, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Policy)

encode_policy = _encoder.encode
decode_policy = _decoder.decode
