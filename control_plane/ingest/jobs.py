"""Owns what goes on beside the requests: the spool's thread, and the landing of what it sealed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from pathlib import Path

from control_plane.ingest.land import land_all
from control_plane.ingest.spool import Spool, spools
from control_plane.keyring import Keyring
from control_plane.settings import Settings
from gateway.lake.store import Store, open_store

# With the age of a segment this is how late an event is in the lake: within a second.
POLL_S = 0.2
# A failing store is asked again after one poll, then half as often each time, down to this.
BACKOFF_S_MAX = 30.0

_log = logging.getLogger("lensai.control_plane.ingest")


def spool_root(settings: Settings) -> Path:
    return Path(settings.data_dir) / "ingest"


@contextlib.asynccontextmanager
async def ingesting(spool: Spool, settings: Settings, keyring: Keyring) -> AsyncGenerator[None]:
    """Keeps and lands, until the end; then everything is sealed and landed once more."""
    root = spool_root(settings)
    spool.start()
    landing = asyncio.create_task(_keep_landing(root, settings.lake, keyring))
    try:
        yield
    finally:
        landing.cancel()
        await asyncio.gather(landing, return_exceptions=True)
        await spool.close()
        await _round(root, settings.lake, keyring)


async def _keep_landing(root: Path, lake: str, keyring: Keyring) -> None:
    wait_s = POLL_S
    while True:
        await asyncio.sleep(wait_s)
        whole = await _round(root, lake, keyring)
        wait_s = POLL_S if whole else min(2 * wait_s, BACKOFF_S_MAX)


async def _round(root: Path, lake: str, keyring: Keyring) -> bool:
    """Lands what is sealed. False if something has to be tried again."""
    if not spools(root):
        return True
    try:
        # Shielded: a round that is under way ends, whoever waits for it.
        return await asyncio.shield(asyncio.to_thread(land_all, root, _store(lake), keyring))
    except Exception as error:
        _log.exception("landing_failed", exc_info=error)
        return False


def _store(lake: str) -> Store:
    return open_store(lake)
