"""Owns the tables of reconciliation: what was imported, the lines of it, and what its names of models mean.

In the database and not in the lake: a month comes to some thousand lines, an import replaces the days of the one before
in the same transaction as its audit entry, and a session sees its organization's alone.
"""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, OrgOwned


class ProviderImport(Base, OrgOwned):
    """An export that was taken. Days are ISO dates, both included; later imports may have replaced some of them."""

    __tablename__ = "provider_imports"

    id: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str]
    from_day: Mapped[str]
    to_day: Mapped[str]
    line_count: Mapped[int]
    cost_nanousd: Mapped[int | None]  # of all its lines; None where it says none in dollars
    sha256: Mapped[str]  # of what was taken
    origin: Mapped[str]  # "file" or "api"
    taken_at_ms: Mapped[int]  # when the provider said so, as far as is known
    created_by: Mapped[str]
    created_at_ms: Mapped[int]


class ProviderLine(Base, OrgOwned):
    """One number of a provider's account; a day without any has a line of the measure `none`, so that it is covered."""

    __tablename__ = "provider_lines"
    __table_args__ = (Index("ix_provider_lines_days", "org_id", "source", "day"),)

    import_id: Mapped[str] = mapped_column(ForeignKey("provider_imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str]
    day: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    meter: Mapped[str]
    measure: Mapped[str]
    quantity: Mapped[int | None]
    cost_nanousd: Mapped[int | None]
    currency: Mapped[str]


class ModelMapping(Base, OrgOwned):
    """A name on a provider's bill and the model of ours that it means, as somebody who knows both wrote it down."""

    __tablename__ = "model_mappings"
    __table_args__ = (UniqueConstraint("org_id", "provider", "billed"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    provider: Mapped[str]
    billed: Mapped[str]  # as it is compared: in lower case
    model: Mapped[str]
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
