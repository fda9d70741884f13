"""Owns what gateways report: that they are there, what they counted, thresholds that were crossed, keys in use.

Every worker reports each second, so a report is a few statements, and where nothing has changed it writes nothing.
Rows are written in the order of their keys, so that reports of several workers wait for each other, never in a circle.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import bindparam, case, delete, func, or_, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from control_plane.api.problems import invalid
from control_plane.budgets.tables import Budget, BudgetEvent, CounterState, Quota
from control_plane.db.base import Base
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.keys.tables import ApiKey
from control_plane.projects.tables import Project
from control_plane.publish.schema import GatewayOut
from control_plane.publish.tables import GatewayNode, PolicyItem, PolicyVersion
from gateway.contract.publishing import CounterState as Counted
from gateway.contract.publishing import Crossing, Report

# An idle worker's sign of life is written down so often.
SEEN_EVERY_MS = 5_000
# How precisely it is known when a key was last used: a busy one would be written each second by every worker.
USED_EVERY_S = 60
# How far apart the moments are from which a counter's growth is told; the older is up to twice as long ago.
SAMPLE_MS = 300_000
# Nobody asks for an hour or a minute that is over; what a day or a month came to is kept a while.
SHORT_S, SHORT_KEPT_S, LONG_KEPT_S = 3600, 3600, 35 * 86_400
PRUNE_EVERY_S = 600.0
NODE_KEPT_MS = 7 * 86_400_000
# From the end of its window on: a worker that was away for longer tells of it again, and that is a new one.
EVENT_KEPT_S = 90 * 86_400
# A gateway that was away for longer is told everything again.
GONE_KEPT_MS = 35 * 86_400_000
# A page that a person reads; nobody runs as many workers.
NODES_MAX = 1000
# What the databases' integers hold.
INTEGER_MAX = 2**63 - 1


async def take(session: AsyncSession, report: Report, token_id: str, now_ms: int) -> None:
    """Writes down what is new in a report; taking it again changes nothing. Raises Problem 400."""
    _check(report)
    known = await session.get(GatewayNode, report.node)
    if known is not None and _says_nothing(report, known, token_id, now_ms):
        return
    connection = await session.connection()
    await _node(connection, report, token_id, now_ms)
    owners = await _owners(session, {row.quota_id for row in (*report.counters, *report.crossings)})
    await _counters(connection, report, owners, now_ms)
    await _keys(connection, report.keys_used, now_ms // 1000)
    await _crossings(connection, report, owners, now_ms)


async def gateways(session: AsyncSession) -> list[GatewayOut]:
    """Every worker that reported in the last days, and how far each is behind the policy."""
    latest = (await session.execute(select(PolicyVersion.version))).scalar_one()
    own = set((await session.execute(select(Project.id))).scalars())
    rows = (await session.execute(select(GatewayNode).order_by(GatewayNode.node).limit(NODES_MAX))).scalars()
    return [
        GatewayOut(
            row.node,
            row.seen_at_ms,
            row.policy_version,
            max(latest - row.policy_version, 0),
            sum(calls for project_id, calls in row.inflight_by_project.items() if project_id in own),
            row.shared,
        )
        for row in rows
    ]


async def prune(database: Database, now_ms: int) -> None:
    """Forgets counters and thresholds of windows long past, counters of what is deleted, workers that are gone."""
    now_s, ends, starts = now_ms // 1000, CounterState.ends_at_s, CounterState.starts_at_s
    past = or_(ends < now_s - LONG_KEPT_S, (ends < now_s - SHORT_KEPT_S) & (ends - starts <= SHORT_S))
    gone = CounterState.limited_id.not_in(union_all(select(Budget.id), select(Quota.id)))
    async with database.writing(EVERY_ORG) as session:
        connection = await session.connection()
        await connection.execute(delete(CounterState).where(or_(past, gone)))
        await connection.execute(delete(GatewayNode).where(GatewayNode.seen_at_ms < now_ms - NODE_KEPT_MS))
        await connection.execute(delete(BudgetEvent).where(BudgetEvent.ends_at_s < now_s - EVENT_KEPT_S))


async def prune_gone(database: Database, now_ms: int) -> None:
    """Forgets what gateways were told is gone. First nobody counts on it any more, and it goes with the next turn:
    who asked before that has been answered by then."""
    gone = PolicyItem.body.is_(None)
    async with database.writing(EVERY_ORG) as session:
        connection = await session.connection()
        forgotten = (await connection.execute(select(PolicyVersion.pruned))).scalar_one()
        await connection.execute(delete(PolicyItem).where(gone, PolicyItem.version <= forgotten))
        long_gone = (gone, PolicyItem.changed_at_ms < now_ms - GONE_KEPT_MS)
        latest = select(func.coalesce(func.max(PolicyItem.version), 0)).where(*long_gone)
        if found := (await connection.execute(latest)).scalar_one():
            await connection.execute(update(PolicyVersion).values(pruned=found))


def _check(report: Report) -> None:
    if not report.node:
        raise invalid("body/node", "is empty; name the worker")
    if any(abs(number) > INTEGER_MAX for number in _numbers(report)):
        raise invalid("body", "holds a number of more than 64 bits, which nothing here can have come to")


def _numbers(report: Report) -> Iterator[int]:
    yield from (report.policy_version, report.inflight, *report.inflight_by_project.values())
    for row in report.counters:
        yield from (row.starts_at_s, row.ends_at_s, row.settled, row.held, row.limit or 0)
    for row in report.crossings:
        yield from (row.percent, row.settled, row.limit, row.starts_at_s, row.ends_at_s, row.at_s * 1000)


def _says_nothing(report: Report, known: GatewayNode, token_id: str, now_ms: int) -> bool:
    same = all(getattr(known, name) == value for name, value in _state(report, token_id).items())
    told = report.counters or report.crossings or report.keys_used
    return same and not told and 0 <= now_ms - known.seen_at_ms < SEEN_EVERY_MS


async def _node(connection: AsyncConnection, report: Report, token_id: str, now_ms: int) -> None:
    insert = _insert(connection, GatewayNode)
    row = {**_state(report, token_id), "seen_at_ms": now_ms}
    upsert = insert.on_conflict_do_update(
        index_elements=["node"],
        set_={name: insert.excluded[name] for name in row},
        where=GatewayNode.seen_at_ms <= insert.excluded.seen_at_ms,
    )
    await connection.execute(upsert, {"node": _text(report.node), **row})


def _state(report: Report, token_id: str) -> dict[str, Any]:
    """What a worker is, as its row says it."""
    return {
        "token_id": token_id,
        "policy_version": report.policy_version,
        "inflight": report.inflight,
        "inflight_by_project": {_text(id): calls for id, calls in report.inflight_by_project.items()},
        "shared": report.shared,
    }


async def _owners(session: AsyncSession, ids: set[str]) -> dict[str, str]:
    """The organizations of budgets and quotas. Those that only a gateway's own file knows are in no row."""
    if not ids:
        return {}
    queries = (select(table.id, table.org_id).where(table.id.in_(sorted(ids))) for table in (Budget, Quota))
    return {row.id: row.org_id for row in await session.execute(union_all(*queries))}


