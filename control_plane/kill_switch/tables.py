"""Owns the table of kill switches. A released one stays, as history."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, OrgOwned


class KillSwitch(Base, OrgOwned):
    """Ends the calls of a project (None: of the whole organization), or of a narrower scope."""

    __tablename__ = "kill_switch"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    scope: Mapped[dict[str, str]]  # further dimensions
    active: Mapped[bool] = mapped_column(index=True)
    reason: Mapped[str]
    allow: Mapped[list[str]]  # endpoints that stay open
    activated_by: Mapped[str]
    activated_at_ms: Mapped[int]
    released_by: Mapped[str | None]
    released_at_ms: Mapped[int | None]
    throw_alerted_at_ms: Mapped[int | None]  # when its alerts were made
    release_alerted_at_ms: Mapped[int | None]
