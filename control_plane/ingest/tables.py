"""Owns the tables of ingest: the keys that sign batches, and what is redacted before anything is stored."""

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned


class IngestKey(Base, OrgOwned, Edited):
    """A key that signs batches. An HMAC is checked with the secret itself, so that it is sealed and not hashed.

    `sealed` holds one secret or, while a rotation overlaps, two: a line each, the newest first.
    """

    __tablename__ = "ingest_keys"
    __table_args__ = (Index("ix_ingest_keys_of_org", "org_id", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))  # None: any
    name: Mapped[str]
    prefix: Mapped[str]
    sealed: Mapped[str]
    previous_until_ms: Mapped[int | None]  # how long the second secret signs
    events_per_s: Mapped[int]
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    revoked_at_ms: Mapped[int | None]


class Redaction(Base, OrgOwned, Edited):
    """An organization's rules. `sealed` is the key by which its values are hashed, so that equal ones stay equal."""

    __tablename__ = "redactions"
    __table_args__ = (UniqueConstraint("org_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    rules: Mapped[dict[str, Any]]
    sealed: Mapped[str]
