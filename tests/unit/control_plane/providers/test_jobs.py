import pytest
from sqlalchemy import select

from control_plane.db.engine import EVERY_ORG
from control_plane.keyring import Keyring, KeyringError
from control_plane.providers import jobs
from control_plane.providers.tables import ProviderCredential
from tests.support.made import credential
from tests.support.published import published, version

OLD, NEW = b"seal1".ljust(32, b"-"), b"seal2".ljust(32, b"-")
# A credential is sealed by the first; `seal1` is that of the application in tests.
RING = Keyring({"seal2": NEW, "seal1": OLD})


async def test_credentials_of_all_organizations_are_sealed_anew_and_told_to_gateways(either_plane, monkeypatch):
    plane = either_plane
    monkeypatch.setattr(jobs, "BATCH_ROWS", 2)
    ids = []
    for name in ("First", "Other", "Third"):
        headers = await plane.token(await plane.organization(name))
        ids.append((await credential(plane, headers, secret=f"sk-proj-0123456789-of-{name}"))["id"])
    before = await version(plane)

    assert await jobs.reseal(plane.parts.database, RING, plane.clock()) == 3

    only_new = Keyring({"seal2": NEW})
    told = await published(plane)
    for id, row in (await rows(plane)).items():
        assert row.sealed.startswith("seal2.")
        assert only_new.open(row.sealed, f"provider_credentials:{id}").startswith("sk-proj-0123456789-of-")
        assert told[f"credential:{id}"].body == {"id": id, "sealed": row.sealed}
        assert row.version == 1, "nobody's edit is stale because of it"
    assert await version(plane) > before


async def test_what_the_current_key_sealed_is_left_alone(plane):
    headers = await plane.token(await plane.organization())
    await credential(plane, headers)
    await jobs.reseal(plane.parts.database, RING, plane.clock())
    before = await version(plane), {id: row.sealed for id, row in (await rows(plane)).items()}
    assert await jobs.reseal(plane.parts.database, RING, plane.clock()) == 0
    assert (await version(plane), {id: row.sealed for id, row in (await rows(plane)).items()}) == before


async def test_a_key_that_is_missing_is_named(plane):
    headers = await plane.token(await plane.organization())
    await credential(plane, headers)
    with pytest.raises(KeyringError, match="seal1"):
        await jobs.reseal(plane.parts.database, Keyring({"seal2": NEW}), plane.clock())


async def rows(plane):
    async with plane.parts.database.reading(EVERY_ORG) as session:
        return {row.id: row for row in (await session.execute(select(ProviderCredential))).scalars()}
