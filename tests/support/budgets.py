"""Owns what tests of budgets need beside the control plane: what was published, and gateways that report."""

from typing import Any, cast

import msgspec
from sqlalchemy import select

from control_plane.db.engine import EVERY_ORG
from control_plane.publish.tables import PolicyItem
from gateway import policy_rules
from gateway.contract.counter_names import counter_name
from gateway.contract.policy import KillSwitch, Policy, Project, Quota, QuotaOverride
from gateway.contract.publishing import BODIES, CounterState, Crossing, Report
from gateway.ledger.window import period
from tests.support.control_plane import ControlPlane


async def published(plane: ControlPlane, kind: str) -> list[Any]:
    """The items of a kind, as the contract's structures."""
    async with plane.parts.database.reading(EVERY_ORG) as session:
        query = select(PolicyItem.body).where(PolicyItem.kind == kind, PolicyItem.body.is_not(None))
        bodies = (await session.execute(query.order_by(PolicyItem.id))).scalars().all()
    return [msgspec.json.decode(body, type=BODIES[kind], strict=True) for body in bodies]  # type: ignore[index]


async def refusals(plane: ControlPlane) -> list[str]:
    """Why a gateway would not serve what is published of budgets and kill switches; nothing if it would."""
    projects: list[Project] = await published(plane, "project")
    quotas: list[Quota] = await published(plane, "quota")
    overrides: list[QuotaOverride] = await published(plane, "quota_override")
    switches: list[KillSwitch] = await published(plane, "kill_switch")
    policy = Policy(
        projects=tuple(projects),
        quotas=tuple(quotas),
        quota_overrides=tuple(overrides),
        kill_switches=tuple(switches),
    )
    return [f"{'.'.join(map(str, path))}: {message}" for path, message in policy_rules.problems(policy)]


def counted(plane: ControlPlane, quota: Quota, settled: int, held: int = 0, **values: str) -> CounterState:
    """What a gateway says of a counter in the window of now."""
    now = period(quota.window, quota.time_zone, plane.clock() // 1000)
    name = counter_name(f"{quota.id}@{now.name}", cast(Any, values.items()))
    return CounterState(quota.id, name, now.starts_at_s, now.ends_at_s, settled, held, quota.limit, values)


def crossed(plane: ControlPlane, quota: Quota, percent: int, settled: int) -> Crossing:
    state, at_s = counted(plane, quota, settled), plane.clock() // 1000
    assert quota.limit is not None
    return Crossing(quota.id, state.counter, percent, settled, quota.limit, state.starts_at_s, state.ends_at_s, at_s)


async def report(plane: ControlPlane, gateway: dict[str, str], node: str = "node-1", **said: Any) -> None:
    """Sends a report of a worker; it is taken."""
    body = msgspec.json.encode(Report(node, plane.clock(), **{"policy_version": 1, "shared": False, **said}))
    headers = {**gateway, "x-lensai-node": node, "content-type": "application/json"}
    answer = await plane.client.post("/v1/gateway/reports", content=body, headers=headers)
    assert answer.status_code == 204, answer.text
