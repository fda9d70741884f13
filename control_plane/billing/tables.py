"""Owns the tables of what an organization pays for LensAI itself."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, OrgOwned


class BillingCustomer(Base, OrgOwned):
    __tablename__ = "billing_customers"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    stripe_customer_id: Mapped[str] = mapped_column(unique=True)
    plan: Mapped[str]
    status: Mapped[str]


class Subscription(Base, OrgOwned):
    __tablename__ = "subscriptions"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    stripe_sub_id: Mapped[str] = mapped_column(unique=True)
    seats: Mapped[int]
    created_at_ms: Mapped[int]
