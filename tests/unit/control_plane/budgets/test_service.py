import asyncio

from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.budgets.tables import BudgetEvent
from control_plane.db.engine import EVERY_ORG
from tests.support.budgets import counted, crossed, published, report


async def test_each_change_is_in_the_audit_log_with_before_and_after(plane):
    headers = await plane.token(await plane.organization())
    made = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()
    address = f"/v1/budgets/{made['id']}"
    changed = (await plane.client.patch(address, json={"limit_usd": 2}, headers=headers)).json()
    await plane.client.delete(address, headers=headers)
    async with plane.parts.database.reading(EVERY_ORG) as session:
        logged = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    assert [row.action for row in logged] == ["budget:create", "budget:update", "budget:delete"]
    assert {row.subject for row in logged} == {f"budget:{made['id']}"}
    create, update, delete = (row.meta for row in logged)
    assert create["after"] == made
    assert (update["before"], update["after"]) == (made, changed)
    assert delete["before"] == changed


async def test_of_two_edits_of_the_same_state_one_is_refused(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    answers = await asyncio.gather(
        *(
            plane.client.patch(f"/v1/budgets/{id}", json={"name": name}, headers={**headers, "if-match": '"1"'})
            for name in ("a", "b", "c")
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412]


async def test_every_edit_is_another_revision_to_gateways(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    version = (await plane.parts.feed.latest()).version
    await plane.client.patch(f"/v1/budgets/{id}", json={"name": "Checkout"}, headers=headers)
    assert (await plane.parts.feed.latest()).version == version + 1
    await plane.client.patch(f"/v1/budgets/{id}", json={"limit_usd": 2}, headers=headers)
    assert (await plane.parts.feed.latest()).version == version + 2


async def test_what_was_crossed_outlives_its_budget_and_what_comes_later_is_ignored(plane):
    headers, gateway = await plane.token(await plane.organization()), await plane.gateway()
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    (quota,) = await published(plane, "quota")
    await report(plane, gateway, crossings=(crossed(plane, quota, 50, 500_000_000),))
    await plane.client.delete(f"/v1/budgets/{id}", headers=headers)
    late = (crossed(plane, quota, 90, 900_000_000),)
    await report(plane, gateway, crossings=late, counters=(counted(plane, quota, 1),))
    async with plane.parts.database.reading(EVERY_ORG) as session:
        events = (await session.execute(select(BudgetEvent))).scalars().all()
    assert [event.threshold for event in events] == [50]
