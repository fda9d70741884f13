import httpx

from tests.support.control_plane import Browser, control_plane
from tests.support.mail_server import link_token, mail_server


async def test_a_link_is_mailed_and_signs_in_once(database_url, tmp_path):
    async with mail_server() as there, control_plane(database_url, tmp_path, smtp_url=there.url) as plane:
        org_id = await plane.organization("Acme")
        await plane.member(org_id, "ada@example.com", "admin")
        asked = await plane.client.post("/v1/auth/links", json={"email": "Ada@Example.com"})
        assert asked.status_code == 202, asked.text
        [mail] = await there.mails(1)
        assert mail["to"] == "ada@example.com"

        browser = Browser(plane)
        signed_in = await browser.sign_in(link_token(mail))
        assert signed_in.status_code == 201, signed_in.text
        said = signed_in.json()
        assert said["name"] == "ada@example.com"
        assert said["organization"] == {"id": org_id, "name": "Acme", "role": "admin"}
        assert "members:write" in said["permissions"]
        assert "organization:write" not in said["permissions"]
        again = await Browser(plane).sign_in(link_token(mail))
        assert (again.status_code, again.json()["code"]) == (401, "unauthenticated")

        seen = await browser.request("GET", "/v1/session")
        assert seen.json() == said
        made = await browser.request("POST", "/v1/projects", json={"name": "Checkout"})
        assert made.status_code == 201, made.text
        out = await browser.request("DELETE", "/v1/session")
        assert out.status_code == 204, out.text
        assert browser.cookie == "lensai_session="
        assert (await browser.request("GET", "/v1/session")).status_code == 401


async def test_c02_the_cookie_is_out_of_reach_for_scripts_and_other_sites(plane, tmp_path):
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    answer = await Browser(plane).sign_in(await plane.link("ada@example.com"))
    name_and_value, *attributes = answer.headers["set-cookie"].split("; ")
    assert name_and_value.startswith("lensai_session=lss_")
    assert attributes == ["Path=/", "Max-Age=1209600", "HttpOnly", "SameSite=Lax"]
    url = f"sqlite+aiosqlite:///{tmp_path}/secure.sqlite"
    async with control_plane(url, tmp_path, public_url="https://lensai.example") as secure:
        await secure.member(await secure.organization(), "ada@example.com", "viewer")
        answer = await Browser(secure).sign_in(await secure.link("ada@example.com"))
        assert answer.headers["set-cookie"].endswith("; Secure")


async def test_who_looks_at_another_organization_sees_that_one(either_plane):
    plane = either_plane
    first, second = await plane.organization("First"), await plane.organization("Second")
    user_id = await plane.member(first, "ada@example.com", "owner")
    await plane.join(second, user_id, "viewer")
    browser = await plane.browser("ada@example.com")
    await browser.request("POST", "/v1/projects", json={"name": "Only in the first"})
    switched = await browser.request("POST", "/v1/session/organization", json={"org_id": second})
    assert switched.status_code == 200, switched.text
    assert switched.json()["organization"] == {"id": second, "name": "Second", "role": "viewer"}
    assert [one["name"] for one in switched.json()["organizations"]] == ["First", "Second"]
    assert (await browser.request("GET", "/v1/projects")).json()["items"] == []
    assert (await browser.request("POST", "/v1/projects", json={"name": "B"})).status_code == 403
    stranger = await plane.organization("Third")
    refused = await browser.request("POST", "/v1/session/organization", json={"org_id": stranger})
    assert refused.status_code == 404

    await browser.request("DELETE", "/v1/session")
    assert (await plane.browser("ada@example.com")).csrf


async def test_ones_other_browsers_are_listed_and_signed_out(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "viewer")
    await plane.member(org_id, "bob@example.com", "owner")
    bob, first = await plane.browser("bob@example.com"), await plane.browser("ada@example.com")
    second, third = await plane.browser("ada@example.com"), await plane.browser("ada@example.com")
    listed = (await first.request("GET", "/v1/sessions")).json()["items"]
    assert sorted(one["current"] for one in listed) == [False, False, True]
    other = (await second.request("GET", "/v1/session")).json()["id"]
    assert (await bob.request("DELETE", f"/v1/sessions/{other}")).status_code == 404
    assert (await first.request("DELETE", f"/v1/sessions/{other}")).status_code == 204
    assert (await second.request("GET", "/v1/session")).status_code == 401
    assert (await first.request("DELETE", "/v1/sessions")).status_code == 204
    assert (await third.request("GET", "/v1/session")).status_code == 401
    assert (await first.request("GET", "/v1/session")).status_code == 200
    assert (await bob.request("GET", "/v1/session")).status_code == 200


