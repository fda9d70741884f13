"""Owns what the API says of people, of their sessions and of service tokens. Times are UTC, ms since the epoch."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from control_plane.api.text import Id, Name
from control_plane.auth.roles import Permission, Role

# The form that browsers take: https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address. Nothing in it can
# end a header or name a second address.
_EMAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,200}[A-Za-z0-9])?$(?!\n)"
Email = Annotated[str, Meta(max_length=254, pattern=_EMAIL, examples=["ada@example.com"])]
Secret = Annotated[
    str, Meta(min_length=1, max_length=200, examples=["lml_3q2-7wSyMBbFqXo0Y0Zs4hN6cQ9dYvXcF1m8rJkLpTu"])
]
Time = Annotated[int, Meta(ge=0, lt=2**53)]


class LinkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email


class LinkRequested(msgspec.Struct, frozen=True):
    """Said whether or not somebody has the address."""

    message: str = "If this address may sign in, a link is on its way; it works once."


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`token` is what stands in the link behind `#token=`."""

    token: Secret


class OrganizationOfMine(msgspec.Struct, frozen=True):
    id: str
    name: str
    role: Role


class SessionOut(msgspec.Struct, frozen=True):
    """Who asks, as what. `csrf_token` is what a browser sends as `X-CSRF-Token` with every change; null for a token.
    `gateway_url` is where applications reach the gateways; null where nobody said.
    """

    id: str
    kind: Literal["user", "token"]
    name: str
    organization: OrganizationOfMine
    organizations: list[OrganizationOfMine]
    permissions: list[Permission]
    csrf_token: str | None
    gateway_url: str | None


class OrganizationChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    org_id: Annotated[Id, Meta(examples=["org_01k4m8w2b0f6n9y3xq7d5r1htc"])]


class BrowserSessionOut(msgspec.Struct, frozen=True):
    """A browser that is signed in; `current` is the one that asks."""

    id: str
    user_agent: str
    current: bool
    created_at_ms: int
    seen_at_ms: int
    expires_at_ms: int


class OrganizationEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[Name, Meta(examples=["Acme"])] | msgspec.UnsetType = msgspec.UNSET


class OrganizationOut(msgspec.Struct, frozen=True):
    id: str
    name: str
    created_at_ms: int


class MemberEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Role | msgspec.UnsetType = msgspec.UNSET


class MemberOut(msgspec.Struct, frozen=True):
    id: str
    user_id: str
    email: str
    name: str
    role: Role
    created_at_ms: int


class InvitationCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email
    role: Annotated[Role, Meta(examples=["developer"])]


class InvitationOut(msgspec.Struct, frozen=True):
    """Somebody who may join until `expires_at_ms`, by the link that was mailed."""

    id: str
    email: str
    role: Role
    invited_by: str
    created_at_ms: int
    expires_at_ms: int
    accepted_at_ms: int | None


class TokenCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`expires_at_ms` null is a token without an end."""

    name: Name
    role: Annotated[Role, Meta(examples=["developer"])]
    expires_at_ms: Annotated[Time, Meta(examples=[4102444800000])] | None = None


class TokenOut(msgspec.Struct, frozen=True, kw_only=True):
    """A program's token, recognised by its `prefix`. `used_at_ms` is right to the minute."""

    id: str
    name: str
    prefix: str
    role: Role
    created_by: str
    created_at_ms: int
    expires_at_ms: int | None
    revoked_at_ms: int | None
    used_at_ms: int | None


class TokenMade(TokenOut, frozen=True, kw_only=True):
    """`secret` is what the program sends (`lst_…`). It is shown here and never again."""

    secret: str
