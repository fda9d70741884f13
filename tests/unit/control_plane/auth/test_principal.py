from sqlalchemy import select, update

from control_plane.auth.principal import SEEN_EVERY_MS, Principal, by_session, by_token, gateway_by_token
from control_plane.auth.tables import GatewayToken, ServiceToken
from control_plane.db.engine import EVERY_ORG


async def reading(plane, find, *arguments):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return await find(session, *arguments)


async def test_a_token_is_its_program_until_it_is_revoked(plane):
    org_id = await plane.organization()
    secret = (await plane.token(org_id, "viewer"))["authorization"].removeprefix("Bearer ")
    found = await reading(plane, by_token, secret, plane.clock())
    assert (found.principal.kind, found.principal.org_id, found.principal.role) == ("token", org_id, "viewer")
    assert found.principal.actor == f"token:{found.principal.id}"
    async with plane.parts.database.writing(EVERY_ORG) as session:
        await session.execute(update(ServiceToken).values(revoked_at_ms=plane.clock()))
    assert await reading(plane, by_token, secret, plane.clock()) is None


async def test_a_secret_is_looked_up_whole_and_for_its_own_purpose(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "viewer")
    token = (await plane.token(org_id))["authorization"].removeprefix("Bearer ")
    gateway = (await plane.gateway())["authorization"].removeprefix("Bearer ")
    cookie = (await plane.browser("ada@example.com")).cookie.partition("=")[2]
    finders = {by_token: token, gateway_by_token: gateway, by_session: cookie}
    now = (plane.clock(),)
    for find, own in finders.items():
        more = () if find is gateway_by_token else now
        assert await reading(plane, find, own, *more) is not None
        for other in (*(set(finders.values()) - {own}), own[:-1], own + "x", own.upper(), "", " " + own):
            assert await reading(plane, find, other, *more) is None


async def test_a_session_is_of_who_is_a_member_still(plane):
    org_id = await plane.organization()
    await plane.member(org_id, "ada@example.com", "viewer")
    browser = await plane.browser("ada@example.com")
    found = await reading(plane, by_session, browser.cookie.partition("=")[2], plane.clock())
    expected = Principal("user", found.principal.id, "ada@example.com", org_id, "viewer", found.proof.id)
    assert found.principal == expected


async def test_the_last_use_of_a_token_is_right_to_the_minute(plane):
    headers = await plane.gateway()
    query = "/v1/gateway/policy?since=0&nonce=0123456789abcdef"
    start = plane.clock()
    for seconds, noted in ((0, 0), (59, 0), (1, SEEN_EVERY_MS)):
        plane.clock.advance(seconds)
        assert (await plane.client.get(query, headers=headers)).status_code == 200
        async with plane.parts.database.reading(EVERY_ORG) as session:
            used_at_ms = (await session.execute(select(GatewayToken.used_at_ms))).scalar_one()
        assert used_at_ms == start + noted
