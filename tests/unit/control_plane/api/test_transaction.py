"""Changes are committed before their answer leaves, refused ones leave nothing, repeated ones are one."""

import asyncio

import pytest
from sqlalchemy import select, update

from control_plane.api.tables import IdempotentAnswer
from control_plane.db.engine import EVERY_ORG
from control_plane.projects.tables import Project

CANARY = "Canary project"
IMPORTS = "/v1/reconciliation/imports"


@pytest.fixture
async def headers(either_plane):
    return await either_plane.token(await either_plane.organization())


async def count(plane):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return len((await session.execute(select(Project.id))).all())


def create(plane, headers, name="A", key=None):
    more = {} if key is None else {"idempotency-key": key}
    return plane.client.post("/v1/projects", json={"name": name}, headers={**headers, **more})


async def test_a_change_is_committed_before_its_answer_leaves(either_plane, headers):
    seen = []
    app = either_plane.client._transport.app

    async def send(message):
        seen.append((message["type"], await count(either_plane)))

    async def receive():
        return {"type": "http.request", "body": b'{"name":"A"}', "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in {**headers, "content-type": "application/json"}.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/v1/projects", "raw_path": b"/v1/projects", "root_path": "", "query_string": b"", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("control.test", 80), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    assert seen == [("http.response.start", 1), ("http.response.body", 1)]


async def test_a_refused_change_leaves_nothing(either_plane, headers):
    await create(either_plane, headers)
    before = (await either_plane.client.get("/v1/audit", headers=headers)).json()["items"]
    assert (await create(either_plane, headers, key="again")).status_code == 409
    assert await count(either_plane) == 1
    assert (await either_plane.client.get("/v1/audit", headers=headers)).json()["items"] == before
    # Nor is the refusal kept: what was wrong may have been mended.
    assert (await create(either_plane, headers, name="B", key="again")).status_code == 201


async def test_a_repeat_is_answered_as_the_first_was(either_plane, headers):
    first = await create(either_plane, headers, key="k1")
    again = await create(either_plane, headers, key="k1")
    assert (again.status_code, again.json(), again.headers["etag"]) == (201, first.json(), first.headers["etag"])
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert await count(either_plane) == 1


async def test_repeats_at_once_are_one_change(either_plane, headers):
    answers = await asyncio.gather(*(create(either_plane, headers, key="k1") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.text for answer in answers}) == 1
    assert await count(either_plane) == 1


async def test_c23_29955_a_key_is_for_one_request_of_one_actor(either_plane, headers):
    await create(either_plane, headers, key="k1")
    other = await create(either_plane, headers, name="B", key="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    theirs = await either_plane.token(await either_plane.organization("Theirs"))
    assert (await create(either_plane, theirs, key="k1")).status_code == 201


async def test_c23_29955_a_person_is_another_actor_in_each_organization(either_plane):
    org_ids = [await either_plane.organization(name) for name in ("Acme", "Theirs")]
    user_id = await either_plane.member(org_ids[0], "ada@example.com", "owner")
    await either_plane.join(org_ids[1], user_id, "owner")
    browser = await either_plane.browser("ada@example.com")
    made = []
    for org_id in org_ids:
        await browser.request("POST", "/v1/session/organization", json={"org_id": org_id})
        headers = {"cookie": browser.cookie, "x-csrf-token": browser.csrf}
        made.append((await create(either_plane, headers, key="k1")).json()["id"])
        listed = await browser.request("GET", "/v1/projects")
        assert [project["id"] for project in listed.json()["items"]] == made[-1:]
    assert made[0] != made[1]


async def test_an_answer_is_kept_sealed(either_plane, headers):
    await create(either_plane, headers, name=CANARY, key="k1")
    async with either_plane.parts.database.reading(EVERY_ORG) as session:
        row = (await session.execute(select(IdempotentAnswer))).scalar_one()
    assert (row.status, row.key, row.created_at_ms) == (201, "k1", either_plane.clock())
    assert CANARY not in row.sealed


async def test_answers_are_forgotten_after_a_day(either_plane, headers):
    plane = either_plane
    await create(plane, headers, name="A", key="old")
    plane.clock.advance(86_000)
    await create(plane, headers, name="B", key="new")
    plane.clock.advance(401)
    (job,) = [job for job in plane.parts.jobs if job.name == "forget_idempotent_answers"]
    await job.run(plane.clock())
    async with plane.parts.database.reading(EVERY_ORG) as session:
        assert (await session.execute(select(IdempotentAnswer.key))).scalars().all() == ["new"]


@pytest.mark.parametrize("key", ["", "k" * 201])
async def test_a_bad_key_is_refused(either_plane, headers, key):
    assert (await create(either_plane, headers, key=key)).status_code == 400


def export(tokens=1):
    return (
        b'{"data": [{"start_time": 1789948800, "end_time": 1790035200, "results": [{"object":'
        b' "organization.usage.completions.result", "output_tokens": 0, "num_model_requests": 1, "model": "gpt-4o",'
        b' "input_tokens": %d}]}]}' % tokens
    )


def bring_in(plane, headers, data, key="k1", source="openai_usage"):
    sent = {**headers, "idempotency-key": key}
    return plane.client.post(f"{IMPORTS}?source={source}", content=data, headers=sent)


async def imports(plane, headers):
    return [one["id"] for one in (await plane.client.get(IMPORTS, headers=headers)).json()["items"]]


async def test_a_repeat_is_one_change_where_a_route_has_its_own_transactions(either_plane, headers):
    first = await bring_in(either_plane, headers, export())
    again = await bring_in(either_plane, headers, export())
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert await imports(either_plane, headers) == [first.json()["id"]]
    for other in (
        bring_in(either_plane, headers, export(2)),
        bring_in(either_plane, headers, export(), "k1", "aws_cur"),
    ):
        assert ((answer := await other).status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_repeats_at_once_of_what_has_its_own_transactions_are_one_change(either_plane, headers):
    answers = await asyncio.gather(*(bring_in(either_plane, headers, export()) for _ in range(5)))
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert await imports(either_plane, headers) == list(made)


async def test_what_is_under_way_is_waited_for_until_it_must_have_died(either_plane, headers):
    await bring_in(either_plane, headers, export())
    async with either_plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(IdempotentAnswer).values(status=0))
    waits = await bring_in(either_plane, headers, export())
    assert (waits.status_code, waits.headers["retry-after"], "under way" in waits.text) == (409, "5", True)
    either_plane.clock.advance(600)
    assert (await bring_in(either_plane, headers, export())).status_code == 201
    assert len(await imports(either_plane, headers)) == 2


async def test_a_refusal_of_what_has_its_own_transactions_is_not_kept(either_plane, headers):
    assert (await bring_in(either_plane, headers, b"nothing")).status_code == 400
    assert (await bring_in(either_plane, headers, export())).status_code == 201


async def test_a_choice_of_an_organization_is_made_again(either_plane):
    org_ids = [await either_plane.organization(name) for name in ("Acme", "Theirs")]
    user_id = await either_plane.member(org_ids[0], "ada@example.com", "owner")
    await either_plane.join(org_ids[1], user_id, "owner")
    browser = await either_plane.browser("ada@example.com")
    for org_id, key in ((org_ids[1], "k1"), (org_ids[0], "k2"), (org_ids[1], "k1")):
        headers = {"cookie": browser.cookie, "x-csrf-token": browser.csrf, "idempotency-key": key}
        await either_plane.client.post("/v1/session/organization", json={"org_id": org_id}, headers=headers)
        either_plane.client.cookies.clear()
        assert (await browser.request("GET", "/v1/session")).json()["organization"]["id"] == org_id


async def test_c26_cve_2024_8984_a_body_is_bounded(either_plane, headers):
    for more in ({}, {"idempotency-key": "k"}):
        sent = {**headers, **more, "content-type": "application/json"}
        answer = await either_plane.client.post("/v1/projects", content=b" " * (2**19 + 1), headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


async def test_an_answer_that_has_begun_holds_no_connection(either_plane):
    """However long it streams: a gateway's feed, calls as they end, an export."""
    plane, held = either_plane, []
    headers = await plane.token(await plane.organization())

    async def send(message):
        if message["type"] == "http.response.start":
            held.append(plane.parts.database.engine.pool.checkedout())

    scope = {
        "type": "http", "method": "GET", "path": "/v1/projects", "raw_path": b"/v1/projects", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "client": ("127.0.0.1", 1),
        "server": ("control.test", 80), "scheme": "http", "http_version": "1.1", "root_path": "", "state": {},
        "asgi": {"version": "3.0"}, "extensions": {},
    }  # fmt: skip
    await plane.app(scope, None, send)
    assert held == [0]
