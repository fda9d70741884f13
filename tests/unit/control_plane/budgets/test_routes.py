import asyncio

import pytest

from tests.support.budgets import counted, crossed, published, refusals, report

DOLLAR = 10**9


async def project(plane, headers, name="Checkout"):
    return (await plane.client.post("/v1/projects", json={"name": name}, headers=headers)).json()["id"]


async def test_a_budget_is_set_spent_overridden_and_deleted(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers, gateway = await plane.token(org), await plane.gateway()
    project_id = await project(plane, headers)

    made = await plane.client.post(
        "/v1/budgets", json={"project_id": project_id, "limit_usd": "100.00", "period": "month"}, headers=headers
    )
    assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
    assert {**made.json(), "id": "", "created_at_ms": 0} == {
        "id": "",
        "project_id": project_id,
        "name": "",
        "limit_usd": "100.00",
        "period": "month",
        "hard_stop": True,
        "thresholds": [50, 80, 90, 100],
        "scope": {},
        "time_zone": "UTC",
        "ceiling_usd": None,
        "created_at_ms": 0,
    }
    (quota,) = await published(plane, "quota")
    assert (quota.unit, quota.limit, quota.action) == ("usd", 100 * DOLLAR, "block")
    assert quota.scope == {"org": org, "project": project_id}

    address = f"/v1/budgets/{made.json()['id']}"
    before = (await plane.client.get(f"{address}/status", headers=headers)).json()
    assert (before["spent"], before["as_of_ms"], before["counted"]) == (None, None, None)

    plane.clock.advance(60)
    told = counted(plane, quota, 95 * DOLLAR, 2 * DOLLAR)
    await report(plane, gateway, counters=(told,), crossings=(crossed(plane, quota, 90, 91 * DOLLAR),))
    status = (await plane.client.get(f"{address}/status", headers=headers)).json()
    assert (status["spent"], status["held"], status["left"], status["percent"]) == ("95.00", "2.00", "3.00", 95.0)
    assert [(one["percent"], one["settled"]) for one in status["crossed"]] == [(90, "91.00")]
    assert (status["counted"], [node["node"] for node in status["nodes"]]) == ("per_node", ["node-1"])

    grace = await plane.client.post(
        f"{address}/override", json={"minutes": 30, "limit_usd": 200, "reason": "Launch"}, headers=headers
    )
    assert (grace.status_code, grace.json()["limit"]) == (201, "200.00"), grace.text
    (override,) = await published(plane, "quota_override")
    assert (override.quota_id, override.limit) == (quota.id, 200 * DOLLAR)
    assert override.until_s == plane.clock() // 1000 + 1800
    status = (await plane.client.get(f"{address}/status", headers=headers)).json()
    assert (status["limit"], status["limit_in_force"], status["left"]) == ("100.00", "200.00", "103.00")
    assert status["override"]["reason"] == "Launch"

    assert (await plane.client.delete(f"{address}/override", headers=headers)).status_code == 204
    assert await published(plane, "quota_override") == []
    assert await refusals(plane) == []

    await plane.client.post(f"{address}/override", json={"minutes": 30}, headers=headers)
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert (await published(plane, "quota"), await published(plane, "quota_override")) == ([], [])
    assert (await plane.client.get(f"{address}/status", headers=headers)).status_code == 404


async def test_a_budget_is_changed_and_published_anew(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    edits = {
        "limit_usd": "0.000000001",
        "period": "week",
        "hard_stop": False,
        "thresholds": [90, 100],
        "scope": {"model": "gpt-4o-mini", "user": "*"},
        "time_zone": "Europe/Berlin",
        "ceiling_usd": 2.5,
        "name": "Experiments",
    }
    changed = await plane.client.patch(f"/v1/budgets/{id}", json=edits, headers={**headers, "if-match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"'), changed.text
    assert changed.json().items() >= {**edits, "ceiling_usd": "2.50"}.items()
    (quota,) = await published(plane, "quota")
    assert (quota.limit, quota.window, quota.action, quota.thresholds) == (1, "week", "alert", (90, 100))
    assert (quota.time_zone, quota.ceiling, quota.scope["user"]) == ("Europe/Berlin", 2_500_000_000, "*")

    kept = await plane.client.patch(f"/v1/budgets/{id}", json={"ceiling_usd": None}, headers=headers)
    assert (kept.json()["ceiling_usd"], kept.json()["name"]) == (None, "Experiments")
    late = await plane.client.patch(f"/v1/budgets/{id}", json={"name": "x"}, headers={**headers, "if-match": '"1"'})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")
    late = await plane.client.delete(f"/v1/budgets/{id}", headers={**headers, "if-match": '"1"'})
    assert late.status_code == 412


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"limit_usd": "lots"}, "body/limit_usd"),
        ({"limit_usd": -1}, "body/limit_usd"),
        ({"limit_usd": "0.0000000001"}, "body/limit_usd"),
        ({"limit_usd": "1e999999"}, "body/limit_usd"),
        ({"limit_usd": 10_000_000}, "body/limit_usd"),
        ({"limit_usd": 1, "thresholds": [90, 80]}, "body/thresholds"),
        ({"limit_usd": 1, "thresholds": [0]}, "body/thresholds"),
        ({"limit_usd": 1, "time_zone": "Mars/Olympus"}, "body/time_zone"),
        ({"limit_usd": 1, "ceiling_usd": 0}, "body/ceiling_usd"),
        ({"limit_usd": 1, "scope": {"org": "other"}}, "body/scope"),
        ({"limit_usd": 1, "scope": {"project": "*"}}, "body/scope"),
        ({"limit_usd": 1, "scope": {"provider": "nobody"}}, "body/scope"),
        ({"limit_usd": 1, "scope": {"model": ""}}, "body/scope"),
        ({"limit_usd": 1, "scope": {"key": "key_01k4aaaaaaaaaaaaaaaaaaaaaa"}}, "body/scope"),
        ({"limit_usd": 1, "scope": {"key": "\x00"}}, "body/scope"),
        ({"limit_usd": 1, "project_id": "prj_01k4aaaaaaaaaaaaaaaaaaaaaa"}, "body/project_id"),
    ],
)
async def test_a_bad_field_is_named(plane, body, pointer):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/budgets", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await published(plane, "quota") == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"limit_usd": None},
        {"limit_usd": 1, "period": "fortnight"},
        {"limit_usd": 1, "scope": {"colour": "red"}},
        {"limit_usd": 1, "name": "two\nlines"},
        {"limit_usd": 1, "more": 1},
    ],
)
async def test_a_body_of_another_form_is_refused(plane, body):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/budgets", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text


