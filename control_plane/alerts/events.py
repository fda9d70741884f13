"""Owns the way from what happened to messages: each threshold and each kill switch once for each rule that wants it.

What happened is marked in the same transaction that puts its messages into the queue: a crash leaves both or neither.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts import queue
from control_plane.alerts.schema import BudgetThreshold, Event, KillSwitchReleased, KillSwitchThrown, Named
from control_plane.alerts.tables import AlertRule, Trigger
from control_plane.api.money import usd
from control_plane.budgets.tables import Budget, BudgetEvent, CounterState, Quota
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.kill_switch.tables import KillSwitch
from control_plane.projects.tables import Project
from gateway.contract.policy import Unit, Window

# Of one transaction; more follow in the next.
BATCH = 100

R = TypeVar("R")


class Limited(NamedTuple):
    """What of a budget or a quota a message says."""

    named: Named
    project_id: str | None
    unit: Unit
    window: Window


async def put_thresholds(database: Database, now_ms: int) -> int:
    """Messages of the thresholds that were crossed; how many crossings there were, at most BATCH."""
    query = select(BudgetEvent).where(BudgetEvent.alerted_at_ms.is_(None)).order_by(BudgetEvent.id)
    async with database.writing(EVERY_ORG) as session:
        events = await _locked(session, query)
        rules = await enabled_rules(session, "threshold", {event.org_id for event in events})
        for event in events:
            limited = await _limited(session, event)
            if limited is not None:
                wanting = _of(rules, event.org_id, limited.project_id, event.threshold)
                await _put(session, wanting, event.id, await _threshold(session, event, limited), now_ms)
            event.alerted_at_ms = now_ms
    return len(events)


async def put_kill_switches(database: Database, now_ms: int) -> int:
    """Messages of the kill switches that were thrown and released; how many changed, at most BATCH."""
    released = and_(KillSwitch.released_at_ms.is_not(None), KillSwitch.release_alerted_at_ms.is_(None))
    query = select(KillSwitch).where(or_(KillSwitch.throw_alerted_at_ms.is_(None), released)).order_by(KillSwitch.id)
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        switches = await _locked(session, query)
        rules = await enabled_rules(session, "kill_switch", {switch.org_id for switch in switches})
        for switch in switches:
            project = await named_project(session, switch.org_id, switch.project_id)
            wanting = list(_of(rules, switch.org_id, switch.project_id))
            if switch.throw_alerted_at_ms is None:
                await _put(session, wanting, f"thrown:{switch.id}", _thrown(switch, project), now_ms)
                switch.throw_alerted_at_ms = now_ms
            if switch.released_at_ms is not None:
                event = _released(switch, project, switch.released_at_ms)
                await _put(session, wanting, f"released:{switch.id}", event, now_ms)
                switch.release_alerted_at_ms = now_ms
    return len(switches)


async def enabled_rules(session: AsyncSession, trigger: Trigger, org_ids: Iterable[str]) -> Sequence[AlertRule]:
    query = select(AlertRule).where(AlertRule.trigger == trigger, AlertRule.enabled, AlertRule.org_id.in_(org_ids))
    return (await session.execute(query)).scalars().all()


async def named_project(session: AsyncSession, org_id: str, project_id: str | None) -> Named | None:
    if project_id is None:
        return None
    query = select(Project.name).where(Project.id == project_id, Project.org_id == org_id)
    return Named(project_id, (await session.execute(query)).scalar_one_or_none() or "")


async def _locked(session: AsyncSession, query: Select[R]) -> Sequence[R]:
    """Rows that no other process works on."""
    return (await session.execute(query.limit(BATCH).with_for_update(skip_locked=True))).scalars().all()


def _of(
    rules: Iterable[AlertRule], org_id: str, project_id: str | None, threshold: int | None = None
) -> Iterable[AlertRule]:
    """The rules that want it: of its organization, of its project or of all, of its percent or of all."""
    for rule in rules:
        its_project = rule.project_id is None or rule.project_id == project_id
        its_percent = threshold is None or not rule.thresholds or threshold in rule.thresholds
        if rule.org_id == org_id and its_project and its_percent:
            yield rule


async def _put(session: AsyncSession, rules: Iterable[AlertRule], key: str, event: Event, now_ms: int) -> None:
    for rule in rules:
        await queue.put(session, rule, key, event, now_ms)


async def _limited(session: AsyncSession, event: BudgetEvent) -> Limited | None:
    """None if it was deleted before anybody was told: then there is nobody to tell."""
    budgets = select(Budget).where(Budget.id == event.budget_id, Budget.org_id == event.org_id)
    budget = (await session.execute(budgets)).scalar_one_or_none()
    if budget is not None:
        return Limited(Named(budget.id, budget.name), budget.project_id, "usd", budget.period)
    quotas = select(Quota).where(Quota.id == event.budget_id, Quota.org_id == event.org_id)
    quota = (await session.execute(quotas)).scalar_one_or_none()
    return Limited(Named(quota.id, quota.name), quota.project_id, quota.unit, quota.window) if quota else None


async def _threshold(session: AsyncSession, event: BudgetEvent, limited: Limited) -> BudgetThreshold:
    shown = usd if limited.unit == "usd" else str
    counters = select(CounterState.dimensions).where(
        CounterState.limited_id == event.budget_id, CounterState.counter == event.counter
    )
    return BudgetThreshold(
        project=await named_project(session, event.org_id, limited.project_id),
        at_ms=event.fired_at_ms,
        limited=limited.named,
        unit=limited.unit,
        spent=shown(event.settled),
        limit=shown(event.limit_amount),
        percent=event.settled * 100 // event.limit_amount if event.limit_amount else event.threshold,
        threshold=event.threshold,
        window=limited.window,
        starts_at_s=event.starts_at_s,
        ends_at_s=event.ends_at_s,
        dimensions=(await session.execute(counters.limit(1))).scalar_one_or_none() or {},
    )


def _thrown(switch: KillSwitch, project: Named | None) -> KillSwitchThrown:
    return KillSwitchThrown(
        project=project,
        at_ms=switch.activated_at_ms,
        kill_switch_id=switch.id,
        reason=switch.reason,
        by=switch.activated_by,
        scope=switch.scope,
    )


def _released(switch: KillSwitch, project: Named | None, at_ms: int) -> KillSwitchReleased:
    return KillSwitchReleased(
        project=project,
        at_ms=at_ms,
        kill_switch_id=switch.id,
        reason=switch.reason,
        by=switch.released_by or "",
        scope=switch.scope,
    )
