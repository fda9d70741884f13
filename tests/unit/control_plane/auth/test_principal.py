"""Whoever is not known, not any more, or not a member any more, is nobody."""

from sqlalchemy import delete, update

from control_plane.auth.principal import Principal, by_session, by_token, gateway_by_token
from control_plane.auth.tables import BrowserSession, GatewayToken, Membership, ServiceToken
from control_plane.auth.tokens import digest
from control_plane.db.engine import EVERY_ORG


async def found(plane, find, *arguments):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return await find(session, *arguments)


async def change(plane, *statements):
    async with plane.parts.database.writing(EVERY_ORG) as session:
        for statement in statements:
            await session.execute(statement)


async def browser(plane, org_id, user_id):
    async with plane.parts.database.writing(EVERY_ORG) as session:
        session.add(
            BrowserSession(
                id="ses_1", sha256=digest("lss_x"), user_id=user_id, org_id=org_id,
                created_at_ms=1, seen_at_ms=1, expires_at_ms=100,
            )
        )  # fmt: skip


def bearer(headers):
    return headers["authorization"].partition(" ")[2]


async def test_a_browser_is_its_user_in_the_organization_it_looks_at(either_plane):
    org_id = await either_plane.organization()
    user_id = await either_plane.member(org_id, "a@b", "viewer")
    await browser(either_plane, org_id, user_id)
    somebody = await found(either_plane, by_session, "lss_x", 99)
    assert somebody == Principal("user", user_id, "a@b", org_id, "viewer", "ses_1")
    assert somebody.actor == f"user:{user_id}"
    assert await found(either_plane, by_session, "lss_x", 100) is None
    assert await found(either_plane, by_session, "lss_y", 99) is None
    await change(either_plane, delete(Membership))
    assert await found(either_plane, by_session, "lss_x", 99) is None


async def test_a_browser_that_looks_at_anothers_organization_is_nobody(plane):
    mine, theirs = await plane.organization(), await plane.organization()
    await browser(plane, theirs, await plane.member(mine, "a@b", "owner"))
    assert await found(plane, by_session, "lss_x", 99) is None


async def test_a_token_works_until_it_expires_or_is_revoked(either_plane):
    org_id = await either_plane.organization()
    secret = bearer(await either_plane.token(org_id, "developer"))
    program = await found(either_plane, by_token, secret, 1)
    assert (program.kind, program.org_id, program.role) == ("token", org_id, "developer")
    await change(either_plane, update(ServiceToken).values(expires_at_ms=100))
    assert (await found(either_plane, by_token, secret, 99)).org_id == org_id
    assert await found(either_plane, by_token, secret, 100) is None
    await change(either_plane, update(ServiceToken).values(expires_at_ms=None, revoked_at_ms=1))
    assert await found(either_plane, by_token, secret, 1) is None
    assert await found(either_plane, by_token, "", 1) is None


async def test_a_gateway_is_known_until_its_token_is_revoked(plane):
    secret = bearer(await plane.gateway())
    assert (await found(plane, gateway_by_token, secret)).name == "test"
    assert await found(plane, by_token, secret, 1) is None
    await change(plane, update(GatewayToken).values(revoked_at_ms=1))
    assert await found(plane, gateway_by_token, secret) is None
