"""Owns ids: a prefix that says what a thing is, and a ULID, so that they sort by when they were made."""

from ulid import ULID


def new_id(prefix: str, now_ms: int) -> str:
    """Such as `prj_01k4…`; 80 random bits. `now_ms` is UTC, milliseconds since the epoch."""
    return f"{prefix}_{str(ULID.from_timestamp(now_ms / 1000)).lower()}"
