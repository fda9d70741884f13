"""Owns the tables of retention: an organization's own times, holds, and erasures of its users."""

from typing import Literal

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned

ErasureStatus = Literal["pending", "erasing", "vacuuming", "done"]


class RetentionSetting(Base, OrgOwned, Edited):
    """Shorter times than the plan's; None is the plan's."""

    __tablename__ = "retention_settings"
    __table_args__ = (UniqueConstraint("org_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    events_days: Mapped[int | None]
    rollups_days: Mapped[int | None]


class LegalHold(Base, OrgOwned):
    """While it is not released, nothing of the organization, or of the project, is deleted or erased."""

    __tablename__ = "legal_holds"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    reason: Mapped[str]
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    released_by: Mapped[str | None]
    released_at_ms: Mapped[int | None]


class ErasureRequest(Base, OrgOwned):
    """Somebody who is to be forgotten. The name itself is kept nowhere: a salted hash finds the calls."""

    __tablename__ = "erasure_requests"

    id: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[str]
    sha256: Mapped[str]
    status: Mapped[ErasureStatus] = mapped_column(index=True)
    requested_by: Mapped[str]
    requested_at_ms: Mapped[int]
    ordered_at_ms: Mapped[int | None]  # from then on no commit takes a call in under the name
    rewritten_at_ms: Mapped[int | None]  # when a file was last written without it
    done_at_ms: Mapped[int | None]
    unsearched_files: Mapped[int]  # raw files that nobody can read or trusts, when it was last looked
