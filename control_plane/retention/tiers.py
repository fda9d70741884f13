"""Owns how long what is kept: plans' times from the settings, an organization's own, holds. One policy of all."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.auth.tables import Organization
from control_plane.billing.tables import BillingCustomer
from control_plane.lake.retain import Policy, Tier
from control_plane.retention.tables import LegalHold, RetentionSetting

# What is not subscribed.
DEFAULT = "default"
# A subscription that is paid for, or may still be.
_SUBSCRIBED = ("active", "trialing", "past_due")


def tiers(text: str) -> dict[str, Tier]:
    """Plans' times, as the setting `retention` writes them; the default plan is always there."""
    found = {DEFAULT: Tier()}
    for part in filter(None, text.split(",")):
        plan, *numbers = part.split(":")
        found[plan.strip()] = Tier(*map(int, numbers))
    return found


def shortened(tier: Tier, own: RetentionSetting | None) -> Tier:
    """A plan's times, or an organization's own where those are shorter."""
    if own is None:
        return tier
    events_days = _shorter(tier.events_days, own.events_days)
    rollups_days = _shorter(tier.rollups_days, own.rollups_days)
    return Tier(events_days, rollups_days, tier.one_of)


def _shorter(days: int, own: int | None) -> int:
    return min(filter(None, (days, own)), default=0)


def best(plans: Iterable[str], known: Mapping[str, Tier]) -> str:
    """Of an organization's plans the one that keeps longest: nothing is deleted that somebody pays for."""
    return max(plans, key=lambda plan: _generosity(known.get(plan, known[DEFAULT])), default=DEFAULT)


def _generosity(tier: Tier) -> tuple[float, float, int]:
    return tier.events_days or float("inf"), tier.rollups_days or float("inf"), -tier.one_of


async def plan_of(session: AsyncSession, text: str, org_id: str) -> str:
    """The plan by which an organization's data is kept."""
    return best((await _plans(session, org_id)).get(org_id, ()), tiers(text))


async def _plans(session: AsyncSession, org_id: str | None = None) -> Mapping[str, list[str]]:
    query = select(BillingCustomer.org_id, BillingCustomer.plan).where(BillingCustomer.status.in_(_SUBSCRIBED))
    if org_id is not None:
        query = query.where(BillingCustomer.org_id == org_id)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for owner, plan in await session.execute(query):
        found[owner].append(plan)
    return found


async def policy(session: AsyncSession, text: str) -> Policy:
    """Of every organization that there is; of others in the lake the default plan's holds."""
    known, plans = tiers(text), await _plans(session)
    settings = {own.org_id: own for own in (await session.execute(select(RetentionSetting))).scalars()}
    organizations = {
        org_id: shortened(known.get(best(plans.get(org_id, ()), known), known[DEFAULT]), settings.get(org_id))
        for org_id in (await session.execute(select(Organization.id))).scalars()
    }
    holds = (await session.execute(select(LegalHold).where(LegalHold.released_at_ms.is_(None)))).scalars()
    held = frozenset(f"{hold.org_id}/{hold.project_id}" if hold.project_id else hold.org_id for hold in holds)
    return Policy(known[DEFAULT], organizations, held)
