"""Owns asking for a backtest: what is wanted as a proposal, whose prices hold, and the lake on a thread."""

import asyncio

from sqlalchemy import select

from control_plane.api.money import nanousd
from control_plane.api.problems import FieldProblem, Problem, invalid
from control_plane.backtest.history import backtest
from control_plane.backtest.proposal import DAYS_MAX, Proposal, faults
from control_plane.backtest.rendered import rendered
from control_plane.backtest.schema import BacktestAsk, BacktestOut
from control_plane.keys.tables import ApiKey
from control_plane.lake.query import Unanswered
from control_plane.projects.tables import Project
from control_plane.providers.tables import PriceOverride
from control_plane.work import Work
from gateway.contract.policy import Unit
from pricing.catalog import Catalog
from pricing.overrides import Override

_DAY_S = 86_400
_DEFAULT_DAYS = 30
# The names that the request has for a quota's fields.
_FIELDS = {"ceiling": "ceiling_usd"}


async def ask(work: Work, wanted: BacktestAsk) -> BacktestOut:
    """Raises Problem 400, and 503 where the lake does not answer."""
    proposed = proposal(wanted)
    from_s, to_s = span(wanted, work.now_s)
    await _check_project(work, wanted.project_id)
    catalog, rotated = await _catalog(work, proposed.prices), await _rotated(work, wanted)
    await work.session.close()
    asked = work.lake, work.org_id, proposed, catalog, from_s, to_s
    try:
        outcome = await asyncio.to_thread(backtest, *asked, rotated=rotated, keyring=work.keyring)
    except Unanswered as fault:
        raise Problem(503, "unavailable", f"The lake does not answer: {fault}; ask for less time") from None
    return rendered(outcome, proposed, from_s, to_s)


def proposal(wanted: BacktestAsk) -> Proposal:
    """What is wanted, as a gateway would be told. Raises Problem 400 with all that it would not obey."""
    if "org" in wanted.scope or "project" in wanted.scope:
        raise invalid("body/scope", "org and project are said by project_id, null for all of the organization")
    proposed = Proposal(
        unit=wanted.unit,
        limit=_amount(wanted.unit, wanted.limit),
        window=wanted.window,
        time_zone=wanted.time_zone,
        project_id=wanted.project_id,
        scope=wanted.scope,
        ceiling=None if wanted.ceiling_usd is None else nanousd(wanted.ceiling_usd, "body/ceiling_usd"),
        values_max=wanted.values_max,
        prices=_prices(wanted),
    )
    if found := faults(proposed):
        problems = tuple(FieldProblem(f"body/{_FIELDS.get(field, field)}", message) for field, message in found)
        raise Problem(400, "invalid", "; ".join(f"{one.pointer}: {one.message}" for one in problems), errors=problems)
    return proposed


def span(wanted: BacktestAsk, now_s: int) -> tuple[int, int]:
    """The time that is replayed, in seconds. Raises Problem 400."""
    to_s = now_s if wanted.to_s is None else min(wanted.to_s, now_s)
    from_s = to_s - _DEFAULT_DAYS * _DAY_S if wanted.from_s is None else wanted.from_s
    most = DAYS_MAX[wanted.window]
    if not from_s < to_s <= from_s + most * _DAY_S:
        raise invalid("body/from_s", f"name a time in the past, of at most {most} days for this window")
    return from_s, to_s


def _amount(unit: Unit, said: str | int | float | None) -> int | None:
    if said is None:
        return None
    if unit == "usd":
        return nanousd(said, "body/limit")
    if not isinstance(said, int):
        raise invalid("body/limit", f"{unit} are counted: write a whole number, or null for no limit")
    return said


def _prices(wanted: BacktestAsk) -> tuple[Override, ...]:
    try:
        return tuple(Override(one.upstream, one.model, one.rates, one.multiplier) for one in wanted.prices)
    except ValueError as fault:
        raise invalid("body/prices", str(fault)) from None


async def _check_project(work: Work, project_id: str | None) -> None:
    if project_id is None:
        return
    if (await work.session.execute(select(Project.id).where(Project.id == project_id))).first() is None:
        raise invalid("body/project_id", "there is no such project here; GET /v1/projects lists them")


async def _catalog(work: Work, prices: tuple[Override, ...]) -> Catalog:
    """The organization's prices, and over them those that are tried."""
    rows = (await work.session.execute(select(PriceOverride).order_by(PriceOverride.id))).scalars()
    own = [Override(row.upstream, row.model, row.rates, row.multiplier, row.starts_at_s, row.ends_at_s) for row in rows]
    return Catalog.load([*own, *prices])


async def _rotated(work: Work, wanted: BacktestAsk) -> dict[str, list[str]]:
    """By each key that took another's place, those before it, as gateways are told them."""
    if "key" not in wanted.scope:
        return {}
    followed = select(ApiKey.replaced_by).where(ApiKey.replaced_by.is_not(None))
    rows = await work.session.execute(select(ApiKey.id, ApiKey.replaces).where(ApiKey.id.in_(followed)))
    return {row.id: row.replaces for row in rows}
