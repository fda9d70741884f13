"""Owns what the API says of the audit log."""

from typing import Any

import msgspec

from control_plane.audit.chain import Broken


class AuditOut(msgspec.Struct, frozen=True):
    """One action. `number` counts from 1 without a gap; `meta` holds what was before and after, secrets masked."""

    id: str
    number: int
    at_ms: int
    actor: str
    action: str
    subject: str
    meta: dict[str, Any]
    previous_hash: str
    hash: str


class Checked(msgspec.Struct, frozen=True):
    """What walking the chain found: `broken` is the first link that does not hold, null where all do."""

    entries: int
    last_hash: str
    broken: Broken | None
