import asyncio

import msgspec
import pytest
from sqlalchemy import select

from control_plane.budgets.tables import BudgetEvent, CounterState
from control_plane.db.engine import EVERY_ORG
from control_plane.keys.tables import ApiKey
from control_plane.publish.reports import prune, prune_gone
from control_plane.publish.tables import GatewayNode, PolicyItem
from gateway.contract.publishing import CounterState as Counted
from gateway.contract.publishing import Crossing, Report
from tests.support.budgets import counted, crossed, published, report

DAY_S = 86_400


async def rows(plane, table, order):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return (await session.execute(select(table).order_by(order))).scalars().all()


async def events(plane):
    return [(row.threshold, row.settled) for row in await rows(plane, BudgetEvent, BudgetEvent.threshold)]


async def budget(plane, **wanted):
    """The quota of a new budget, and the headers of its organization."""
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 1, **wanted}, headers=headers)
    quotas = {quota.id: quota for quota in await published(plane, "quota")}
    return quotas[made.json()["id"]], headers


async def key(plane, headers):
    org_id = (await published(plane, "quota"))[0].scope["org"]
    project_id = (await plane.client.post("/v1/projects", json={"name": "A"}, headers=headers)).json()["id"]
    row = ApiKey(
        id="key_01k4aaaaaaaaaaaaaaaaaaaaaa", org_id=org_id, project_id=project_id, name="k", prefix="lk-abc",
        hash="0" * 64, mode="metered", on_disconnect="drain", upstreams=None, endpoints=None, models=None, tags=[],
        created_by="system:test", created_at_ms=0, expires_at_s=None, revoked_at_ms=None, replaced_by=None, replaces=[],
        used_at_s=None,
    )  # fmt: skip
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = plane.clock()
        session.add(row)
    return row.id


async def send(plane, gateway, body, node="node-1"):
    headers = {**gateway, "x-lensai-node": node, "content-type": "application/json"}
    return await plane.client.post("/v1/gateway/reports", content=body, headers=headers)


async def test_a_report_is_written_down_and_a_repeated_one_changes_nothing(either_plane):
    plane = either_plane
    quota, _ = await budget(plane)
    gateway = await plane.gateway()
    version = (await plane.parts.feed.latest()).version
    said = {
        "counters": (counted(plane, quota, 7, 3, user="zoe"),),
        "crossings": (crossed(plane, quota, 50, 7), crossed(plane, quota, 80, 8)),
    }
    for _ in range(2):
        await report(plane, gateway, policy_version=5, inflight=2, **said)
    (node,) = await rows(plane, GatewayNode, GatewayNode.node)
    assert (node.node, node.policy_version, node.inflight, node.shared) == ("node-1", 5, 2, False)
    assert (node.seen_at_ms, node.token_id[:4]) == (plane.clock(), "gwt_")
    (state,) = await rows(plane, CounterState, CounterState.counter)
    assert (state.settled, state.held, state.dimensions, state.node) == (7, 3, {"user": "zoe"}, "node-1")
    assert await events(plane) == [(50, 7), (80, 8)]
    assert (await plane.parts.feed.latest()).version == version


async def test_a_crossing_belongs_to_the_organization_of_its_budget(plane):
    quota, _ = await budget(plane)
    await budget(plane)
    await report(plane, await plane.gateway(), crossings=(crossed(plane, quota, 90, 900),))
    (event,) = await rows(plane, BudgetEvent, BudgetEvent.id)
    assert (event.org_id, event.budget_id) == (quota.scope["org"], quota.id)
    assert (event.fired_at_ms, event.alerted_at_ms) == (plane.clock(), None)


async def test_a_threshold_is_told_once_however_many_tell_it_at_once(either_plane):
    plane = either_plane
    quota, _ = await budget(plane)
    other, _ = await budget(plane)
    gateway = await plane.gateway()
    told = [crossed(plane, one, percent, percent) for one in (quota, other) for percent in (50, 80, 90, 100)]
    states = [counted(plane, one, 100, user=str(number)) for one in (quota, other) for number in range(20)]

    async def one(number):
        # Each in an order of its own: they wait for each other, never in a circle.
        turn = number % len(told)
        await report(
            plane,
            gateway,
            f"node-{number}",
            shared=True,
            crossings=tuple(told[turn:] + told[:turn]),
            counters=tuple(states[number:] + states[:number]),
        )

    await asyncio.gather(*(one(number) for number in range(12)))
    assert sorted(await events(plane)) == sorted((percent, percent) for percent in (50, 80, 90, 100) for _ in range(2))
    assert len(await rows(plane, CounterState, CounterState.counter)) == 40
    assert len(await rows(plane, GatewayNode, GatewayNode.node)) == 12


