"""Owns how many budgets or quotas stand at once: what a list shows of them, by one question for all."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select

from control_plane.budgets import overrides
from control_plane.budgets.amounts import shown, shown_or_none
from control_plane.budgets.references import compiled
from control_plane.budgets.schema import StandingOut
from control_plane.budgets.status import of_the_window, percent, window_now
from control_plane.budgets.tables import CounterState, Override
from control_plane.publish.tables import GatewayNode
from control_plane.work import Work
from gateway.contract.policy import Quota
from gateway.ledger.window import Period
from gateway.quota_rules import EACH


class _Limit(NamedTuple):
    quota: Quota
    window: Period
    created_at_ms: int


class _Sums(NamedTuple):
    settled: int
    held: int


async def standing(work: Work, limited: Sequence[overrides.Limited]) -> list[StandingOut]:
    """How they stand now, in their order."""
    if not limited:
        return []
    quotas = [compiled(one) for one in limited]
    limits = [
        _Limit(quota, window_now(quota, work.now_s), one.created_at_ms)
        for quota, one in zip(quotas, limited, strict=True)
    ]
    sums = await _sums(work, limits)
    graces = await overrides.all_in_force(work, [one.id for one in limited])
    seen_at_ms = (await work.session.execute(select(func.max(GatewayNode.seen_at_ms)))).scalar_one()
    return [_told(one, _known(one, sums.get(one.quota.id), seen_at_ms), graces.get(one.quota.id)) for one in limits]


async def _sums(work: Work, limits: Sequence[_Limit]) -> Mapping[str, _Sums]:
    """Of all counters of the window of now, by what they are of; nothing of what no gateway told of."""
    mine = (
        and_(CounterState.limited_id == one.quota.id, of_the_window(CounterState.counter, one.quota, one.window))
        for one in limits
    )
    query = (
        select(CounterState.limited_id, func.sum(CounterState.settled), func.sum(CounterState.held))
        .where(or_(*mine))
        .group_by(CounterState.limited_id)
    )
    # PostgreSQL's sums are decimals.
    return {id: _Sums(int(settled), int(held)) for id, settled, held in await work.session.execute(query)}


def _known(limit: _Limit, sums: _Sums | None, seen_at_ms: int | None) -> _Sums | None:
    """A gateway that was seen since the window began and told of no counter has counted nothing."""
    since_ms = max(limit.window.starts_at_s * 1000, limit.created_at_ms)
    if sums is None and seen_at_ms is not None and seen_at_ms >= since_ms:
        return _Sums(0, 0)
    return sums


def _told(limit: _Limit, sums: _Sums | None, override: Override | None) -> StandingOut:
    quota = limit.quota
    in_force = quota.limit if override is None else override.limit_amount
    one = None if EACH in quota.scope.values() else sums
    return StandingOut(
        id=quota.id,
        limit_in_force=shown_or_none(quota.unit, in_force),
        spent=None if sums is None else shown(quota.unit, sums.settled),
        held=None if sums is None else shown(quota.unit, sums.held),
        percent=None if one is None else percent(quota, one.settled, one.held),
        overridden=override is not None,
    )
