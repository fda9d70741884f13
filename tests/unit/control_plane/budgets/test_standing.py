from gateway.contract.publishing import CounterState
from gateway.ledger.window import NEVER_S
from tests.support.budgets import counted, published, report

DOLLAR = 10**9


async def budget(plane, headers, **wanted):
    made = await plane.client.post("/v1/budgets", json={"limit_usd": 100, **wanted}, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()["id"]


async def asked(plane, headers, *ids, of="budgets"):
    return await plane.client.get(f"/v1/{of}/standing", params={"id": ids}, headers=headers)


async def told(plane, headers, *ids, of="budgets"):
    answer = await asked(plane, headers, *ids, of=of)
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()}


async def test_budgets_of_a_page_stand_as_each_says_of_itself(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    spent, idle, each = [
        await budget(plane, headers, **wanted)
        for wanted in ({}, {"limit_usd": 7, "period": "day"}, {"scope": {"user": "*"}})
    ]
    await plane.client.post(f"/v1/budgets/{spent}/override", json={"minutes": 30, "limit_usd": 200}, headers=headers)
    quotas = {quota.id: quota for quota in await published(plane, "quota")}
    plane.clock.advance(60)
    counters = (
        counted(plane, quotas[spent], 95 * DOLLAR, 2 * DOLLAR),
        counted(plane, quotas[each], 3 * DOLLAR, user="ann"),
        counted(plane, quotas[each], 4 * DOLLAR, user="bo"),
    )
    await report(plane, await plane.gateway(), counters=counters)

    standing = await told(plane, headers, spent, idle, each)
    assert standing[spent] == {
        "id": spent,
        "limit_in_force": "200.00",
        "spent": "95.00",
        "held": "2.00",
        "percent": 95.0,
        "overridden": True,
    }
    assert (standing[idle]["spent"], standing[idle]["percent"]) == ("0.00", 0.0)
    assert (standing[each]["spent"], standing[each]["percent"]) == ("7.00", None)
    for id, one in standing.items():
        status = (await plane.client.get(f"/v1/budgets/{id}/status", headers=headers)).json()
        del one["overridden"]
        assert one == {name: status[name] for name in one}


async def test_what_no_gateway_told_of_is_unknown(plane):
    headers = await plane.token(await plane.organization())
    id = await budget(plane, headers)
    before = (await told(plane, headers, id))[id]
    assert (before["spent"], before["held"], before["percent"]) == (None, None, None)


async def test_quotas_stand_beside_each_other(plane):
    headers = await plane.token(await plane.organization())
    wanted = {"unit": "concurrent", "limit": 4, "action": "block"}
    made = await plane.client.post("/v1/quotas", json=wanted, headers=headers)
    assert made.status_code == 201, made.text
    (quota,) = await published(plane, "quota")
    state = CounterState(quota.id, f"{quota.id}@now", 0, NEVER_S, 0, 3, 4)
    await report(plane, await plane.gateway(), counters=(state,))
    standing = (await told(plane, headers, quota.id, of="quotas"))[quota.id]
    assert (standing["held"], standing["limit_in_force"], standing["percent"]) == (3, 4, 75.0)


async def test_nobody_is_told_of_what_is_not_theirs_and_too_much_is_refused(plane):
    headers = await plane.token(await plane.organization())
    others = await plane.token(await plane.organization("Others"))
    mine, theirs = await budget(plane, headers), await budget(plane, others)
    assert list(await told(plane, headers, mine, theirs)) == [mine]
    assert await told(plane, headers, theirs) == {}
    for ids in ((), ("nonsense",), (mine,) * 201):
        assert (await asked(plane, headers, *ids)).status_code == 400, ids[:1]
