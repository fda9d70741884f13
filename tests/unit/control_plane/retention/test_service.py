import asyncio

from sqlalchemy import select

from control_plane.db.engine import EVERY_ORG
from control_plane.lake.standing import digest
from control_plane.retention.tables import ErasureRequest
from tests.support.control_plane import ControlPlane


async def test_of_a_name_that_is_to_be_forgotten_a_hash_is_kept(plane: ControlPlane) -> None:
    org_id = await plane.organization()
    headers = {**await plane.token(org_id), "idempotency-key": "once"}
    for _ in range(2):
        answer = await plane.client.post("/v1/retention/erasures", json={"user": "zoe@example.com"}, headers=headers)
        assert "zoe" not in answer.text
    async with plane.parts.database.reading(EVERY_ORG) as session:
        (row,) = (await session.execute(select(ErasureRequest))).scalars().all()
    assert row.sha256 == digest(row.salt, org_id, "zoe@example.com")
    assert "zoe" not in str(vars(row))


async def test_the_first_edits_at_once_are_one_after_the_other(either_plane: ControlPlane) -> None:
    headers = await either_plane.token(await either_plane.organization())
    edits = (
        either_plane.client.patch("/v1/retention", json={"events_days": days}, headers=headers) for days in (5, 6, 7, 8)
    )
    answers = await asyncio.gather(*edits)
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sorted(answer.headers["etag"] for answer in answers) == ['"1"', '"2"', '"3"', '"4"']


async def test_of_the_first_edits_at_once_of_what_was_seen_one_is_taken(either_plane: ControlPlane) -> None:
    headers = {**await either_plane.token(await either_plane.organization()), "if-match": '"0"'}
    edits = (
        either_plane.client.patch("/v1/retention", json={"events_days": days}, headers=headers) for days in (5, 6, 7, 8)
    )
    assert sorted(answer.status_code for answer in await asyncio.gather(*edits)) == [200, 412, 412, 412]