async def test_the_same_threshold_of_another_window_or_value_is_another(plane):
    quota, _ = await budget(plane)
    gateway = await plane.gateway()
    one = crossed(plane, quota, 90, 900)
    of_zoe = msgspec.structs.replace(one, counter=f"{one.counter}|user=zoe")
    await report(plane, gateway, crossings=(one, of_zoe))
    plane.clock.advance(40 * DAY_S)
    await report(plane, gateway, crossings=(crossed(plane, quota, 90, 900),))
    assert len(await events(plane)) == 3


async def test_what_only_a_gateways_own_file_knows_is_ignored(either_plane):
    plane = either_plane
    gateway = await plane.gateway()
    state = Counted("team-budget", "team-budget@2026-11", 0, 1, 5, 0, 10)
    crossing = Crossing("team-budget", "team-budget@2026-11", 90, 9, 10, 0, 1, 1)
    await report(plane, gateway, counters=(state,), crossings=(crossing,), keys_used={"own-key": 5})
    assert await events(plane) == []
    assert await rows(plane, CounterState, CounterState.counter) == []
    assert len(await rows(plane, GatewayNode, GatewayNode.node)) == 1


async def test_when_a_key_was_used_only_goes_forward_and_publishes_nothing(either_plane):
    plane = either_plane
    _, headers = await budget(plane)
    id, gateway = await key(plane, headers), await plane.gateway()
    version, now_s = (await plane.parts.feed.latest()).version, plane.clock() // 1000

    async def used_at_s():
        (row,) = await rows(plane, ApiKey, ApiKey.id)
        assert row.version == 1
        return row.used_at_s

    for told_s, expected_s in (
        (now_s - 1000, now_s - 1000),
        (now_s - 2000, now_s - 1000),
        (now_s - 941, now_s - 1000),  # it is known to the minute
        (now_s - 940, now_s - 940),
        (now_s + 9999, now_s),  # a clock that is ahead
    ):
        await report(plane, gateway, keys_used={id: told_s, "gone": told_s})
        assert await used_at_s() == expected_s
    assert (await plane.parts.feed.latest()).version == version


async def test_a_report_that_is_overtaken_does_not_turn_back_the_counters(plane):
    quota, _ = await budget(plane)
    gateway = await plane.gateway()
    await report(plane, gateway, counters=(counted(plane, quota, 9),))
    plane.clock.advance(-1)
    await report(plane, gateway, counters=(counted(plane, quota, 8),), policy_version=0)
    (state,) = await rows(plane, CounterState, CounterState.counter)
    (node,) = await rows(plane, GatewayNode, GatewayNode.node)
    assert (state.settled, node.policy_version) == (9, 1)


