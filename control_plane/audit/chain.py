"""Owns the chain: the hash of an audit entry over what it says and over the entry before it. Pure.

An edit, a gap or a swap changes a hash that a later entry holds; the first broken link is found by walking.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

# Before the first entry of an organization.
GENESIS = "0" * 64


class Entry(msgspec.Struct, frozen=True):
    """One action as it was. `meta` holds `before` and `after`, secrets masked."""

    org_id: str
    number: int  # from 1, without a gap
    at_ms: int
    actor: str  # `user:usr_…`, `token:tok_…`, `system:…`
    action: str  # `project:create`
    subject: str  # `project:prj_…`
    meta: dict[str, Any]
    previous_hash: str
    hash: str = ""


class Broken(msgspec.Struct, frozen=True):
    """The first link that does not hold, and why."""

    number: int
    reason: str


_canonical = msgspec.json.Encoder(order="sorted")


def link_hash(entry: Entry) -> str:
    """SHA-256, lower-case hex, over all fields but the hash itself, as JSON with sorted keys."""
    return hashlib.sha256(_canonical.encode(msgspec.structs.replace(entry, hash=""))).hexdigest()


def verify(entries: Iterable[Entry], after: int = 0, previous_hash: str = GENESIS) -> Broken | None:
    """The first broken link of entries in order of number, which follow the entry `after` with its hash."""
    for entry in entries:
        if entry.number != after + 1:
            return Broken(after + 1, f"entry {after + 1} is missing: the next is {entry.number}")
        if entry.previous_hash != previous_hash:
            return Broken(entry.number, "it does not follow the entry before it")
        if entry.hash != link_hash(entry):
            return Broken(entry.number, "it was changed after it was written")
        after, previous_hash = entry.number, entry.hash
    return None
