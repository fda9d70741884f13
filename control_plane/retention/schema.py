"""Owns what the API says of retention."""

from typing import Annotated

import msgspec
from msgspec import Meta

from control_plane.api.text import Label, Name
from control_plane.retention.tables import ErasureStatus

_Days = Annotated[int, Meta(ge=1, le=36_500, description="Whole days (UTC)")]


class RetentionEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """null takes the plan's time again."""

    events_days: _Days | msgspec.UnsetType | None = msgspec.UNSET
    rollups_days: _Days | msgspec.UnsetType | None = msgspec.UNSET


class Times(msgspec.Struct, frozen=True):
    """In days; null is for ever."""

    events_days: int | None
    rollups_days: int | None


class RetentionOut(msgspec.Struct, frozen=True):
    """`own` are the organization's times, null where it takes the plan's; `effective` is what holds.

    `one_of`: of so many calls one is kept, two days after its day; 1 is all of them. Sums are of all calls either way.
    """

    plan: str
    of_plan: Times
    own: Times
    effective: Times
    one_of: int
    held: bool


class HoldCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without a project it is of the whole organization."""

    reason: Name
    project_id: str | None = None


class HoldOut(msgspec.Struct, frozen=True):
    """A legal hold. Times are UTC, milliseconds since the epoch; `released_at_ms` is null while it holds."""

    id: str
    project_id: str | None
    reason: str
    created_by: str
    created_at_ms: int
    released_by: str | None
    released_at_ms: int | None


class ErasureCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`user` is the name as calls bear it: what the key says, or the header `x-lensai-user`."""

    user: Label


class ErasureOut(msgspec.Struct, frozen=True):
    """An erasure; the name is not kept.

    `pending`: not begun. `erasing`: no call is taken in under the name any more, and files are written without it.
    `vacuuming`: no answer has it; old files go when the longest reader has gone. `done`: no file has it, but for
    `unsearched_files`, which nobody can read.
    """

    id: str
    status: ErasureStatus
    requested_by: str
    requested_at_ms: int
    done_at_ms: int | None
    unsearched_files: int