async def test_a_bad_edit_changes_nothing(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    bad = await plane.client.patch(f"/v1/budgets/{id}", json={"name": "x", "time_zone": "Mars"}, headers=headers)
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "body/time_zone")
    kept = await plane.client.get(f"/v1/budgets/{id}", headers=headers)
    assert (kept.json()["name"], kept.headers["etag"]) == ("", '"1"')


async def test_another_organizations_budgets_and_quotas_are_not_there(either_plane):
    plane = either_plane
    mine, theirs = await plane.token(await plane.organization()), await plane.token(await plane.organization())
    project_id = await project(plane, mine)
    foreign = {"limit_usd": 1, "project_id": project_id}
    assert (await plane.client.post("/v1/budgets", json=foreign, headers=theirs)).status_code == 400
    for things, body in (("budgets", {"limit_usd": 1}), ("quotas", {"unit": "requests", "limit": 1})):
        id = (await plane.client.post(f"/v1/{things}", json=body, headers=mine)).json()["id"]
        for method, path, sent in (
            ("GET", "", None),
            ("PATCH", "", {"name": "x"}),
            ("DELETE", "", None),
            ("GET", "/status", None),
            ("POST", "/override", {"minutes": 1}),
            ("DELETE", "/override", None),
        ):
            answer = await plane.client.request(method, f"/v1/{things}/{id}{path}", json=sent, headers=theirs)
            assert answer.status_code == 404, (method, path)
        assert (await plane.client.get(f"/v1/{things}", headers=theirs)).json()["items"] == []
        assert (await plane.client.get(f"/v1/{things}/{id}", headers=mine)).json()["name"] == ""


