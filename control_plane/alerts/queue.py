"""Owns the queue of messages, which is a table: put once, claimed by one sender at a time, sent, put off or given up.

A claim is a lease: `due_at_ms` of what is being sent is when another sender may take it over. So a message may be sent
twice, by a sender that dies after it sent; it is never lost, and its id is the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts.schema import Event, Outcome
from control_plane.alerts.tables import Alert, AlertRule
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id

# Longer than the slowest attempt: a question to the lake, then a target that is silent until the end of its time.
LEASE_MS = 60_000
# The twelfth comes about three hours after the first; who was down for longer reads the list of dead ones.
ATTEMPTS_MAX = 12
BACKOFF_MS_MIN, BACKOFF_MS_MAX = 5_000, 2 * 3_600_000
# However long a target asks to be left alone.
RETRY_AFTER_MS_MAX = 86_400_000
REASON_CHARS_MAX = 200
_ABANDONED = "every sender ended before it was answered"


class Claim(NamedTuple):
    """A message that is this sender's for a while. `attempt` counts from 1 and tells the claims of one apart."""

    id: str
    org_id: str
    attempt: int
    event: Event
    rule_id: str
    sealed_target: str
    enabled: bool


async def put(session: AsyncSession, rule: AlertRule, key: str, event: Event, now_ms: int) -> None:
    """A message of a rule, due at once. `key` names what happened: a second one of it is none."""
    row = {
        "id": new_id("alr", now_ms),
        "org_id": rule.org_id,
        "project_id": event.project.id if event.project else None,
        "rule_id": rule.id,
        "key": key,
        "channel": rule.channel,
        "payload": msgspec.to_builtins(event),
        "state": "due",
        "attempts": 0,
        "due_at_ms": now_ms,
        "last_error": "",
        "created_at_ms": now_ms,
    }
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    await session.execute(dialect.insert(Alert).values(row).on_conflict_do_nothing())


async def claim(database: Database, now_ms: int, limit: int) -> Sequence[Claim]:
    """Messages that are due, and those whose sender is gone; what was tried too often is given up instead.

    The first of each organization stand before the second of any: whose targets do not answer holds up nobody else's.
    """
    due = (Alert.state.in_(("due", "sending")), Alert.due_at_ms <= now_ms)
    place = func.row_number().over(partition_by=Alert.org_id, order_by=Alert.due_at_ms)
    turns = select(Alert.id, place.label("place")).where(*due).subquery()
    query = (
        select(Alert)
        .join(turns, turns.c.id == Alert.id)
        .where(*due)  # of the row as it is when it is claimed
        .order_by(turns.c.place, Alert.due_at_ms)
        .limit(limit)
        # PostgreSQL passes by what another sender claims just now; SQLite has one writer at a time.
        .with_for_update(of=Alert, skip_locked=True)
    )
    async with database.writing(EVERY_ORG) as session:
        alerts = (await session.execute(query)).scalars().all()
        found = await session.execute(select(AlertRule).where(AlertRule.id.in_({alert.rule_id for alert in alerts})))
        rules = {rule.id: rule for rule in found.scalars()}
        return [_taken(alert, rules[alert.rule_id], now_ms) for alert in alerts if not _given_up(alert)]


def _given_up(alert: Alert) -> bool:
    if alert.attempts >= ATTEMPTS_MAX:
        alert.state, alert.last_error = "dead", alert.last_error or _ABANDONED
    return alert.state == "dead"


def _taken(alert: Alert, rule: AlertRule, now_ms: int) -> Claim:
    alert.state, alert.attempts, alert.due_at_ms = "sending", alert.attempts + 1, now_ms + LEASE_MS
    event = msgspec.convert(alert.payload, Event)
    return Claim(alert.id, alert.org_id, alert.attempts, event, rule.id, rule.sealed_target, rule.enabled)


async def finish(database: Database, claimed: Claim, outcome: Outcome, now_ms: int, jitter: float) -> bool:
    """Writes down what became of an attempt, and what was sent. False if another sender took it over meanwhile.

    `jitter` is a random number from 0 to 1.
    """
    # Who claimed it later counts; the attempt's number tells whether that is still this one.
    mine = (Alert.id == claimed.id, Alert.state == "sending", Alert.attempts == claimed.attempt)
    values = {"payload": msgspec.to_builtins(claimed.event), "last_error": outcome.reason[:REASON_CHARS_MAX]}
    if outcome.delivered:
        values |= {"state": "sent", "sent_at_ms": now_ms}
    elif outcome.is_final or claimed.attempt >= ATTEMPTS_MAX:
        values |= {"state": "dead"}
    else:
        wait_ms = backoff_ms(claimed.attempt, outcome.retry_after_s, jitter)
        values |= {"state": "due", "due_at_ms": now_ms + wait_ms}
    async with database.writing(EVERY_ORG) as session:
        done = await session.execute(update(Alert).where(*mine).values(values).returning(Alert.id))
        return done.one_or_none() is not None


def backoff_ms(attempt: int, retry_after_s: float | None, jitter: float) -> int:
    """How long to wait after an attempt: twice as long each time, half of it by chance; no less than was asked for."""
    longest_ms = min(BACKOFF_MS_MIN * 2 ** (attempt - 1), BACKOFF_MS_MAX)
    asked_ms = min(int((retry_after_s or 0) * 1000), RETRY_AFTER_MS_MAX)
    return max(int(longest_ms * (0.5 + jitter / 2)), asked_ms)
