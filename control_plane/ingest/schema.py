"""Owns what the API says of ingest keys and of redaction."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from control_plane.api.text import Id, Name
from control_plane.ingest.redact import Rules

# As for callers' keys: a month is enough to change a secret wherever it is.
OVERLAP_MINUTES_MAX = 31 * 24 * 60
# A thousand requests a second of some events each; whoever reports more than that has a gateway.
EVENTS_PER_S_DEFAULT, EVENTS_PER_S_MAX = 5_000, 100_000

EventsPerSecond = Annotated[
    int,
    Meta(ge=1, le=EVENTS_PER_S_MAX, description="Events that it may report a second, in each process", examples=[5000]),
]


class IngestKeyCreate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`project_id` null: the key reports for every project of the organization, and each event names its own."""

    name: Name
    project_id: Id | None = None
    events_per_s: EventsPerSecond = EVENTS_PER_S_DEFAULT


class IngestKeyEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    events_per_s: EventsPerSecond | UnsetType = UNSET


class IngestKeyRotate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`overlap_minutes`: how long the old secret still signs beside the new one; 0 ends it at once."""

    overlap_minutes: Annotated[int, Meta(ge=0, le=OVERLAP_MINUTES_MAX, examples=[60])] = 0


class IngestKeyOut(msgspec.Struct, frozen=True, kw_only=True):
    """An ingest key without its secret. `id` is what a sender puts into `x-lensai-key-id`."""

    id: str
    project_id: str | None
    name: str
    prefix: str
    events_per_s: int
    created_by: str
    created_at_ms: int
    previous_until_ms: int | None
    revoked_at_ms: int | None


class IngestKeyWithSecret(IngestKeyOut, frozen=True, kw_only=True):
    """`secret` is what batches are signed with (`lis_…`), all of it. It is shown here and never again."""

    secret: str


class RedactionOut(msgspec.Struct, frozen=True):
    """The rules that hold for what is reported from now on; what was stored before stays as it is."""

    rules: Rules
    updated_at_ms: int | None
