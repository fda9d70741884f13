from sqlalchemy import select

from control_plane.auth.jobs import forget_the_ended
from control_plane.auth.tables import BrowserSession, Invitation, MagicLink
from control_plane.db.engine import EVERY_ORG
from tests.support.control_plane import still_parts


async def left(plane) -> tuple[int, int]:
    async with plane.parts.database.reading(EVERY_ORG) as session:
        links = (await session.execute(select(MagicLink.sha256))).all()
        return len(links), len((await session.execute(select(BrowserSession.id))).all())


async def test_links_are_kept_while_they_work_or_count_and_sessions_until_they_end(either_plane):
    plane = either_plane
    await plane.member(await plane.organization(), "ada@example.com", "viewer")
    await plane.browser("ada@example.com")
    job = forget_the_ended(plane.parts.database)
    plane.clock.advance(1800)
    await job.run(plane.clock())
    assert await left(plane) == (1, 1)
    plane.clock.advance(1800)
    await job.run(plane.clock())
    assert await left(plane) == (0, 1)
    plane.clock.advance(14 * 86_400)
    await job.run(plane.clock())
    assert await left(plane) == (0, 0)


async def test_the_application_runs_it(database_url, tmp_path):
    async with still_parts(database_url, tmp_path) as (parts, _):
        assert "forget_ended_sign_ins" in [job.name for job in parts.jobs]


async def test_invitations_are_kept_for_a_while_after_they_expired(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    wanted = {"email": "bob@example.com", "role": "viewer"}
    assert (await plane.client.post("/v1/invitations", json=wanted, headers=headers)).status_code == 201
    job = forget_the_ended(plane.parts.database)
    for days, kept in ((96, 1), (2, 0)):
        plane.clock.advance(days * 86_400)
        await job.run(plane.clock())
        async with plane.parts.database.reading(EVERY_ORG) as session:
            assert len((await session.execute(select(Invitation.id))).all()) == kept
