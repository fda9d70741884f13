import msgspec

from tests.support.budgets import crossed, published, report

DOLLAR = 10**9


async def test_thresholds_and_overrides_are_told_the_newest_first(plane):
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 10}, headers=headers)
    address = f"/v1/budgets/{made.json()['id']}"
    (quota,) = await published(plane, "quota")
    gateway = await plane.gateway()
    await report(plane, gateway, crossings=(crossed(plane, quota, 50, 5 * DOLLAR),))
    plane.clock.advance(60)
    await report(plane, gateway, crossings=(crossed(plane, quota, 80, 8 * DOLLAR),))
    await plane.client.post(f"{address}/override", json={"minutes": 60, "reason": "Launch"}, headers=headers)
    plane.clock.advance(10)
    await plane.client.delete(f"{address}/override", headers=headers)
    told = (await plane.client.get(f"{address}/history", headers=headers)).json()
    assert [(row["percent"], row["settled"], row["limit"]) for row in told["crossed"]] == [
        (80, "8.00", "10.00"),
        (50, "5.00", "10.00"),
    ]
    (override,) = told["overrides"]
    assert (override["limit"], override["reason"], override["ended_at_ms"]) == (None, "Launch", plane.clock())


async def test_a_quota_of_each_user_says_whose_counter_crossed(plane):
    headers = await plane.token(await plane.organization())
    wanted = {"unit": "requests", "limit": 100, "window": "day", "scope": {"user": "*"}, "thresholds": [50]}
    made = await plane.client.post("/v1/quotas", json=wanted, headers=headers)
    (quota,) = await published(plane, "quota")
    crossing = crossed(plane, quota, 50, 50)
    named = msgspec.structs.replace(crossing, counter=f"{crossing.counter}|user=ann")
    await report(plane, await plane.gateway(), crossings=(named,))
    told = (await plane.client.get(f"/v1/quotas/{made.json()['id']}/history", headers=headers)).json()
    assert [(row["percent"], row["values"]) for row in told["crossed"]] == [(50, {"user": "ann"})]
    assert told["overrides"] == []


async def test_a_budget_of_somebody_else_has_no_history(plane):
    theirs = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 10}, headers=theirs)
    mine = await plane.token(await plane.organization())
    answer = await plane.client.get(f"/v1/budgets/{made.json()['id']}/history", headers=mine)
    assert answer.status_code == 404
