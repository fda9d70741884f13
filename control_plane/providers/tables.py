"""Owns the tables of providers: credentials (sealed), upstreams with their deployment maps, price overrides."""

from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned


class ProviderCredential(Base, OrgOwned, Edited):
    """A provider's secret, sealed with the keyring for this row's id. Never returned."""

    __tablename__ = "provider_credentials"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    provider: Mapped[str]
    sealed: Mapped[str]
    hint: Mapped[str]  # its last four characters
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    rotated_at_ms: Mapped[int | None]


class Upstream(Base, OrgOwned, Edited):
    """Where calls under `/<name>/…` go for this organization. `options`: further fields of the contract's Upstream."""

    __tablename__ = "upstreams"
    __table_args__ = (UniqueConstraint("org_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    provider: Mapped[str]
    origin: Mapped[str]
    base_path: Mapped[str] = mapped_column(default="")
    credential_id: Mapped[str | None] = mapped_column(ForeignKey("provider_credentials.id", ondelete="RESTRICT"))
    models: Mapped[dict[str, str]]  # deployment or alias -> priced model
    options: Mapped[dict[str, Any]]
    created_at_ms: Mapped[int]


class PriceOverride(Base, OrgOwned, Edited):
    """A negotiated or self-hosted price."""

    __tablename__ = "price_overrides"

    id: Mapped[str] = mapped_column(primary_key=True)
    upstream: Mapped[str]  # a name, or "*"
    model: Mapped[str]  # a model, or "*"
    rates: Mapped[dict[str, str]]  # usage bucket -> USD per million, a decimal
    multiplier: Mapped[str] = mapped_column(default="")
    starts_at_s: Mapped[int | None]
    ends_at_s: Mapped[int | None]
    created_at_ms: Mapped[int]
