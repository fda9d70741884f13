import asyncio

import pytest

from control_plane.kill_switch.service import SILENT_MS
from tests.support.budgets import published, refusals, report


async def project(plane, headers, name="Checkout"):
    return (await plane.client.post("/v1/projects", json={"name": name}, headers=headers)).json()["id"]


async def test_a_kill_switch_is_thrown_and_released(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers = await plane.token(org)
    project_id = await project(plane, headers)
    wanted = {"project_id": project_id, "reason": "An agent runs in circles", "allow": ["models"]}

    thrown = await plane.client.post("/v1/kill-switch/trigger", json=wanted, headers=headers)
    assert thrown.status_code == 201, thrown.text
    switch = thrown.json()
    assert switch.items() >= {**wanted, "active": True, "activated_at_ms": plane.clock(), "released_by": None}.items()
    assert switch["activated_by"].startswith("token:tok_")
    (told,) = await published(plane, "kill_switch")
    assert (told.id, told.scope, told.allow) == (switch["id"], {"org": org, "project": project_id}, ("models",))
    assert told.reason == wanted["reason"]
    assert await refusals(plane) == []
    assert (await plane.client.get("/v1/kill-switch", headers=headers)).json()["items"] == [switch]

    plane.clock.advance(60)
    released = await plane.client.post("/v1/kill-switch/release", json={"id": switch["id"]}, headers=headers)
    assert released.status_code == 200, released.text
    (item,) = released.json()["items"]
    assert (item["active"], item["released_at_ms"]) == (False, plane.clock())
    assert item["released_by"] == switch["activated_by"]
    assert await published(plane, "kill_switch") == []
    assert (await plane.client.get("/v1/kill-switch", headers=headers)).json()["items"] == []
    assert (await plane.client.get("/v1/kill-switch?all=true", headers=headers)).json()["items"] == [item]


async def test_of_many_who_throw_it_at_once_one_does(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    answers = await asyncio.gather(
        *(plane.client.post("/v1/kill-switch/trigger", json={"reason": "x"}, headers=headers) for _ in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await published(plane, "kill_switch")) == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"reason": "x", "scope": {"org": "other"}}, "body/scope"),
        ({"reason": "x", "scope": {"project": "p"}}, "body/scope"),
        ({"reason": "x", "scope": {"model": "*"}}, "body/scope"),
        ({"reason": "x", "scope": {"provider": "nobody"}}, "body/scope"),
        ({"reason": "x", "scope": {"key": "key_01k4aaaaaaaaaaaaaaaaaaaaaa"}}, "body/scope"),
        ({"reason": "x", "scope": {"key": "\x00"}}, "body/scope"),
        ({"reason": "x", "allow": ["a\nb"]}, "body/allow"),
    ],
)
async def test_a_bad_field_is_named(plane, body, pointer):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/kill-switch/trigger", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await published(plane, "kill_switch") == []


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "two\nlines"}, {"reason": "x" * 501}])
async def test_callers_are_told_a_reason(plane, body):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/kill-switch/trigger", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text


async def test_another_organizations_switches_and_projects_are_not_there(either_plane):
    plane = either_plane
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    project_id = await project(plane, mine)
    id = (await plane.client.post("/v1/kill-switch/trigger", json={"reason": "x"}, headers=mine)).json()["id"]
    for path, body in (
        ("trigger", {"reason": "x", "project_id": project_id}),
        ("release", {"id": id}),
        ("release", {"project_id": project_id}),
    ):
        answer = await plane.client.post(f"/v1/kill-switch/{path}", json=body, headers=theirs)
        assert answer.status_code == 404, (path, body)
    assert (await plane.client.post("/v1/kill-switch/release", json={"project_id": None}, headers=theirs)).json() == {
        "items": []
    }
    assert (await plane.client.get("/v1/kill-switch?all=true", headers=theirs)).json()["items"] == []
    assert len(await published(plane, "kill_switch")) == 1


async def test_a_developer_may_stop_and_a_viewer_may_look(plane):
    org = await plane.organization()
    developer, viewer = await plane.token(org, "developer"), await plane.token(org, "viewer")
    assert (await plane.client.get("/v1/kill-switch", headers=viewer)).status_code == 200
    refused = await plane.client.post("/v1/kill-switch/trigger", json={"reason": "x"}, headers=viewer)
    assert refused.status_code == 403
    thrown = await plane.client.post("/v1/kill-switch/trigger", json={"reason": "x"}, headers=developer)
    assert thrown.status_code == 201


async def test_calls_under_way_are_counted_by_project_and_only_ones_own(either_plane):
    plane = either_plane
    headers, others = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    mine = (await plane.client.post("/v1/projects", json={"name": "Mine"}, headers=headers)).json()["id"]
    theirs = (await plane.client.post("/v1/projects", json={"name": "Theirs"}, headers=others)).json()["id"]
    gateway = await plane.gateway()

    async def under_way(who):
        return (await plane.client.get("/v1/kill-switch/calls", headers=who)).json()

    assert await under_way(headers) == {"calls": 0, "by_project": {}}
    for node, inflight in (("node-1", {mine: 2, theirs: 5}), ("node-2", {mine: 1, "nobodys": 9})):
        await report(plane, gateway, node, inflight=9, inflight_by_project=inflight)
    assert await under_way(headers) == {"calls": 3, "by_project": {mine: 3}}
    assert await under_way(others) == {"calls": 5, "by_project": {theirs: 5}}
    plane.clock.advance(SILENT_MS // 1000 + 1)
    await report(plane, gateway, inflight=9, inflight_by_project={mine: 4})
    assert await under_way(headers) == {"calls": 4, "by_project": {mine: 4}}
