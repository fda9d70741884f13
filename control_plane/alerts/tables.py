"""Owns the tables of alerts: rules, and every alert that was sent, is to be sent again, or was given up."""

from typing import Any, Literal

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from control_plane.db.base import Base, Edited, OrgOwned

Channel = Literal["slack", "slack_webhook", "email", "webhook"]
Trigger = Literal["threshold", "anomaly", "kill_switch"]
State = Literal["due", "sending", "sent", "dead"]


class AlertRule(Base, OrgOwned, Edited):
    """Tells somebody when something happens. `target` is sealed: webhook addresses are secrets."""

    __tablename__ = "alert_rules"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    trigger: Mapped[Trigger]
    thresholds: Mapped[list[int]]  # percent; [] is all of the budget's
    channel: Mapped[Channel]
    sealed_target: Mapped[str]  # a JSON object, by channel: channel id and token, address, URL and signing secret
    target_hint: Mapped[str]  # what may be shown of it
    settings: Mapped[dict[str, Any]]  # of the trigger, such as an anomaly's factor
    enabled: Mapped[bool] = mapped_column(default=True)
    created_at_ms: Mapped[int]


class Alert(Base, OrgOwned):
    """One message to one target. `key` is what makes it one: rule, event and window."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("rule_id", "key"), Index("ix_alerts_due", "state", "due_at_ms"))

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str | None] = mapped_column(index=True)
    rule_id: Mapped[str] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"))
    key: Mapped[str]
    channel: Mapped[Channel]
    payload: Mapped[dict[str, Any]]
    state: Mapped[State]
    attempts: Mapped[int] = mapped_column(default=0)
    due_at_ms: Mapped[int]
    last_error: Mapped[str] = mapped_column(default="")
    created_at_ms: Mapped[int]
    sent_at_ms: Mapped[int | None]


class SpendHour(Base, OrgOwned):
    """What a budget's counters grew by in an hour, for anomaly rules; None where nobody looked often enough."""

    __tablename__ = "spend_hours"

    budget_id: Mapped[str] = mapped_column(primary_key=True)
    hour_s: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    spent_nanousd: Mapped[int | None]
    starts_at_s: Mapped[int]  # of the window that was looked at last, what stood in it, and when
    settled_nanousd: Mapped[int]
    sampled_at_ms: Mapped[int]
