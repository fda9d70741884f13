"""Owns the rows of the demo company in the database, made by the features' own services: audited and published.

What is there by its name is left as it is, so that doing it twice does nothing the second time.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.alerts import service as alerts
from control_plane.alerts.schema import AlertRuleCreate, Anomaly, EmailTarget
from control_plane.alerts.tables import AlertRule, Trigger
from control_plane.api.money import usd
from control_plane.audit.service import record
from control_plane.auth import members
from control_plane.auth.principal import Principal
from control_plane.auth.roles import Role
from control_plane.auth.tables import Membership, Organization, User
from control_plane.budgets import quota_service
from control_plane.budgets import service as budgets
from control_plane.budgets.schema import BudgetCreate, QuotaCreate
from control_plane.budgets.tables import Budget, Quota
from control_plane.cli.operator import Operator, Refused
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG
from control_plane.db.ids import new_id
from control_plane.keys import service as keys
from control_plane.keys.schema import KeyCreate
from control_plane.keys.tables import ApiKey
from control_plane.kill_switch import service as kill_switch
from control_plane.kill_switch.schema import KillSwitchRelease, KillSwitchTrigger
from control_plane.kill_switch.tables import KillSwitch
from control_plane.lake.seed.generate import Generator, Places
from control_plane.lake.seed.rates import OWN, OWN_RATES
from control_plane.lake.seed.story import DAY_S, Plan, Story
from control_plane.lake.seed.world import DOMAIN, KEYS, PROJECTS, SOURCES
from control_plane.projects import service as projects
from control_plane.projects.schema import ProjectCreate
from control_plane.projects.tables import Project
from control_plane.providers import service as providers
from control_plane.providers.schema import PriceCreate
from control_plane.providers.tables import PriceOverride
from control_plane.publish import reports
from control_plane.work import Work
from gateway.contract.publishing import CounterState, Crossing, Report
from gateway.ledger.window import Period, period

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("priya.raman", "Priya Raman", "admin"),
    ("jonas.weber", "Jonas Weber", "developer"),
    ("maya.costa", "Maya Costa", "developer"),
    ("tom.okafor", "Tom Okafor", "viewer"),
    ("lena.fischer", "Lena Fischer", "billing"),
)
KILL_REASON = "Nightly agent calls itself in circles"
# What a month comes to of its budget if it goes on so; Marketing studio's own is spent (story.py).
_EXPECTED: Mapping[str, float] = {
    "support": 0.7, "shop": 0.55, "coding": 0.93, "documents": 0.8, "copilot": 0.62, "research": 1.15,
}  # fmt: skip
_NODE = "seed"


class _Counted(NamedTuple):
    budget: Budget
    project: str


async def settle_in(operator: Operator, plan: Plan) -> Places:
    """The ids of the company's projects and keys, in the oldest organization; made where they are missing."""
    org_id = await _organization(operator)
    async with operator.database.writing(org_id) as session:
        work = _work(operator, session, org_id, plan.from_s)
        project_ids = {handle: await _project(work, name) for handle, name in PROJECTS.items()}
        key_ids = {key.name: await _key(work, project_ids, key.name) for key in KEYS}
        for person in PEOPLE:
            await _member(work, *person)
    return Places(org_id, project_ids, key_ids)


async def is_here(operator: Operator, places: Places) -> bool:
    """Whether the database has the projects that the lake's events are of."""
    ids = list(places.projects.values())
    async with operator.database.reading(EVERY_ORG) as session:
        found = (await session.execute(select(Project.id).where(Project.id.in_(ids)))).scalars().all()
    return set(found) == set(ids)


async def tell_the_story(operator: Operator, plan: Plan, places: Places, generator: Generator) -> None:
    """Budgets, limits, prices, alert rules, a kill switch's history, and how the budgets stand."""
    story = generator.story
    async with operator.database.writing(places.org_id) as session:
        begin = _work(operator, session, places.org_id, plan.from_s)
        counted = [_Counted(await _budget(begin, plan, places, generator, handle), handle) for handle in PROJECTS]
        await _limits(begin, places)
        await _price(_work(operator, session, places.org_id, story.unpriced.to_s))
        await _alert_rules(begin, places)
        await _kill_switch(operator, session, places, plan, story)
        await session.flush()
        report = _report(plan, generator, counted)
        await reports.take(session, report, _NODE, now_ms())


