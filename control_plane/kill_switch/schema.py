"""Owns what the API says of kill switches."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.api.text import Id
from gateway.contract.policy import Dimension

ALLOW_MAX = 50

Reason = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=500,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="One line of up to 500 characters; callers are told it",
        examples=["An agent runs in circles"],
    ),
]
Scope = Annotated[
    dict[Dimension, str],
    Meta(
        description="Narrower than the project or the organization: dimension -> value. Not `org`, not `project`",
        examples=[{"model": "gpt-4o-mini"}],
    ),
]
Allow = Annotated[
    list[str],
    Meta(
        max_length=ALLOW_MAX,
        description="Names of endpoints that stay open",
        examples=[["models.list"]],
    ),
]


class KillSwitchTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `project_id` it ends the calls of the whole organization."""

    reason: Reason
    project_id: Id | None = None
    scope: Scope = {}
    allow: Allow = []


class CallsUnderWay(msgspec.Struct, frozen=True):
    """The organization's calls under way, by project; what a kill switch would end now."""

    calls: int
    by_project: dict[str, int]


class KillSwitchRelease(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One switch by `id`, or all of a project by `project_id`; null: those of the whole organization."""

    id: Id | UnsetType = UNSET
    project_id: Id | UnsetType | None = UNSET


class KillSwitchOut(msgspec.Struct, frozen=True):
    """A kill switch. Released ones stay, as history."""

    id: str
    project_id: str | None
    scope: dict[str, str]
    active: bool
    reason: str
    allow: list[str]
    activated_by: str
    activated_at_ms: int
    released_by: str | None
    released_at_ms: int | None


class Released(msgspec.Struct, frozen=True):
    """Those that are released now; none, where none was active."""

    items: list[KillSwitchOut]