async def test_two_earlier_moments_move_on_together(plane):
    quota, _ = await budget(plane)
    gateway, began_ms = await plane.gateway(), plane.clock()
    seen = []
    for settled in range(10):
        await report(plane, gateway, counters=(counted(plane, quota, settled),))
        (state,) = await rows(plane, CounterState, CounterState.counter)
        seen.append((state.earlier_settled, (state.earlier_at_ms - began_ms) // 1000))
        plane.clock.advance(100)
    assert seen == [(0, 0)] * 6 + [(3, 300)] * 3 + [(6, 600)]


async def test_an_idle_worker_is_written_down_now_and_then(plane):
    gateway, began_ms = await plane.gateway(), plane.clock()
    seen = []
    for _ in range(7):
        await report(plane, gateway)
        (node,) = await rows(plane, GatewayNode, GatewayNode.node)
        seen.append((node.seen_at_ms - began_ms) // 1000)
        plane.clock.advance(1)
    assert seen == [0, 0, 0, 0, 0, 5, 5]
    await report(plane, gateway, inflight=1)
    (node,) = await rows(plane, GatewayNode, GatewayNode.node)
    assert (node.inflight, node.seen_at_ms) == (1, plane.clock())


async def test_a_worker_speaks_for_itself_alone(plane):
    gateway = await plane.gateway()
    body = msgspec.json.encode(Report("node-2", 0, 0, shared=False))
    refused = await send(plane, gateway, body, node="node-1")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "body/node")
    headers = {name: value for name, value in gateway.items() if name != "x-lensai-node"}
    unnamed = await plane.client.post("/v1/gateway/reports", content=body, headers=headers)
    assert unnamed.status_code == 400
    nobody = await send(plane, gateway, msgspec.json.encode(Report("", 0, 0, shared=False)), node="")
    assert nobody.status_code == 400


async def test_only_a_gateway_reports(plane):
    body = msgspec.json.encode(Report("node-1", 0, 0, shared=False))
    person = await plane.token(await plane.organization())
    for headers in ({}, person, {"authorization": "Bearer lgw_nobody"}):
        assert (await send(plane, headers, body)).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"node":"node-1"}', b'{"node":"node-1","more":1}'])
async def test_what_is_no_report_is_refused(plane, body):
    assert (await send(plane, await plane.gateway(), body)).status_code == 400


async def test_numbers_and_texts_that_no_database_holds_stop_no_report(either_plane):
    plane = either_plane
    quota, _ = await budget(plane)
    gateway = await plane.gateway()
    huge = Report("node-1", 0, 0, shared=False, counters=(counted(plane, quota, 2**63),))
    assert (await send(plane, gateway, msgspec.json.encode(huge))).status_code == 400
    await report(plane, gateway, counters=(counted(plane, quota, 1, model="a\x00b"),), keys_used={"\x00": 1})
    (state,) = await rows(plane, CounterState, CounterState.counter)
    assert state.dimensions == {"model": "a\ufffdb"}


async def test_gateways_are_listed_with_how_far_they_are_behind(plane):
    org = await plane.organization()
    headers, gateway = await plane.token(org, "viewer"), await plane.gateway()
    await budget(plane)
    mine, theirs = [
        (await plane.client.post("/v1/projects", json={"name": "Shop"}, headers=await plane.token(id))).json()["id"]
        for id in (org, await plane.organization("Theirs"))
    ]
    latest = (await plane.parts.feed.latest()).version
    inflight = {mine: 3, theirs: 4, "of-a-file": 5}
    await report(plane, gateway, "b", policy_version=latest, inflight=12, inflight_by_project=inflight, shared=True)
    plane.clock.advance(2)
    await report(plane, gateway, "a", policy_version=latest - 1)
    listed = await plane.client.get("/v1/gateways", headers=headers)
    assert listed.json() == {
        "items": [
            {
                "node": "a", "seen_at_ms": plane.clock(), "policy_version": latest - 1, "behind": 1,
                "inflight": 0, "shared": False,
            },
            {
                "node": "b", "seen_at_ms": plane.clock() - 2000, "policy_version": latest, "behind": 0,
                "inflight": 3, "shared": True,
            },
        ],
        "next_cursor": None,
    }  # fmt: skip
    assert (await plane.client.get("/v1/gateways")).status_code == 401


async def test_what_is_long_past_is_forgotten(either_plane):
    plane = either_plane
    month, headers = await budget(plane)
    minute, _ = await budget(plane, period="minute")
    total, _ = await budget(plane, period="total")
    gateway = await plane.gateway()
    quotas = (month, minute, total)
    await report(plane, gateway, counters=tuple(counted(plane, quota, 1) for quota in quotas))

    async def left():
        await prune(plane.parts.database, plane.clock())
        return {row.limited_id for row in await rows(plane, CounterState, CounterState.counter)}

    assert await left() == {month.id, minute.id, total.id}
    plane.clock.advance(2 * 3600)
    assert await left() == {month.id, total.id}
    plane.clock.advance(8 * DAY_S)
    assert await left() == {month.id, total.id}
    assert await rows(plane, GatewayNode, GatewayNode.node) == []
    plane.clock.advance(70 * DAY_S)
    assert await left() == {total.id}
    await report(plane, gateway, counters=(counted(plane, month, 1),))
    await plane.client.delete(f"/v1/budgets/{month.id}", headers=headers)
    assert await left() == {total.id}


async def test_thresholds_are_forgotten_long_after_their_window(either_plane):
    plane = either_plane
    month, _ = await budget(plane)
    gateway = await plane.gateway()
    await report(plane, gateway, crossings=(crossed(plane, month, 90, 900),))
    for days, left in ((80, 1), (60, 0)):
        plane.clock.advance(days * DAY_S)
        await prune(plane.parts.database, plane.clock())
        assert len(await events(plane)) == left


async def test_what_is_gone_is_forgotten_after_nobody_counts_on_it(either_plane):
    plane = either_plane
    month, headers = await budget(plane)
    await plane.client.delete(f"/v1/budgets/{month.id}", headers=headers)
    known = (await plane.parts.feed.latest()).version

    async def gone():
        await prune_gone(plane.parts.database, plane.clock())
        return [row.version for row in await rows(plane, PolicyItem, PolicyItem.version) if row.body is None]

    plane.clock.advance(34 * DAY_S)
    assert await gone() == [known]
    assert (await plane.parts.feed.latest()).pruned < known
    plane.clock.advance(2 * DAY_S)
    assert await gone() == [known]
    assert (await plane.parts.feed.latest()).pruned == known
    assert await gone() == []
    assert [await resets(plane, since) for since in (known - 1, known)] == [True, False]
    assert "prune_gone" in [job.name for job in plane.parts.jobs]


async def resets(plane, since):
    """Whether a gateway that knows this version is told everything again."""
    line = b"".join([part async for part in plane.parts.feed.answer(since, "nonce-of-these-tests")])
    return b'"reset":true' in line
