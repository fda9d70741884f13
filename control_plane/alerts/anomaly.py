"""Owns anomaly rules: what a budget's counters grew by in each hour, and whether this hour is unusual.

The history is what gateways reported of budgets in dollars; a project without a budget has none. Counters are looked at
every minute. An hour in which nobody looked for a while is unknown: it neither alerts nor says what is usual.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts import queue
from control_plane.alerts.events import enabled_rules, named_project
from control_plane.alerts.schema import SpendAnomaly
from control_plane.alerts.tables import AlertRule, SpendHour
from control_plane.api.money import usd
from control_plane.budgets.tables import Budget, CounterState
from control_plane.db.engine import EVERY_ORG, Database
from gateway.ledger.window import Period, period

HOUR_S = 3600
# The same hour of so many days before, and how many of them must be known.
DAYS, DAYS_MIN = 7, 3
# Otherwise the hours before this one, and how many of them must be known.
HOURS, HOURS_MIN = 24, 6
# What grew in a longer gap between two looks may belong to another hour.
GAP_MS_MAX = 10 * 60_000
KEPT_S = (DAYS + 1) * 24 * HOUR_S


class Usual(NamedTuple):
    """The mean of so many hours."""

    nanousd: int
    hours: int


class Spent(NamedTuple):
    """What stands in a budget's counter now, in the window that began then."""

    starts_at_s: int
    settled_nanousd: int


async def judge(database: Database, now_ms: int) -> None:
    """Looks at all budgets that a rule watches, and puts a message for each unusual hour, once for each rule."""
    watched = select(AlertRule.org_id).where(AlertRule.trigger == "anomaly", AlertRule.enabled).distinct()
    async with database.reading(EVERY_ORG) as session:
        org_ids = (await session.execute(watched)).scalars().all()
    for org_id in org_ids:
        # One transaction each: other writers have their turn in between.
        async with database.writing(EVERY_ORG) as session:
            await _judge_all(session, org_id, now_ms)
    async with database.writing(EVERY_ORG) as session:
        await session.execute(delete(SpendHour).where(SpendHour.hour_s < now_ms // 1000 - KEPT_S))


async def _judge_all(session: AsyncSession, org_id: str, now_ms: int) -> None:
    rules = await enabled_rules(session, "anomaly", [org_id])
    budgets = await _budgets(session, org_id)
    standing = await _standing(session, budgets, now_ms // 1000)
    for budget in budgets:
        if budget.id in standing:
            hours = await _hours(session, budget.id)
            this = sample(session, budget, standing[budget.id], hours, now_ms)
            await _judge(session, rules, budget, this, hours, now_ms)


def sample(session: AsyncSession, budget: Budget, now: Spent, hours: Mapping[int, SpendHour], now_ms: int) -> SpendHour:
    """This hour's row of a budget with what was added since the last look."""
    hour_s = now_ms // 1000 // HOUR_S * HOUR_S
    last = hours[max(hours)] if hours else None
    row = hours.get(hour_s)
    if row is None:
        row = SpendHour(budget_id=budget.id, org_id=budget.org_id, hour_s=hour_s, spent_nanousd=0)
        session.add(row)
    grown = _grown(last, now, now_ms)
    # Nothing is taken back within a window: less is a node that is not heard of, and will be again.
    settled = max(now.settled_nanousd, _before(last, now))
    row.spent_nanousd = None if grown is None or row.spent_nanousd is None else row.spent_nanousd + grown
    row.starts_at_s, row.settled_nanousd, row.sampled_at_ms = now.starts_at_s, settled, now_ms
    return row


def _grown(last: SpendHour | None, now: Spent, now_ms: int) -> int | None:
    """None where it is unknown when it grew."""
    if last is None or now_ms - last.sampled_at_ms > GAP_MS_MAX:
        return None
    return max(0, now.settled_nanousd - _before(last, now))


def _before(last: SpendHour | None, now: Spent) -> int:
    """What stood in the window at the last look: a new one began at zero."""
    return last.settled_nanousd if last is not None and last.starts_at_s == now.starts_at_s else 0


def usual(hour_s: int, hours: Mapping[int, SpendHour]) -> Usual | None:
    """What hours before this one cost, at this time of day or within a day; None: too few of them are known."""
    same = [hour_s - day * 24 * HOUR_S for day in range(1, DAYS + 1)]
    before = [hour_s - hour * HOUR_S for hour in range(1, HOURS + 1)]
    for wanted, least in ((same, DAYS_MIN), (before, HOURS_MIN)):
        known = [spent for at_s in wanted if at_s in hours and (spent := hours[at_s].spent_nanousd) is not None]
        if len(known) >= least:
            return Usual(sum(known) // len(known), len(known))
    return None


async def _judge(
    session: AsyncSession,
    rules: Sequence[AlertRule],
    budget: Budget,
    this: SpendHour,
    hours: Mapping[int, SpendHour],
    now_ms: int,
) -> None:
    spent, mean = this.spent_nanousd, usual(this.hour_s, hours)
    if spent is None or mean is None:
        return
    for rule in rules:
        factor, floor_nanousd = float(rule.settings["factor"]), int(rule.settings["floor_nanousd"])
        mine = rule.project_id in (None, budget.project_id)
        if not mine or spent < floor_nanousd or spent < factor * mean.nanousd:
            continue
        event = SpendAnomaly(
            project=await named_project(session, budget.org_id, budget.project_id),
            at_ms=now_ms,
            spent_usd=usd(spent),
            usual_usd=usd(mean.nanousd),
            compared_hours=mean.hours,
            factor=factor,
            starts_at_s=this.hour_s,
            ends_at_s=this.hour_s + HOUR_S,
        )
        # Two budgets of a project see the same spend: one message.
        await queue.put(session, rule, f"anomaly:{budget.project_id or ''}:{this.hour_s}", event, now_ms)


async def _budgets(session: AsyncSession, org_id: str) -> list[Budget]:
    """Those that count all of a project or an organization; a minute's is over before it is looked at again."""
    found = await session.execute(select(Budget).where(Budget.org_id == org_id).order_by(Budget.id))
    return [budget for budget in found.scalars() if not budget.scope and budget.period != "minute"]


async def _standing(session: AsyncSession, budgets: Sequence[Budget], now_s: int) -> Mapping[str, Spent]:
    """By budget, in its window of now; what nodes count apart is added up.

    By the ledger's name of it: where the period was changed, the counter of the one before goes on for a while.
    """
    windows: dict[str, Period] = {budget.id: period(budget.period, budget.time_zone, now_s) for budget in budgets}
    names = [f"{id}@{window.name}" for id, window in windows.items()]
    query = (
        select(CounterState.limited_id, func.sum(CounterState.settled))
        .where(CounterState.limited_id.in_(list(windows)), CounterState.counter.in_(names))
        .group_by(CounterState.limited_id)
    )
    rows = (await session.execute(query)).all()
    return {limited_id: Spent(windows[limited_id].starts_at_s, int(settled)) for limited_id, settled in rows}


async def _hours(session: AsyncSession, budget_id: str) -> dict[int, SpendHour]:
    found = await session.execute(select(SpendHour).where(SpendHour.budget_id == budget_id))
    return {row.hour_s: row for row in found.scalars()}
