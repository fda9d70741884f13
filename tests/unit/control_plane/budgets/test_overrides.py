from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.budgets.tables import Override
from control_plane.db.engine import EVERY_ORG
from tests.support.budgets import published


async def rows(plane, table):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return (await session.execute(select(table).order_by(table.id))).scalars().all()


async def set_budget(plane, headers):
    return (await plane.client.post("/v1/budgets", json={"limit_usd": 10}, headers=headers)).json()["id"]


async def test_another_override_ends_the_one_before(plane):
    headers = await plane.token(await plane.organization())
    id = await set_budget(plane, headers)
    await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 60, "limit_usd": 20}, headers=headers)
    plane.clock.advance(10)
    await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 5}, headers=headers)
    (in_force,) = await published(plane, "quota_override")
    assert (in_force.limit, in_force.until_s) == (None, plane.clock() // 1000 + 300)
    first, second = await rows(plane, Override)
    assert (first.ended_at_ms, second.ended_at_ms) == (plane.clock(), None)


async def test_who_granted_it_and_who_ended_it_is_in_the_audit_log(plane):
    headers = await plane.token(await plane.organization())
    id = await set_budget(plane, headers)
    body = {"minutes": 60, "limit_usd": 20, "reason": "Launch"}
    granted = (await plane.client.post(f"/v1/budgets/{id}/override", json=body, headers=headers)).json()
    await plane.client.delete(f"/v1/budgets/{id}/override", headers=headers)
    logged = [row for row in await rows(plane, AuditLog) if "override" in row.action]
    assert sorted((row.action, row.subject) for row in logged) == [
        ("budget:end_override", f"budget:{id}"),
        ("budget:override", f"budget:{id}"),
    ]
    by_action = {row.action: row for row in logged}
    assert by_action["budget:override"].meta["after"] == granted
    assert by_action["budget:end_override"].meta["before"]["reason"] == "Launch"
    assert granted["created_by"] == logged[0].actor


async def test_an_override_of_one_budget_is_none_of_another(plane):
    headers = await plane.token(await plane.organization())
    first, second = await set_budget(plane, headers), await set_budget(plane, headers)
    await plane.client.post(f"/v1/budgets/{first}/override", json={"minutes": 60}, headers=headers)
    status = (await plane.client.get(f"/v1/budgets/{second}/status", headers=headers)).json()
    assert (status["override"], status["limit_in_force"]) == (None, "10.00")
    status = (await plane.client.get(f"/v1/budgets/{first}/status", headers=headers)).json()
    assert (status["override"]["limit"], status["limit_in_force"]) == (None, None)


async def test_a_repeated_request_grants_once(plane):
    headers = {**await plane.token(await plane.organization()), "idempotency-key": "one"}
    id = await set_budget(plane, {name: value for name, value in headers.items() if name != "idempotency-key"})
    for _ in range(2):
        answer = await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 60}, headers=headers)
        assert answer.status_code == 201
    assert len(await rows(plane, Override)) == 1
