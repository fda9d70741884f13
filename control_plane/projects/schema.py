"""Owns what the API says of projects."""

import msgspec

from control_plane.api.text import Name


class ProjectCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name


class ProjectEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name | msgspec.UnsetType = msgspec.UNSET


class ProjectOut(msgspec.Struct, frozen=True):
    """A project. Times are UTC, milliseconds since the epoch; `archived_at_ms` is null while its keys work."""

    id: str
    owner_id: str
    name: str
    created_at_ms: int
    archived_at_ms: int | None