async def _organization(operator: Operator) -> str:
    async with operator.database.reading(EVERY_ORG) as session:
        query = select(Organization.id).order_by(Organization.created_at_ms, Organization.id).limit(1)
        found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise Refused("there is no organization yet; start the control plane once (`lensai up`)")
    return found


def _work(operator: Operator, session: AsyncSession, org_id: str, at_s: int) -> Work:
    """Of somebody at the shell, as if it were then; never in the future."""
    session.info["now_ms"] = now_ms()
    principal = Principal("system", "seed", "seed", org_id, "owner")
    return Work(session, principal, min(at_s * 1000, now_ms()), operator.rings.secrets, operator.settings)


async def _project(work: Work, name: str) -> str:
    query = select(Project.id).where(Project.name == name)
    found = (await work.session.execute(query)).scalar_one_or_none()
    return found or (await projects.create(work, ProjectCreate(name))).id


async def _key(work: Work, project_ids: Mapping[str, str], name: str) -> str:
    """A key whose secret nobody has."""
    key = next(key for key in KEYS if key.name == name)
    source = SOURCES[key.source]
    project_id = project_ids[source.project]
    query = select(ApiKey.id).where(ApiKey.project_id == project_id, ApiKey.name == name).limit(1)
    found = (await work.session.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    wanted = KeyCreate(
        project_id, name, on_disconnect="cancel" if key.cancels else "drain", team=source.team, tags=list(key.tags)
    )
    return (await keys.create(work, wanted)).key.id


async def _member(work: Work, local: str, name: str, role: Role) -> None:
    """Without an invitation: nobody reads the mails of a made-up address."""
    email = f"{local}@{DOMAIN}"
    user = (await work.session.execute(select(User).where(User.email == email))).scalar_one_or_none()
    if user is None:
        user = User(id=new_id("usr", work.now_ms), email=email, name=name, created_at_ms=work.now_ms)
        work.session.add(user)
        await work.session.flush()
    there = select(Membership.id).where(Membership.user_id == user.id)
    if (await work.session.execute(there)).first() is not None:
        return
    member = Membership(
        id=new_id("mem", work.now_ms),
        org_id=work.org_id,
        user_id=user.id,
        role=role,
        created_at_ms=work.now_ms,
        user=user,
    )
    work.session.add(member)
    await record(work, "member:create", f"member:{member.id}", after=members.render(member))


async def _budget(work: Work, plan: Plan, places: Places, generator: Generator, handle: str) -> Budget:
    name = f"{PROJECTS[handle]}, monthly"
    found = (await work.session.execute(select(Budget).where(Budget.name == name).limit(1))).scalar_one_or_none()
    if found is not None:
        return found
    limit_nanousd = generator.limit_nanousd
    if handle != "marketing":
        # Of the last thirty days, so that the first of a month has budgets too.
        month = generator.spent(handle, plan.now_s - min(30, plan.days) * DAY_S, plan.now_s) * 30 // min(30, plan.days)
        limit_nanousd = _round(round(month / _EXPECTED[handle]))
    wanted = BudgetCreate(
        usd(limit_nanousd), places.projects[handle], hard_stop=handle in ("marketing", "shop"), name=name
    )
    return await budgets.create(work, wanted)


async def _limits(work: Work, places: Places) -> None:
    for wanted in (
        QuotaCreate("requests", 600, places.projects["shop"], "minute", scope={"key": "*"}, name="Search, a minute"),
        QuotaCreate("concurrent", 8, places.projects["coding"], scope={"user": "*"}, name="Agents at a time"),
        QuotaCreate(
            "tokens", 2_000_000, places.projects["copilot"], "day", "alert", scope={"user": "*"}, name="Heavy use"
        ),
    ):
        if not await _is_there(work, select(Quota.id).where(Quota.name == wanted.name)):
            await quota_service.create(work, wanted)


async def _price(work: Work) -> None:
    if not await _is_there(work, select(PriceOverride.id).where(PriceOverride.model == OWN.requested)):
        await providers.create_price(
            work, PriceCreate(OWN.upstream, OWN.requested, dict(OWN_RATES), starts_at_s=work.now_s)
        )


async def _alert_rules(work: Work, places: Places) -> None:
    rules: tuple[tuple[str, Trigger, str | None, list[int], Anomaly | None], ...] = (
        ("Marketing budget is nearly spent", "threshold", places.projects["marketing"], [90], None),
        ("Unusual spend", "anomaly", None, [], Anomaly()),
    )
    for name, trigger, project_id, thresholds, anomaly in rules:
        if await _is_there(work, select(AlertRule.id).where(AlertRule.name == name)):
            continue
        target = EmailTarget(work.settings.owner_email)
        await alerts.create(work, AlertRuleCreate(name, trigger, target, project_id, thresholds, anomaly))


async def _kill_switch(operator: Operator, session: AsyncSession, places: Places, plan: Plan, story: Story) -> None:
    """Thrown and released in one transaction: no gateway hears of it."""
    thrown = _work(operator, session, places.org_id, story.killed.from_s)
    if story.killed.to_s > plan.now_s or await _is_there(
        thrown, select(KillSwitch.id).where(KillSwitch.reason == KILL_REASON)
    ):
        return
    project_id = places.projects["research"]
    switch, _ = await kill_switch.trigger(thrown, KillSwitchTrigger(KILL_REASON, project_id, allow=["models.list"]))
    released = _work(operator, session, places.org_id, story.killed.to_s)
    await kill_switch.release(released, KillSwitchRelease(id=switch.id))


async def _is_there(work: Work, query: Select[Any]) -> bool:
    return (await work.session.execute(query.limit(1))).first() is not None


def _report(plan: Plan, generator: Generator, counted: list[_Counted]) -> Report:
    """How the budgets stand, as a gateway that had served these calls would tell."""
    month = period("month", "UTC", plan.now_s)
    counters = tuple(_counter(generator, month, *one) for one in counted)
    crossings = tuple(crossing for one in counted for crossing in _crossings(generator, month, *one))
    return Report(_NODE, now_ms(), 0, shared=False, counters=counters, crossings=crossings)


def _counter(generator: Generator, month: Period, budget: Budget, project: str) -> CounterState:
    settled = generator.spent(project, month.starts_at_s, month.ends_at_s)
    name = f"{budget.id}@{month.name}"
    return CounterState(budget.id, name, month.starts_at_s, month.ends_at_s, settled, 0, budget.limit_nanousd)


def _crossings(generator: Generator, month: Period, budget: Budget, project: str) -> list[Crossing]:
    """Each threshold at the end of the hour in which it was reached."""
    found: list[Crossing] = []
    hours = sorted(
        (hour_s, cost)
        for (of, hour_s), cost in generator.spend.items()
        if of == project and month.starts_at_s <= hour_s < month.ends_at_s
    )
    spent, waiting = 0, sorted(budget.thresholds)
    for hour_s, cost in hours:
        spent += cost
        while waiting and spent * 100 >= waiting[0] * budget.limit_nanousd:
            found.append(
                Crossing(
                    budget.id, f"{budget.id}@{month.name}", waiting.pop(0), spent, budget.limit_nanousd,
                    month.starts_at_s, month.ends_at_s, hour_s + 3600,
                )
            )  # fmt: skip
    return found


def _round(amount_nanousd: int) -> int:
    """To two digits, as people set budgets; a cent at least."""
    unit = max(10_000_000, 10 ** (len(str(amount_nanousd)) - 2))
    return max(round(amount_nanousd / unit) * unit, unit)
