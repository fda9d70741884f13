"""Owns sealing credentials anew once the key that seals is another. Run by `lensai secrets rotate`."""

from sqlalchemy import not_, select

from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring
from control_plane.providers.service import sealed_for
from control_plane.providers.tables import ProviderCredential

# Of one transaction: writers of SQLite wait for it, and it takes some milliseconds.
BATCH_ROWS = 100


async def reseal(database: Database, keyring: Keyring, now_ms: int) -> int:
    """How many credentials were sealed anew: all that the current key had not sealed. Safe to run again.

    Raises KeyringError for one whose key is no longer in the ring; those before it are done.
    """
    count, after = 0, ""
    while ids := await _reseal_some(database, keyring, now_ms, after):
        count, after = count + len(ids), ids[-1]
    return count


async def _reseal_some(database: Database, keyring: Keyring, now_ms: int, after: str) -> list[str]:
    """The ids of the rows that follow one and were sealed anew; gateways are told by the same flush."""
    current = ProviderCredential.sealed.startswith(f"{keyring.current}.", autoescape=True)
    query = select(ProviderCredential).where(not_(current), ProviderCredential.id > after)
    query = query.order_by(ProviderCredential.id).limit(BATCH_ROWS).with_for_update()
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        rows = (await session.execute(query)).scalars().all()
        for row in rows:
            context = sealed_for(row.id)
            row.sealed = keyring.seal(keyring.open(row.sealed, context), context)
        return [row.id for row in rows]
