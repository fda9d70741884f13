"""Owns what the API says of providers: credentials, upstreams with their deployment maps, price overrides."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.api.text import Id, ModelName, Name, Seconds, UpstreamName, UpstreamNameOrAny

# The provider of a credential that is user:password of an outbound proxy.
PROXY = "proxy"

# As long as a session token of AWS, several times over.
Secret = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=8192,
        description="Sealed at once and never shown. AWS: `access key id:secret key`; a proxy: `user:password`",
        examples=["sk-proj-…"],
    ),
]
Provider = Annotated[str, Meta(max_length=64, examples=["openai"])]
Duration = Annotated[int, Meta(ge=1, le=86_400_000)]
Models = Annotated[
    dict[ModelName, ModelName],
    Meta(
        max_length=2000,
        description="Deployment or alias in requests -> the model whose price it has",
        examples=[{"prod-chat": "gpt-4o"}],
    ),
]
# Decimals as they are written, never floats; bounded, since an exponent would be a number of any size.
Decimal = Annotated[str, Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$(?!\n)", examples=["0.15"])]
DecimalOrNone = Annotated[
    str, Meta(pattern=r"^([0-9]{1,9}(\.[0-9]{1,12})?)?$(?!\n)", description="Empty is none", examples=["0.85"])
]
Rates = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Decimal],
    Meta(
        max_length=64,
        description="Bucket of usage -> USD per million of it",
        examples=[{"input_text": "0.15", "output_text": "0.60"}],
    ),
]


class CredentialCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`provider` is whose secret it is, or "proxy" for user:password of an outbound proxy."""

    name: Name
    provider: Provider
    secret: Secret

    def __repr__(self) -> str:
        return f"CredentialCreate(name={self.name!r}, secret=…)"


class CredentialEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET


class CredentialRotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    secret: Secret

    def __repr__(self) -> str:
        return "CredentialRotate(secret=…)"


class CredentialOut(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's secret, without it. `hint` is its last four characters; empty where they would be much of it."""

    id: str
    name: str
    provider: str
    hint: str
    created_by: str
    created_at_ms: int
    rotated_at_ms: int | None


class UpstreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is rarely needed. Files of the gateway's machine (`ca_file`, `client_cert_file` …) are its operator's."""

    tls_verify: bool = True
    proxy: Annotated[str, Meta(max_length=300, description='http[s]://host:port; "direct" is none')] = ""
    proxy_credential_id: Id | None = None
    resources: Annotated[
        list[Annotated[str, Meta(max_length=63)]], Meta(max_length=200, description="What {resource} may be")
    ] = []
    headers: Annotated[
        dict[Annotated[str, Meta(max_length=100)], Annotated[str, Meta(max_length=1000)]],
        Meta(
            max_length=32, description="Added to every request, and shown to whoever may see the upstream: no secrets"
        ),
    ] = {}
    connect_timeout_ms: Duration | None = None
    first_byte_timeout_ms: Duration | None = None
    total_timeout_ms: Duration | None = None
    region: Annotated[str, Meta(max_length=63, description="For which AWS requests are signed")] = ""
    lists_shared: bool = False
    connections_max: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class UpstreamCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`origin` and `base_path` that are left out are the provider's own."""

    name: UpstreamName
    provider: Provider
    origin: Annotated[str, Meta(max_length=300, examples=["https://api.openai.com"])] = ""
    base_path: Annotated[str, Meta(max_length=200, examples=[""])] | UnsetType = UNSET
    credential_id: Id | None = None
    models: Models = {}
    options: UpstreamOptions = msgspec.field(default_factory=UpstreamOptions)


class UpstreamEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is; `models` and `options` are replaced whole. The name is part of callers' URLs."""

    origin: Annotated[str, Meta(max_length=300)] | UnsetType = UNSET
    base_path: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    credential_id: Id | UnsetType | None = UNSET
    models: Models | UnsetType = UNSET
    options: UpstreamOptions | UnsetType = UNSET


class UpstreamOut(msgspec.Struct, frozen=True, kw_only=True):
    """Where calls under `/<name>/…` of this organization go. `options` that are left out have their default."""

    id: str
    name: str
    provider: str
    origin: str
    base_path: str
    credential_id: str | None
    models: dict[str, str]
    options: UpstreamOptions
    created_at_ms: int


class PriceCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either `rates` or a `multiplier` of the list price; in force from `starts_at_s` until `ends_at_s`."""

    upstream: UpstreamNameOrAny
    model: Annotated[ModelName, Meta(description='As requested or as the catalog names it; "*" is every one')]
    rates: Rates = {}
    multiplier: DecimalOrNone = ""
    starts_at_s: Seconds | None = None
    ends_at_s: Seconds | None = None


class PriceEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    upstream: UpstreamNameOrAny | UnsetType = UNSET
    model: ModelName | UnsetType = UNSET
    rates: Rates | UnsetType = UNSET
    multiplier: DecimalOrNone | UnsetType = UNSET
    starts_at_s: Seconds | UnsetType | None = UNSET
    ends_at_s: Seconds | UnsetType | None = UNSET


class PriceOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    upstream: str
    model: str
    rates: dict[str, str]
    multiplier: str
    starts_at_s: int | None
    ends_at_s: int | None
    created_at_ms: int
