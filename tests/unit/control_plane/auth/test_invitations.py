from control_plane.auth.invitations import VALID_DAYS
from control_plane.auth.links import PER_ADDRESS_MAX
from tests.support.control_plane import Browser, control_plane
from tests.support.mail_server import link_token, mail_server


async def test_an_invitation_ends_after_a_week_and_is_sent_again_for_another(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with mail_server() as there, control_plane(url, tmp_path, smtp_url=there.url) as plane:
        headers = await plane.token(await plane.organization())
        id = (await invite(plane, headers)).json()["id"]
        [first] = await there.mails(1)
        plane.clock.advance(VALID_DAYS * 86_400)
        assert (await Browser(plane).sign_in(link_token(first))).status_code == 401
        again = await plane.client.post(f"/v1/invitations/{id}/resend", headers=headers)
        assert again.json()["expires_at_ms"] == plane.clock() + VALID_DAYS * 86_400_000
        _, second = await there.mails(2)
        plane.clock.advance(VALID_DAYS * 86_400 - 1)
        assert (await Browser(plane).sign_in(link_token(second))).status_code == 201


async def test_c09_a_withdrawn_invitation_lets_nobody_in(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with mail_server() as there, control_plane(url, tmp_path, smtp_url=there.url) as plane:
        headers = await plane.token(await plane.organization())
        id = (await invite(plane, headers)).json()["id"]
        assert (await plane.client.delete(f"/v1/invitations/{id}", headers=headers)).status_code == 204
        [mail] = await there.mails(1)
        assert (await Browser(plane).sign_in(link_token(mail))).status_code == 401
        assert (await invite(plane, headers)).status_code == 201


async def test_who_is_in_another_organization_joins_with_the_same_user(tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/control-plane.sqlite"
    async with mail_server() as there, control_plane(url, tmp_path, smtp_url=there.url) as plane:
        await plane.member(await plane.organization("First"), "bob@example.com", "owner")
        headers = await plane.token(await plane.organization("Second"))
        assert (await invite(plane, headers)).status_code == 201
        [mail] = await there.mails(1)
        said = (await Browser(plane).sign_in(link_token(mail))).json()
        assert said["organization"]["name"] == "Second"
        assert [(one["name"], one["role"]) for one in said["organizations"]] == [
            ("First", "owner"),
            ("Second", "viewer"),
        ]


async def test_c09_a_mailbox_is_not_filled_with_invitations_and_a_stranger_learns_of_none(plane):
    headers = await plane.token(await plane.organization())
    id = (await invite(plane, headers)).json()["id"]
    for _ in range(PER_ADDRESS_MAX - 1):
        assert (await plane.client.post(f"/v1/invitations/{id}/resend", headers=headers)).status_code == 200
    refused = await plane.client.post(f"/v1/invitations/{id}/resend", headers=headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
    for _ in range(PER_ADDRESS_MAX):
        asked = await plane.client.post("/v1/auth/links", json={"email": "bob@example.com"})
        assert asked.status_code == 202


async def test_who_is_a_member_is_not_invited(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "bob@example.com", "viewer")
    assert (await invite(plane, await plane.token(org_id))).status_code == 409


async def invite(plane, headers, email: str = "Bob@Example.com"):
    return await plane.client.post("/v1/invitations", json={"email": email, "role": "viewer"}, headers=headers)
