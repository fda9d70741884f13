"""Owns the table of callers' keys. The secret is shown once; its SHA-256 is what is kept."""

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned
from gateway.contract.policy import Mode, OnDisconnect


class ApiKey(Base, OrgOwned, Edited):
    """A key of a project, and what it may be used for; None in a scope is everything."""

    __tablename__ = "api_keys"
    # A page of a list is read in its order, however many keys there are.
    __table_args__ = (Index("ix_api_keys_of_org", "org_id", "id"), Index("ix_api_keys_of_project", "project_id", "id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[Mode]
    on_disconnect: Mapped[OnDisconnect]
    upstreams: Mapped[list[str] | None] = mapped_column(JSON)
    endpoints: Mapped[list[str] | None] = mapped_column(JSON)
    models: Mapped[list[str] | None] = mapped_column(JSON)
    user_id: Mapped[str] = mapped_column(default="")
    team: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[str]]
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    expires_at_s: Mapped[int | None]
    disabled: Mapped[bool] = mapped_column(default=False)
    revoked_at_ms: Mapped[int | None]
    replaced_by: Mapped[str | None]  # the key it was rotated to
    replaces: Mapped[list[str]] = mapped_column(server_default="[]")  # keys that were rotated into it, the first first
    used_at_s: Mapped[int | None]  # told by gateways