async def _counters(connection: AsyncConnection, report: Report, owners: Mapping[str, str], now_ms: int) -> None:
    known = sorted((row for row in report.counters if row.quota_id in owners), key=lambda row: row.counter)
    if not known:
        return
    insert = _insert(connection, CounterState)
    new, old = insert.excluded, CounterState
    # Two earlier moments move on together: growth is measured from one that is neither just now nor long ago.
    is_time = old.later_at_ms <= new.reported_at_ms - SAMPLE_MS
    plain = ("starts_at_s", "ends_at_s", "settled", "held", "limit_amount", "dimensions", "reported_at_ms")
    upsert = insert.on_conflict_do_update(
        index_elements=["limited_id", "counter", "node"],
        set_={
            **{name: new[name] for name in plain},
            "earlier_settled": case((is_time, old.later_settled), else_=old.earlier_settled),
            "earlier_at_ms": case((is_time, old.later_at_ms), else_=old.earlier_at_ms),
            "later_settled": case((is_time, new.settled), else_=old.later_settled),
            "later_at_ms": case((is_time, new.reported_at_ms), else_=old.later_at_ms),
        },
        where=old.reported_at_ms <= new.reported_at_ms,
    )
    node = "" if report.shared else _text(report.node)
    await connection.execute(upsert, [_counter(row, node, now_ms) for row in known])


def _counter(row: Counted, node: str, now_ms: int) -> dict[str, Any]:
    return {
        "limited_id": row.quota_id,
        "counter": _text(row.counter),
        "node": node,
        "starts_at_s": row.starts_at_s,
        "ends_at_s": row.ends_at_s,
        "settled": row.settled,
        "held": row.held,
        "limit_amount": row.limit,
        "dimensions": {name: _text(value) for name, value in row.values.items()},
        "reported_at_ms": now_ms,
        "earlier_settled": row.settled,
        "earlier_at_ms": now_ms,
        "later_settled": row.settled,
        "later_at_ms": now_ms,
    }


async def _keys(connection: AsyncConnection, used: Mapping[str, int], now_s: int) -> None:
    """Past the ORM: when a key was used is no edit of it, and nothing that gateways are told."""
    if not used:
        return
    at_s = bindparam("at_s", type_=ApiKey.used_at_s.type)
    before = or_(ApiKey.used_at_s.is_(None), ApiKey.used_at_s <= at_s - USED_EVERY_S)
    use = update(ApiKey).where(ApiKey.id == bindparam("key_id"), before).values(used_at_s=at_s)
    # A clock that is ahead would keep every other gateway's word out until then.
    await connection.execute(use, [{"key_id": _text(id), "at_s": min(used[id], now_s)} for id in sorted(used)])


async def _crossings(connection: AsyncConnection, report: Report, owners: Mapping[str, str], now_ms: int) -> None:
    """Each threshold once for each counter, whoever comes first: the counter's name holds the window."""
    known = sorted(
        (row for row in report.crossings if row.quota_id in owners), key=lambda row: (row.counter, row.percent)
    )
    if not known:
        return
    once = _insert(connection, BudgetEvent).on_conflict_do_nothing(index_elements=["budget_id", "counter", "threshold"])
    await connection.execute(once, [_event(row, owners[row.quota_id], now_ms) for row in known])


def _event(row: Crossing, org_id: str, now_ms: int) -> dict[str, Any]:
    return {
        "id": new_id("bev", now_ms),
        "org_id": org_id,
        "budget_id": row.quota_id,
        "counter": _text(row.counter),
        "threshold": row.percent,
        "settled": row.settled,
        "limit_amount": row.limit,
        "starts_at_s": row.starts_at_s,
        "ends_at_s": row.ends_at_s,
        "fired_at_ms": min(row.at_s * 1000, now_ms),
        "alerted_at_ms": None,
    }


def _insert(connection: AsyncConnection, table: type[Base]) -> "postgresql.Insert | sqlite.Insert":
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)


def _text(said: str) -> str:
    """What callers say is in the names of counters, and PostgreSQL holds no NUL."""
    return said.replace("\x00", "\ufffd")
