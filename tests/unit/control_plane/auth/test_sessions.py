from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.auth.roles import GRANTED, ROLES
from control_plane.db.engine import EVERY_ORG
from tests.support.control_plane import Browser


async def test_a_session_tells_what_its_role_may(plane):
    org_id = await plane.organization()
    for role in ROLES:
        said = (await plane.client.get("/v1/session", headers=await plane.token(org_id, role))).json()
        assert set(said["permissions"]) == GRANTED[role]
        assert said["organizations"] == [said["organization"]]


async def test_signing_in_and_out_stands_in_the_audit_log(plane):
    org_id = await plane.organization()
    user_id = await plane.member(org_id, "ada@example.com", "viewer")
    browser = await plane.browser("ada@example.com")
    await browser.request("DELETE", "/v1/session")
    async with plane.parts.database.reading(EVERY_ORG) as session:
        entries = (await session.execute(select(AuditLog).order_by(AuditLog.number))).scalars().all()
    assert [(one.org_id, one.actor, one.action) for one in entries] == [
        (org_id, f"user:{user_id}", "session:create"),
        (org_id, f"user:{user_id}", "session:delete"),
    ]


async def test_a_person_comes_back_to_the_organization_they_looked_at_last(plane):
    first, second = await plane.organization("First"), await plane.organization("Second")
    user_id = await plane.member(first, "ada@example.com", "viewer")
    await plane.join(second, user_id, "viewer")
    browser = await plane.browser("ada@example.com")
    await browser.request("POST", "/v1/session/organization", json={"org_id": second})
    plane.clock.advance(60)
    await browser.request("GET", "/v1/session")
    said = (await Browser(plane).sign_in(await plane.link("ada@example.com"))).json()
    assert said["organization"]["name"] == "Second"


async def test_a_name_of_a_browser_is_kept_cut(plane):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    token = await plane.link("ada@example.com")
    headers = {"user-agent": "x" * 5000}
    answer = await plane.client.post("/v1/auth/sessions", json={"token": token}, headers=headers)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    [listed] = (await plane.client.get("/v1/sessions", headers={"cookie": cookie})).json()["items"]
    assert listed["user_agent"] == "x" * 200


async def test_switching_stands_in_the_log_of_the_organization_that_is_looked_at(either_plane):
    plane = either_plane
    first, second = await plane.organization("First"), await plane.organization("Second")
    user_id = await plane.member(first, "ada@example.com", "viewer")
    await plane.join(second, user_id, "viewer")
    browser = await plane.browser("ada@example.com")
    stranger = await plane.organization("Third")
    for org_id, status in ((second, 200), (stranger, 404), ("*", 400)):
        answer = await browser.request("POST", "/v1/session/organization", json={"org_id": org_id})
        assert answer.status_code == status, answer.text
    async with plane.parts.database.reading(EVERY_ORG) as session:
        entries = (await session.execute(select(AuditLog).order_by(AuditLog.id))).scalars().all()
    assert [(one.org_id, one.actor, one.action) for one in entries] == [
        (first, f"user:{user_id}", "session:create"),
        (second, f"user:{user_id}", "session:switch"),
    ]
    assert (await browser.request("GET", "/v1/session")).json()["organization"]["id"] == second
