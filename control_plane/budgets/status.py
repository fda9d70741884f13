"""Owns how a budget or a quota stands: what the gateways said of its counters, put together for people.

Nothing here decides anything: gateways enforce by their own ledgers, and this is at most a second or two behind.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from control_plane.budgets import forecast, overrides
from control_plane.budgets.amounts import shown, shown_or_none
from control_plane.budgets.references import compiled
from control_plane.budgets.schema import (
    CounterOut,
    CrossedOut,
    Forecast,
    NodeOut,
    PaceOut,
    StatusOut,
    WindowOut,
)
from control_plane.budgets.tables import BudgetEvent, CounterState, Override
from control_plane.publish.tables import GatewayNode
from control_plane.work import Work
from gateway.contract.counter_names import values_in
from gateway.contract.policy import Dimension, Quota, Unit
from gateway.ledger.window import NEVER_S, Period, period
from gateway.quota_rules import EACH

# A page that a person reads: those that have spent most come first.
COUNTERS_MAX, CROSSED_MAX, NODES_MAX = 100, 200, 200
_ESCAPE = "/"

Counted = Literal["shared", "per_node", "both"]


class _Counter(NamedTuple):
    """One counter, over all nodes that told of it."""

    values: dict[str, str]
    settled: int
    held: int
    rows: list[CounterState]


class _Sums(NamedTuple):
    counters: int
    settled: int
    held: int


class _Standing(NamedTuple):
    """What a status is made of."""

    quota: Quota
    window: Period
    override: Override | None
    created_at_ms: int
    now_ms: int

    @property
    def limits(self) -> forecast.Limits:
        if self.override is None:
            return forecast.Limits(self.quota.limit)
        return forecast.Limits(self.quota.limit, self.override.limit_amount, self.override.until_s)

    @property
    def limit_in_force(self) -> int | None:
        return self.quota.limit if self.override is None else self.override.limit_amount

    def of_now(self, column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        return of_the_window(column, self.quota, self.window)


async def status(work: Work, limited: overrides.Limited) -> StatusOut:
    """How it stands now."""
    quota = compiled(limited)
    window = window_now(quota, work.now_s)
    override = await overrides.in_force(work, limited.id)
    standing = _Standing(quota, window, override, limited.created_at_ms, work.now_ms)
    sums, counters = await _sums(work, standing), await _counters(work, standing)
    rows = [row for counter in counters for row in counter.rows]
    nodes = await _nodes(work, max(window.starts_at_s * 1000, limited.created_at_ms), rows)
    return _told(standing, sums, counters, await _crossed(work, standing), nodes)


def window_now(quota: Quota, now_s: int) -> Period:
    """As gateways name it. Calls at a time belong to no period."""
    if quota.unit == "concurrent":
        return Period("now", 0, NEVER_S)
    return period(quota.window, quota.time_zone, now_s)


def _told(
    standing: _Standing,
    sums: _Sums,
    counters: Sequence[_Counter],
    crossed: list[CrossedOut],
    nodes: Sequence[GatewayNode],
) -> StatusOut:
    quota, window = standing.quota, standing.window
    known = sums.counters > 0 or bool(nodes)
    one = None if EACH in quota.scope.values() or not known else CounterRead(standing, sums.settled, sums.held)
    return StatusOut(
        id=quota.id,
        unit=quota.unit,
        limit=shown_or_none(quota.unit, quota.limit),
        limit_in_force=shown_or_none(quota.unit, standing.limit_in_force),
        window=WindowOut(window.name, window.starts_at_s, None if window.ends_at_s >= NEVER_S else window.ends_at_s),
        spent=shown(quota.unit, sums.settled) if known else None,
        held=shown(quota.unit, sums.held) if known else None,
        left=None if one is None else one.left,
        percent=None if one is None else one.percent,
        override=None if standing.override is None else overrides.render(standing.override, quota.unit),
        crossed=crossed,
        counters=[_counter_out(standing, counter) for counter in counters if counter.values],
        counters_more=max(sums.counters - len(counters), 0),
        counted=_counted(row for counter in counters for row in counter.rows),
        as_of_ms=max((node.seen_at_ms for node in nodes), default=None),
        nodes=[NodeOut(node.node, node.seen_at_ms) for node in nodes],
        forecast=_forecast(standing, sums, counters) if one is not None else Forecast(),
    )


class CounterRead(NamedTuple):
    """A counter against its limit."""

    standing: _Standing
    settled: int
    held: int

    @property
    def left(self) -> str | int | None:
        limit = self.standing.limit_in_force
        return None if limit is None else shown(self.standing.quota.unit, max(limit - self.settled - self.held, 0))

    @property
    def percent(self) -> float | None:
        return percent(self.standing.quota, self.settled, self.held)


def percent(quota: Quota, settled: int, held: int) -> float | None:
    """Of the limit itself, as thresholds are. Of calls at a time those under way are what is used."""
    used = held if quota.unit == "concurrent" else settled
    return round(100 * used / quota.limit, 2) if quota.limit else None


def _counter_out(standing: _Standing, counter: _Counter) -> CounterOut:
    read, unit = CounterRead(standing, counter.settled, counter.held), standing.quota.unit
    return CounterOut(counter.values, shown(unit, counter.settled), shown(unit, counter.held), read.left, read.percent)


def _counted(rows: Iterable[CounterState]) -> Counted | None:
    """Whether nodes share a ledger, or each counts by itself; both, for a window in which that was changed."""
    kinds = {row.node == "" for row in rows}
    if not kinds:
        return None
    return "both" if len(kinds) == 2 else "shared" if True in kinds else "per_node"


def _forecast(standing: _Standing, sums: _Sums, counters: Sequence[_Counter]) -> Forecast:
    if standing.quota.unit == "concurrent":
        return Forecast()
    window, now_ms = standing.window, standing.now_ms
    since_ms = max(window.starts_at_s * 1000, standing.created_at_ms)
    measured = forecast.measured_ms_min(window.starts_at_s, window.ends_at_s)
    samples = [
        (row.settled, forecast.Sample(row.earlier_settled, row.earlier_at_ms))
        for counter in counters
        for row in counter.rows
    ]
    return Forecast(
        _pace_out(standing, sums.settled, forecast.pace_over_window(sums.settled, since_ms, now_ms, measured)),
        _pace_out(standing, sums.settled, forecast.recent_pace(samples, now_ms, measured)),
    )


def _pace_out(standing: _Standing, settled: int, pace: forecast.Pace | None) -> PaceOut | None:
    if pace is None:
        return None
    unit, now_ms, ends_at_s = standing.quota.unit, standing.now_ms, standing.window.ends_at_s
    return PaceOut(
        since_ms=pace.since_ms,
        per_day=shown(unit, round(pace.per_ms * 86_400_000)),
        at_end=shown_or_none(unit, forecast.at_end(settled, pace, now_ms, ends_at_s)),
        exhausted_at_s=forecast.exhausted_at_s(settled, standing.limits, pace, now_ms, ends_at_s),
    )


async def _sums(work: Work, standing: _Standing) -> _Sums:
    query = select(
        func.count(CounterState.counter.distinct()),
        func.coalesce(func.sum(CounterState.settled), 0),
        func.coalesce(func.sum(CounterState.held), 0),
    ).where(CounterState.limited_id == standing.quota.id, standing.of_now(CounterState.counter))
    counters, settled, held = (await work.session.execute(query)).one()
    return _Sums(counters, int(settled), int(held))  # PostgreSQL's sums are decimals


async def _counters(work: Work, standing: _Standing) -> list[_Counter]:
    """Those that have spent most, over all nodes."""
    mine = (CounterState.limited_id == standing.quota.id, standing.of_now(CounterState.counter))
    most = (
        select(CounterState.counter)
        .where(*mine)
        .group_by(CounterState.counter)
        .order_by(func.sum(CounterState.settled + CounterState.held).desc(), CounterState.counter)
        .limit(COUNTERS_MAX)
    )
    names: Sequence[str] = (await work.session.execute(most)).scalars().all()
    rows: Mapping[str, list[CounterState]] = {name: [] for name in names}
    query = select(CounterState).where(*mine, CounterState.counter.in_(names)).order_by(CounterState.node)
    for row in (await work.session.execute(query)).scalars():
        rows[row.counter].append(row)
    return [
        _Counter(told[0].dimensions, sum(row.settled for row in told), sum(row.held for row in told), told)
        for told in rows.values()
    ]


async def _crossed(work: Work, standing: _Standing) -> list[CrossedOut]:
    """The newest thresholds of the window."""
    query = (
        select(BudgetEvent)
        .where(BudgetEvent.budget_id == standing.quota.id, standing.of_now(BudgetEvent.counter))
        .order_by(BudgetEvent.fired_at_ms.desc(), BudgetEvent.threshold.desc())
        .limit(CROSSED_MAX)
    )
    unit: Unit = standing.quota.unit
    return [
        CrossedOut(
            row.threshold,
            values(row.counter, standing.quota),
            shown(unit, row.settled),
            shown(unit, row.limit_amount),
            row.fired_at_ms,
        )
        for row in (await work.session.execute(query)).scalars()
    ]


async def _nodes(work: Work, since_ms: int, rows: Sequence[CounterState]) -> Sequence[GatewayNode]:
    """Who speaks for the window: those that told of it by themselves, and whoever was seen since it began."""
    named = sorted({row.node for row in rows if row.node})
    seen = or_(GatewayNode.seen_at_ms >= since_ms, GatewayNode.node.in_(named))
    query = select(GatewayNode).where(seen).order_by(GatewayNode.seen_at_ms.desc()).limit(NODES_MAX)
    return (await work.session.execute(query)).scalars().all()


def of_the_window(column: InstrumentedAttribute[str], quota: Quota, window: Period) -> ColumnElement[bool]:
    """The ledger's name of a counter: `<id>@<period>`, then `|<dimension>=<value>` for each that is counted apart.

    With exactly those of the scope of now: where it was changed within the window, counters of the one before are there
    too, and count no more. What parts a name is escaped in its values.
    """
    name = f"{quota.id}@{window.name}"
    apart = _counted_apart(quota)
    if not apart:
        return column == name
    counted = _like(name) + "".join(f"|{_like(dimension)}=%" for dimension in apart)
    return and_(column.like(counted, escape=_ESCAPE), column.not_like(f"{counted}|%", escape=_ESCAPE))


def values(counter: str, quota: Quota) -> dict[str, str]:
    """The values in a counter's name, of the dimensions that are counted apart."""
    return values_in(counter, _counted_apart(quota))


def _counted_apart(quota: Quota) -> list[Dimension]:
    return [dimension for dimension in get_args(Dimension) if quota.scope.get(dimension) == EACH]


def _like(text: str) -> str:
    """As it stands in a pattern of LIKE."""
    return re.sub(r"([/%_])", rf"{_ESCAPE}\1", text)
