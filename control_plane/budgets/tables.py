"""Owns the tables of limits: budgets in dollars, quotas in any unit, minutes of grace, what gateways counted."""

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned
from gateway.contract.policy import Action, Unit, Window


class Budget(Base, OrgOwned, Edited):
    """So many dollars of a project (None: of the whole organization) in a period."""

    __tablename__ = "budgets"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(default="")
    limit_nanousd: Mapped[int]
    period: Mapped[Window]
    hard_stop: Mapped[bool] = mapped_column(default=True)
    thresholds: Mapped[list[int]]  # percent
    scope: Mapped[dict[str, str]]  # further dimensions: dimension -> value, or "*"
    time_zone: Mapped[str] = mapped_column(default="UTC")
    ceiling_nanousd: Mapped[int | None]
    created_at_ms: Mapped[int]


class Quota(Base, OrgOwned, Edited):
    """A limit in another unit: requests, tokens, calls at a time; or dollars with all that the contract's Quota has."""

    __tablename__ = "quotas"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(default="")
    unit: Mapped[Unit]
    limit_amount: Mapped[int | None]  # nano-USD where the unit is usd, else a count
    window: Mapped[Window]
    action: Mapped[Action]
    thresholds: Mapped[list[int]]
    scope: Mapped[dict[str, str]]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    values_max: Mapped[int] = mapped_column(default=10_000)
    ceiling_nanousd: Mapped[int | None]
    answers_429: Mapped[bool] = mapped_column(default=False)
    created_at_ms: Mapped[int]


class Override(Base, OrgOwned):
    """Minutes of grace for a budget or a quota. Ended ones stay, as history."""

    __tablename__ = "overrides"

    id: Mapped[str] = mapped_column(primary_key=True)
    limited_id: Mapped[str] = mapped_column(index=True)  # a budget's id, or a quota's
    limit_amount: Mapped[int | None]  # None: nothing is refused until then
    until_s: Mapped[int]
    reason: Mapped[str] = mapped_column(default="")
    created_by: Mapped[str]
    created_at_ms: Mapped[int]
    ended_at_ms: Mapped[int | None]


class CounterState(Base):
    """What a node last said of a counter. Where nodes share a ledger, each says the same of all."""

    __tablename__ = "counter_states"

    limited_id: Mapped[str] = mapped_column(primary_key=True)
    counter: Mapped[str] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)  # "" where the ledger is shared
    starts_at_s: Mapped[int]
    ends_at_s: Mapped[int] = mapped_column(index=True)
    settled: Mapped[int]
    held: Mapped[int]
    limit_amount: Mapped[int | None]
    dimensions: Mapped[dict[str, str]]  # those that are counted apart
    reported_at_ms: Mapped[int]
    # What was settled at two moments before, some minutes apart: how fast it grows (publish/reports.py).
    earlier_settled: Mapped[int] = mapped_column(default=0)
    earlier_at_ms: Mapped[int] = mapped_column(default=0)
    later_settled: Mapped[int] = mapped_column(default=0)
    later_at_ms: Mapped[int] = mapped_column(default=0)


class BudgetEvent(Base, OrgOwned):
    """A threshold that was crossed in a window: once, whoever tells of it how often."""

    __tablename__ = "budget_events"
    __table_args__ = (UniqueConstraint("budget_id", "counter", "threshold"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    budget_id: Mapped[str] = mapped_column(index=True)  # a budget's id, or a quota's
    counter: Mapped[str]  # the ledger's name of it, which holds the window
    threshold: Mapped[int]  # percent
    settled: Mapped[int]
    limit_amount: Mapped[int]
    starts_at_s: Mapped[int]
    ends_at_s: Mapped[int]
    fired_at_ms: Mapped[int]
    alerted_at_ms: Mapped[int | None] = mapped_column(index=True)  # when its alerts were made
