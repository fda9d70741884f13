import asyncio

from sqlalchemy import select

from control_plane.budgets.jobs import end_overrides
from control_plane.budgets.tables import Override
from control_plane.db.engine import EVERY_ORG
from tests.support.budgets import published


async def overrides(plane):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return (await session.execute(select(Override).order_by(Override.until_s))).scalars().all()


async def test_gateways_forget_an_override_whose_time_is_over(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    ids = [
        (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"] for _ in range(2)
    ]
    for id, minutes in zip(ids, (1, 2), strict=True):
        await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": minutes}, headers=headers)

    plane.clock.advance(59)
    await end_overrides(plane.parts.database, plane.clock())
    assert len(await published(plane, "quota_override")) == 2

    plane.clock.advance(1)
    await asyncio.gather(*(end_overrides(plane.parts.database, plane.clock()) for _ in range(3)))
    assert [override.quota_id for override in await published(plane, "quota_override")] == ids[1:]
    first, second = await overrides(plane)
    assert (first.ended_at_ms, second.ended_at_ms) == (first.until_s * 1000, None)


async def test_an_override_that_nobody_ended_gives_way_to_the_next(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 1}, headers=headers)
    plane.clock.advance(90)
    assert (await plane.client.get(f"/v1/budgets/{id}/status", headers=headers)).json()["override"] is None
    assert (await plane.client.delete(f"/v1/budgets/{id}/override", headers=headers)).status_code == 404
    await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 5}, headers=headers)
    (override,) = await published(plane, "quota_override")
    assert override.until_s == plane.clock() // 1000 + 300
    assert (await overrides(plane))[0].ended_at_ms == (await overrides(plane))[0].until_s * 1000
