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
