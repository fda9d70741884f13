from sqlalchemy import select

from control_plane.audit.tables import AuditLog
from control_plane.auth.tables import ServiceToken
from control_plane.auth.tokens import digest
from control_plane.db.engine import EVERY_ORG


async def test_a_secret_is_stored_and_audited_as_nothing_but_its_hash(either_plane):
    plane = either_plane
    headers = await plane.token(await plane.organization())
    made = await plane.client.post("/v1/tokens", json={"name": "CI", "role": "viewer"}, headers=headers)
    secret = made.json()["secret"]
    async with plane.parts.database.reading(EVERY_ORG) as session:
        row = (await session.execute(select(ServiceToken).where(ServiceToken.name == "CI"))).scalar_one()
        [entry] = (await session.execute(select(AuditLog))).scalars().all()
    assert row.sha256 == digest(secret)
    assert (entry.action, entry.subject) == ("token:create", f"token:{row.id}")
    for shown in (str(vars(row)), str(entry.meta)):
        assert secret not in shown
        assert secret[12:] not in shown
    assert made.headers["cache-control"] == "no-store"


async def test_a_repeated_request_makes_one_token(plane):
    headers = {**await plane.token(await plane.organization()), "idempotency-key": "once"}
    wanted = {"name": "CI", "role": "viewer"}
    first, second = [await plane.client.post("/v1/tokens", json=wanted, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"


async def test_a_token_makes_tokens_of_its_own_role_at_most(plane):
    admin = await plane.token(await plane.organization(), "admin")
    made = await plane.client.post("/v1/tokens", json={"name": "x", "role": "admin"}, headers=admin)
    second = {"authorization": f"Bearer {made.json()['secret']}"}
    assert (
        await plane.client.post("/v1/tokens", json={"name": "y", "role": "admin"}, headers=second)
    ).status_code == 201
    assert (
        await plane.client.post("/v1/tokens", json={"name": "z", "role": "owner"}, headers=second)
    ).status_code == 403
