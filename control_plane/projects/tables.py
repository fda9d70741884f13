"""Owns the table of projects: what keys, budgets and costs belong to."""

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned


class Project(Base, OrgOwned, Edited):
    """`archived_at_ms`: its keys work no more; what it cost stays."""

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str]  # who made it: a user or a token
    name: Mapped[str]
    created_at_ms: Mapped[int]
    archived_at_ms: Mapped[int | None]
