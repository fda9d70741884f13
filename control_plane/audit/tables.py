"""Owns the tables of the audit log: entries, which are only ever added, and the head of each organization's chain."""

from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, OrgOwned


class AuditLog(Base, OrgOwned):
    __tablename__ = "audit_logs"
    __table_args__ = (Index("ix_audit_logs_chain", "org_id", "number", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    at_ms: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(index=True)
    meta: Mapped[dict[str, Any]]
    previous_hash: Mapped[str]
    hash: Mapped[str]


class AuditHead(Base):
    """The last entry of a chain. Its row is locked while an entry is added, so that a chain never forks."""

    __tablename__ = "audit_heads"

    org_id: Mapped[str] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str]
