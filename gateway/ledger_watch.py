"""Owns telling that the shared ledger's store went away, and that it is back: once each, whoever asks it how often.

Knows nothing of leases. The agent's beat, ten times a second, is what tells: calls ask only when they lack something.
"""

import logging

from gateway.ledger.store import Beat, Fence, Store, StoreDown


class WatchedStore:
    """A store, and whether it could be asked last. `problem` is empty while it can."""

    def __init__(self, store: Store, logger: logging.Logger) -> None:
        self.problem = ""
        self._store = store
        self._logger = logger
        self.sync = store.sync
        self.leave = store.leave

    async def beat(self, beat: Beat) -> Fence:
        """Raises StoreDown."""
        try:
            fence = await self._store.beat(beat)
        except StoreDown as fault:
            if not self.problem:
                self._logger.warning("ledger_store_unreachable", extra={"problem": str(fault)})
            self.problem = str(fault)
            raise
        if self.problem:
            self.problem = ""
            self._logger.warning("ledger_store_reachable")
        return fence
