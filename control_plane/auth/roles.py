"""Owns who may do what: roles and their permissions, as one table. Knows no route."""

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["owner", "admin", "developer", "viewer", "billing"]
Permission = Literal[
    "self",  # what is one's own: the session, the list of one's organizations
    "organization:read", "organization:write",
    "members:read", "members:write",
    "tokens:read", "tokens:write",
    "projects:read", "projects:write",
    "keys:read", "keys:write",
    "providers:read", "providers:write",
    "budgets:read", "budgets:write",
    "kill_switch:read", "kill_switch:write",
    "alerts:read", "alerts:write",
    "billing:read", "billing:write",
    "audit:read", "audit:export",
    "usage:read", "usage:export",
    "ingest:read", "ingest:write",
    "reconciliation:read", "reconciliation:write",
    "retention:read", "retention:write",
]  # fmt: skip

ROLES: tuple[Role, ...] = get_args(Role)
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)

_READS: frozenset[Permission] = frozenset(
    {
        "self", "organization:read", "projects:read", "keys:read", "providers:read", "budgets:read",
        "kill_switch:read", "alerts:read", "usage:read",
    }
)  # fmt: skip


def _also(*permissions: Permission) -> frozenset[Permission]:
    return frozenset(permissions)


# An admin does all but what is the owner's alone: the organization itself and its payments.
GRANTED: Mapping[Role, frozenset[Permission]] = {
    "owner": frozenset(PERMISSIONS),
    "admin": frozenset(PERMISSIONS) - {"organization:write", "billing:write"},
    "developer": _READS | _also("members:read", "keys:write", "kill_switch:write"),
    "viewer": _READS | _also("members:read"),
    "billing": _also(
        "self", "organization:read", "projects:read", "budgets:read", "billing:read", "billing:write", "usage:read",
        "usage:export", "reconciliation:read", "reconciliation:write",
    ),
}  # fmt: skip


def may(role: Role, permission: Permission) -> bool:
    return permission in GRANTED[role]


def may_grant(role: Role, other: Role) -> bool:
    """Whether somebody may give a role, or take it: only with all that it permits."""
    return GRANTED[other] <= GRANTED[role]
