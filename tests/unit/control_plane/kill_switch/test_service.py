import pytest
from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.db.engine import EVERY_ORG
from tests.support.budgets import published


async def throw(plane, headers, **wanted):
    answer = await plane.client.post("/v1/kill-switch/trigger", json={"reason": "x", **wanted}, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()["id"]


async def release(plane, headers, **named):
    answer = await plane.client.post("/v1/kill-switch/release", json=named, headers=headers)
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}


async def project(plane, headers, name):
    return (await plane.client.post("/v1/projects", json={"name": name}, headers=headers)).json()["id"]


async def test_another_scope_or_less_left_open_is_another_switch(plane):
    headers = await plane.token(await plane.organization())
    first = await throw(plane, headers, allow=["models", "files"])
    assert await throw(plane, headers, allow=["files", "models"], reason="y") == first
    assert await throw(plane, headers, allow=["files", "models", "batches"]) == first
    stricter = await throw(plane, headers, allow=["models"])
    narrower = await throw(plane, headers, scope={"model": "gpt-4o-mini"})
    assert len({first, stricter, narrower}) == 3
    assert await throw(plane, headers, scope={"model": "gpt-4o-mini"}) == narrower
    assert len(await published(plane, "kill_switch")) == 3


async def test_what_was_released_is_thrown_anew(plane):
    headers = await plane.token(await plane.organization())
    first = await throw(plane, headers)
    assert await release(plane, headers, id=first) == {first}
    assert await release(plane, headers, id=first) == set()
    assert await throw(plane, headers) != first


async def test_all_switches_of_a_project_are_released_and_no_others(plane):
    headers = await plane.token(await plane.organization())
    one, other = await project(plane, headers, "A"), await project(plane, headers, "B")
    of_one = {
        await throw(plane, headers, project_id=one),
        await throw(plane, headers, project_id=one, scope={"user": "zoe"}),
    }
    of_other, of_all = await throw(plane, headers, project_id=other), await throw(plane, headers)
    assert await release(plane, headers, project_id=one) == of_one
    assert {switch.id for switch in await published(plane, "kill_switch")} == {of_other, of_all}
    assert await release(plane, headers, project_id=None) == {of_all}
    assert {switch.id for switch in await published(plane, "kill_switch")} == {of_other}


async def test_an_archived_projects_calls_may_still_be_ended(plane):
    headers = await plane.token(await plane.organization())
    id = await project(plane, headers, "A")
    await plane.client.delete(f"/v1/projects/{id}", headers=headers)
    switch = await throw(plane, headers, project_id=id)
    assert await release(plane, headers, project_id=id) == {switch}


@pytest.mark.parametrize("both", [True, False])
async def test_a_release_names_one_or_all_of_a_project(plane, both):
    headers = await plane.token(await plane.organization())
    body = {"id": await throw(plane, headers), "project_id": None} if both else {}
    answer = await plane.client.post("/v1/kill-switch/release", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert len(await published(plane, "kill_switch")) == both


async def test_who_threw_and_who_released_is_in_the_audit_log(plane):
    org = await plane.organization()
    one, other = await plane.token(org), await plane.token(org, "admin")
    id = await throw(plane, one)
    await throw(plane, other)
    await release(plane, other, id=id)
    async with plane.parts.database.reading(EVERY_ORG) as session:
        logged = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    assert [(row.action, row.subject) for row in logged] == [
        ("kill_switch:trigger", f"kill_switch:{id}"),
        ("kill_switch:release", f"kill_switch:{id}"),
    ]
    assert logged[0].actor == logged[0].meta["after"]["activated_by"]
    assert logged[1].actor == logged[1].meta["after"]["released_by"] != logged[0].actor
    assert logged[1].meta["before"]["active"] is True