async def test_a_list_may_be_of_one_project(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    for things, body in (("budgets", {"limit_usd": 1}), ("quotas", {"unit": "requests", "limit": 1})):
        await plane.client.post(f"/v1/{things}", json=body, headers=headers)
        await plane.client.post(f"/v1/{things}", json={**body, "project_id": project_id}, headers=headers)
        everything = (await plane.client.get(f"/v1/{things}", headers=headers)).json()["items"]
        assert [one["project_id"] for one in everything].count(None) == 1
        of_one = await plane.client.get(f"/v1/{things}?project_id={project_id}", headers=headers)
        assert [one["project_id"] for one in of_one.json()["items"]] == [project_id]


async def test_an_archived_project_gets_no_budget(plane):
    headers = await plane.token(await plane.organization())
    project_id = await project(plane, headers)
    await plane.client.delete(f"/v1/projects/{project_id}", headers=headers)
    answer = await plane.client.post("/v1/budgets", json={"limit_usd": 1, "project_id": project_id}, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "body/project_id")


async def test_a_quota_is_set_changed_overridden_and_deleted(either_plane):
    plane = either_plane
    org = await plane.organization()
    headers, gateway = await plane.token(org), await plane.gateway()
    wanted = {"unit": "requests", "limit": 10, "window": "minute", "scope": {"user": "*"}, "answers_429": True}
    made = await plane.client.post("/v1/quotas", json=wanted, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json().items() >= {**wanted, "thresholds": [], "action": "block", "values_max": 10_000}.items()
    await project(plane, headers)
    (quota,) = await published(plane, "quota")
    assert (quota.unit, quota.limit, quota.window, quota.answers_429) == ("requests", 10, "minute", True)
    assert quota.scope == {"org": org, "user": "*"}
    assert await refusals(plane) == []

    await report(
        plane, gateway, counters=(counted(plane, quota, 4, 1, user="zoe"), counted(plane, quota, 9, user="a|b=c"))
    )
    address = f"/v1/quotas/{made.json()['id']}"
    status = (await plane.client.get(f"{address}/status", headers=headers)).json()
    assert (status["spent"], status["held"], status["left"], status["percent"]) == (13, 1, None, None)
    assert status["counters"] == [
        {"values": {"user": "a|b=c"}, "spent": 9, "held": 0, "left": 1, "percent": 90.0},
        {"values": {"user": "zoe"}, "spent": 4, "held": 1, "left": 5, "percent": 40.0},
    ]

    changed = await plane.client.patch(address, json={"limit": None, "window": "day"}, headers=headers)
    assert (changed.status_code, changed.json()["limit"], changed.json()["window"]) == (200, None, "day")
    grace = await plane.client.post(f"{address}/override", json={"minutes": 1, "limit": 5}, headers=headers)
    assert (grace.status_code, grace.json()["limit"]) == (201, 5), grace.text
    assert (await plane.client.delete(f"{address}/override", headers=headers)).status_code == 204
    assert (await plane.client.delete(address, headers=headers)).status_code == 204
    assert await published(plane, "quota") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"unit": "requests", "limit": 1.5}, "body/limit"),
        ({"unit": "requests", "limit": "10"}, "body/limit"),
        ({"unit": "tokens", "limit": -1}, "body/limit"),
        ({"unit": "tokens", "limit": 2**53 + 1}, "body/limit"),
        ({"unit": "usd", "limit": "much"}, "body/limit"),
        ({"unit": "concurrent", "limit": 1, "window": "hour"}, "body/window"),
        ({"unit": "requests", "limit": 1, "ceiling_usd": 1}, "body/ceiling_usd"),
        ({"unit": "requests", "limit": 1, "values_max": 0}, "body/values_max"),
        ({"unit": "requests", "limit": 1, "scope": {"org": "x"}}, "body/scope"),
    ],
)
async def test_a_bad_field_of_a_quota_is_named(plane, body, pointer):
    headers = await plane.token(await plane.organization())
    answer = await plane.client.post("/v1/quotas", json=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_bad_grace_is_refused(plane):
    headers = await plane.token(await plane.organization())
    id = (await plane.client.post("/v1/quotas", json={"unit": "tokens", "limit": 1}, headers=headers)).json()["id"]
    for body in ({"minutes": 0}, {"minutes": 10**9}, {}, {"minutes": 1, "limit": -1}, {"minutes": 1, "limit": 2**60}):
        answer = await plane.client.post(f"/v1/quotas/{id}/override", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid"), answer.text
    none = await plane.client.delete(f"/v1/quotas/{id}/override", headers=headers)
    assert (none.status_code, none.json()["code"]) == (404, "not_found")


async def test_of_two_overrides_at_once_one_is_left(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    await project(plane, headers)
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=headers)).json()["id"]
    answers = await asyncio.gather(
        *(
            plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": minutes}, headers=headers)
            for minutes in (5, 6, 7, 8)
        )
    )
    assert [answer.status_code for answer in answers] == [201] * 4, answers[-1].text
    assert len(await published(plane, "quota_override")) == 1
    assert await refusals(plane) == []


async def test_who_may_only_read_changes_nothing(plane):
    org = await plane.organization()
    owner, viewer = await plane.token(org), await plane.token(org, "viewer")
    id = (await plane.client.post("/v1/budgets", json={"limit_usd": 1}, headers=owner)).json()["id"]
    assert (await plane.client.get(f"/v1/budgets/{id}/status", headers=viewer)).status_code == 200
    refused = await plane.client.post(f"/v1/budgets/{id}/override", json={"minutes": 1}, headers=viewer)
    assert refused.status_code == 403