async def test_somebody_is_invited_joins_and_is_removed(database_url, tmp_path):
    async with mail_server() as there, control_plane(database_url, tmp_path, smtp_url=there.url) as plane:
        org_id = await plane.organization("Acme <i>")
        await plane.member(org_id, "owner@example.com", "owner")
        owner = await plane.browser("owner@example.com")
        wanted = {"email": "Bob@example.com", "role": "developer"}
        invited = await owner.request("POST", "/v1/invitations", json=wanted)
        assert invited.status_code == 201, invited.text
        assert (await owner.request("POST", "/v1/invitations", json=wanted)).status_code == 409
        [mail] = await there.mails(1)
        assert mail["subject"] == "Join Acme <i> on LensAI"
        assert "Acme &lt;i&gt;" in mail.get_body(("html",)).get_content()
        address = f"/v1/invitations/{invited.json()['id']}"
        assert (await owner.request("POST", f"{address}/resend")).status_code == 200
        _, second = await there.mails(2)

        assert (await Browser(plane).sign_in(link_token(mail))).status_code == 401
        bob = Browser(plane)
        joined = await bob.sign_in(link_token(second))
        assert joined.status_code == 201, joined.text
        assert joined.json()["organization"]["role"] == "developer"
        assert (await owner.request("GET", "/v1/invitations")).json()["items"] == []
        assert (await owner.request("DELETE", address)).status_code == 404

        people = (await owner.request("GET", "/v1/members")).json()["items"]
        assert [one["email"] for one in people] == ["bob@example.com", "owner@example.com"]
        member = f"/v1/members/{people[0]['id']}"
        promoted = await owner.request("PATCH", member, json={"role": "admin"})
        assert (promoted.status_code, promoted.headers["etag"]) == (200, '"2"')
        assert (await bob.request("GET", "/v1/session")).json()["organization"]["role"] == "admin"
        assert (await owner.request("DELETE", member)).status_code == 204
        assert (await bob.request("GET", "/v1/session")).status_code == 401
        assert (await owner.request("GET", member)).status_code == 404


async def test_the_organization_is_renamed_by_its_owner(plane):
    org_id = await plane.organization("Old")
    owner, admin = await plane.token(org_id), await plane.token(org_id, "admin")
    seen = await plane.client.get("/v1/organization", headers=admin)
    assert (seen.json()["name"], seen.headers["etag"]) == ("Old", '"1"')
    renamed = await plane.client.patch("/v1/organization", json={"name": "New"}, headers=owner)
    assert (renamed.status_code, renamed.json()["name"]) == (200, "New")
    stale = {**owner, "if-match": '"1"'}
    assert (await plane.client.patch("/v1/organization", json={"name": "X"}, headers=stale)).status_code == 412
    assert (await plane.client.patch("/v1/organization", json={"name": "X"}, headers=admin)).status_code == 403


async def test_a_service_token_is_made_used_and_revoked(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    wanted = {"name": "CI", "role": "developer", "expires_at_ms": plane.clock() + 3_600_000}
    made = await plane.client.post("/v1/tokens", json=wanted, headers=headers)
    assert made.status_code == 201, made.text
    secret, id = made.json()["secret"], made.json()["id"]
    assert made.json()["prefix"] == secret[:10]
    program = {"authorization": f"Bearer {secret}"}
    me = (await plane.client.get("/v1/session", headers=program)).json()
    assert (me["kind"], me["name"], me["csrf_token"], me["gateway_url"]) == ("token", "CI", None, None)
    [listed] = [one for one in (await _tokens(plane, headers)) if one["id"] == id]
    assert listed["used_at_ms"] == plane.clock()
    assert "secret" not in listed

    assert (await plane.client.delete(f"/v1/tokens/{id}", headers=headers)).status_code == 204
    assert (await plane.client.get("/v1/session", headers=program)).status_code == 401
    assert (await plane.client.delete(f"/v1/tokens/{id}", headers=headers)).status_code == 204
    assert [one["id"] for one in await _tokens(plane, headers, "?revoked=true")] == [id]


async def test_a_service_token_ends_when_it_says(plane):
    headers = await plane.token(await plane.organization())
    wanted = {"name": "CI", "role": "viewer", "expires_at_ms": plane.clock() + 1000}
    made = await plane.client.post("/v1/tokens", json=wanted, headers=headers)
    program = {"authorization": f"Bearer {made.json()['secret']}"}
    assert (await plane.client.get("/v1/session", headers=program)).status_code == 200
    plane.clock.advance(1)
    assert (await plane.client.get("/v1/session", headers=program)).status_code == 401
    assert (await plane.client.post("/v1/tokens", json=wanted, headers=headers)).status_code == 400


async def test_nobody_makes_a_token_or_an_invitation_of_a_role_above_the_own(plane):
    admin = await plane.token(await plane.organization(), "admin")
    for role in ("owner", "billing"):
        token = await plane.client.post("/v1/tokens", json={"name": "x", "role": role}, headers=admin)
        invited = {"email": "a@example.com", "role": role}
        invitation = await plane.client.post("/v1/invitations", json=invited, headers=admin)
        assert (token.status_code, invitation.status_code) == (403, 403)


async def test_a_program_has_no_browsers_and_no_other_organization(plane):
    org_id = await plane.organization()
    headers = await plane.token(org_id)
    assert (await plane.client.get("/v1/sessions", headers=headers)).json()["items"] == []
    assert (await plane.client.delete("/v1/session", headers=headers)).status_code == 409
    chosen = await plane.client.post("/v1/session/organization", json={"org_id": org_id}, headers=headers)
    assert chosen.status_code == 409


async def _tokens(plane, headers: dict[str, str], query: str = "") -> list[dict]:
    answer: httpx.Response = await plane.client.get(f"/v1/tokens{query}", headers=headers)
    return answer.json()["items"]


async def test_what_applications_are_to_call_is_told_to_everybody_who_is_signed_in(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'database'}"
    async with control_plane(url, tmp_path, gateway_url="https://llm.example/") as plane:
        headers = await plane.token(await plane.organization())
        session = (await plane.client.get("/v1/session", headers=headers)).json()
        assert session["gateway_url"] == "https://llm.example"
