"""Owns what the API says of keys."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.api.text import Id, Label, LabelOrNone, ModelName, Name, Seconds, UpstreamName
from gateway.contract.policy import Mode, OnDisconnect
from gateway.endpoints import ENDPOINT_NAMES
from gateway.identify import TAGS_MAX

# Some fifty kilobytes of names at the most: a key travels whole with each of its changes.
SCOPE_NAMES_MAX = 200
# A month is enough to change a key wherever it is.
OVERLAP_MINUTES_MAX = 31 * 24 * 60

EndpointName = Annotated[
    str, Meta(description=f"One of {', '.join(sorted(ENDPOINT_NAMES))}", examples=["chat.completions"])
]
Upstreams = Annotated[
    list[UpstreamName], Meta(min_length=1, max_length=SCOPE_NAMES_MAX, description="Upstreams it may use")
]
Endpoints = Annotated[
    list[EndpointName], Meta(min_length=1, max_length=SCOPE_NAMES_MAX, description="Endpoints it may use")
]
Models = Annotated[
    list[ModelName], Meta(min_length=1, max_length=SCOPE_NAMES_MAX, description="Requested models it may use")
]
Tags = Annotated[list[Label], Meta(max_length=TAGS_MAX, description="On every call of the key")]


class KeyCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scope that is null is everything."""

    project_id: Id
    name: Name
    mode: Mode = "metered"
    on_disconnect: OnDisconnect = "drain"
    upstreams: Upstreams | None = None
    endpoints: Endpoints | None = None
    models: Models | None = None
    user_id: LabelOrNone = ""
    team: LabelOrNone = ""
    tags: Tags = []
    expires_at_s: Seconds | None = None


class KeyEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    on_disconnect: OnDisconnect | UnsetType = UNSET
    upstreams: Upstreams | UnsetType | None = UNSET
    endpoints: Endpoints | UnsetType | None = UNSET
    models: Models | UnsetType | None = UNSET
    user_id: LabelOrNone | UnsetType = UNSET
    team: LabelOrNone | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    expires_at_s: Seconds | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class KeyRotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`overlap_minutes`: how long the old key still works beside the new one; 0 revokes it at once."""

    overlap_minutes: Annotated[int, Meta(ge=0, le=OVERLAP_MINUTES_MAX, examples=[60])] = 0


class KeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret. `prefix` is what people recognise it by; `used_at_s` is null until it is used.

    `replaces`: the keys that were rotated into it, the first one first, whose limits are its limits.
    """

    id: str
    project_id: str
    name: str
    prefix: str
    mode: Mode
    on_disconnect: OnDisconnect
    upstreams: list[str] | None
    endpoints: list[str] | None
    models: list[str] | None
    user_id: str
    team: str
    tags: list[str]
    created_by: str
    created_at_ms: int
    expires_at_s: int | None
    disabled: bool
    revoked_at_ms: int | None
    replaced_by: str | None
    replaces: list[str]
    used_at_s: int | None


class KeyWithSecret(KeyOut, frozen=True, kw_only=True):
    """`secret` is what callers send (`lk-…`). It is shown here and never again."""

    secret: str
