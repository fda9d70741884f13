"""Owns the tables of what gateways are told: the latest state of every item, and the version they share."""

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base


class PolicyVersion(Base):
    """One row. A change takes the next version and holds the row until it commits, so versions appear in order."""

    __tablename__ = "policy_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    pruned: Mapped[int]  # items gone before this version are forgotten: who knows an older one is told everything


class PolicyItem(Base):
    """The latest state of one item; `body` is its JSON (a credential's secret stays sealed in it); None: it is gone."""

    __tablename__ = "policy_items"

    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(index=True)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    changed_at_ms: Mapped[int]


class GatewayNode(Base):
    """A worker of a gateway that reported."""

    __tablename__ = "gateway_nodes"

    node: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[str]
    policy_version: Mapped[int]
    inflight: Mapped[int]
    inflight_by_project: Mapped[dict[str, int]]
    shared: Mapped[bool]
    seen_at_ms: Mapped[int]
