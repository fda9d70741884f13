"""Owns telling gateways: what changed since a version, as signed lines, at once and for as long as they listen.

A change made in this process wakes every listener; one made in another is seen within POLL_S.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Row, or_, select
from sqlalchemy.exc import SQLAlchemyError

from control_plane.auth.tables import GatewayToken
from control_plane.clock import now_ms
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.keyring import Keyring, KeyringError
from control_plane.publish.compile import SealedCredential
from control_plane.publish.tables import PolicyItem, PolicyVersion
from gateway.contract.policy import Credential
from gateway.contract.publishing import GONE, HEARTBEAT_S, ITEMS_MAX, Item, Part, seal

# One query of one row, whatever the number of gateways; a change of another process is on its way within this.
POLL_S = 0.1
# While the database does not answer: gateways go on with what they know.
RETRY_S = 1.0

_log = logging.getLogger("lensai.control_plane.publish")


class Latest(NamedTuple):
    """The policy's version, and the oldest from which a gateway can be told what has gone since."""

    version: int
    pruned: int


class Feed:
    """One for a process. `watch` runs for as long as the process serves."""

    def __init__(
        self, database: Database, keyring: Keyring, signer: Keyring, clock: Callable[[], int] = now_ms
    ) -> None:
        """`keyring` opens credentials; `signer` has the keys that gateways believe."""
        self._clock = clock
        self._database = database
        self._keyring = keyring
        self._signer = signer
        self._seen = 0
        self._changed = asyncio.Event()
        self._listening = 0
        self._closed = False

    def wake(self) -> None:
        """Something was published by this process."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def close(self) -> None:
        """Ends every stream; gateways come back to another process."""
        self._closed = True
        self.wake()

    async def watch(self) -> None:
        """Looks for what other processes publish, while anybody listens."""
        while not self._closed:
            try:
                await self._look()
            except (SQLAlchemyError, OSError) as error:
                _log.warning("policy_not_read", exc_info=error)
                await asyncio.sleep(RETRY_S)
            await asyncio.sleep(POLL_S)

    async def _look(self) -> None:
        if self._listening and (version := (await self.latest()).version) != self._seen:
            self._seen = version
            self.wake()

    async def latest(self) -> Latest:
        async with self._database.reading(EVERY_ORG) as session:
            row = (await session.execute(select(PolicyVersion.version, PolicyVersion.pruned))).one()
        return Latest(*row)

    async def _may_listen(self, token_id: str) -> bool:
        query = select(GatewayToken.id).where(GatewayToken.id == token_id, GatewayToken.revoked_at_ms.is_(None))
        async with self._database.reading(EVERY_ORG) as session:
            return (await session.execute(query)).first() is not None

    async def answer(self, since: int, nonce: str) -> AsyncIterator[bytes]:
        """All lines from a version to now, and the end."""
        teller = _Teller(nonce, self._signer, self._clock)
        async for line in self._told(teller, since, await self.latest()):
            yield line

    async def stream(self, since: int, nonce: str, token_id: str) -> AsyncIterator[bytes]:
        """The same, and then every change as it is made, and a sign of life in between.

        Whose token was revoked is told nothing more, and hears the end at the next sign of life.
        """
        teller = _Teller(nonce, self._signer, self._clock)
        self._listening += 1
        try:
            while not self._closed and await self._may_listen(token_id):
                changed = self._changed
                latest = await self.latest()
                async for line in self._told(teller, since, latest):
                    yield line
                since = max(latest.version, teller.version)
                try:
                    await asyncio.wait_for(changed.wait(), HEARTBEAT_S)
                except TimeoutError:
                    continue
        finally:
            self._listening -= 1

    async def _told(self, teller: "_Teller", since: int, latest: Latest) -> AsyncIterator[bytes]:
        """The lines from one version to the latest: at least one, which says that all is known."""
        reset = since <= 0 or since > latest.version or since < latest.pruned
        position = (0 if reset else since, "", "")
        while True:
            # What goes while the whole is told may have been told of already.
            rows = await self._rows(position, gone_since=latest.version if reset else since)
            complete = len(rows) < ITEMS_MAX
            items = tuple(item for row in rows if (item := self._item(row)) is not None)
            last = rows[-1].version if rows else 0
            version = max(latest.version, last) if complete else last
            yield teller.line(version, reset=reset and position[1] == "", complete=complete, items=items)
            if complete:
                return
            position = (rows[-1].version, rows[-1].kind, rows[-1].id)

    async def _rows(
        self, after: tuple[int, str, str], *, gone_since: int
    ) -> Sequence[Row[tuple[str, str, int, bytes]]]:
        """The next items in order of version. One that changes meanwhile comes again, further back."""
        version, kind, id = after
        query = select(PolicyItem.kind, PolicyItem.id, PolicyItem.version, PolicyItem.body)
        later = PolicyItem.version > version
        if kind:
            same = PolicyItem.version == version
            later |= same & (PolicyItem.kind > kind) | same & (PolicyItem.kind == kind) & (PolicyItem.id > id)
        told = or_(PolicyItem.body.is_not(None), PolicyItem.version > gone_since)
        query = query.where(later, told).order_by(PolicyItem.version, PolicyItem.kind, PolicyItem.id).limit(ITEMS_MAX)
        async with self._database.reading(EVERY_ORG) as session:
            return (await session.execute(query)).all()  # pyright: ignore[reportReturnType]

    def _item(self, row: Row[tuple[str, str, int, bytes]]) -> Item | None:
        """None for a credential whose key is not in the ring: all else is told, and gateways keep what they had."""
        body = GONE if row.body is None else msgspec.Raw(row.body)
        if row.body is not None and row.kind == "credential":
            try:
                credential = self._opened(msgspec.json.decode(row.body, type=SealedCredential))
            except KeyringError:
                _log.exception("credential_not_opened", extra={"credential": row.id})
                return None
            body = msgspec.Raw(msgspec.json.encode(credential))
        return Item(row.kind, row.id, row.version, body)  # pyright: ignore[reportArgumentType]

    def _opened(self, credential: SealedCredential) -> Credential:
        return Credential(credential.id, self._keyring.open(credential.sealed, f"provider_credentials:{credential.id}"))


class _Teller:
    """Numbers and signs the lines of one answer."""

    def __init__(self, nonce: str, signer: Keyring, clock: Callable[[], int]) -> None:
        self._nonce, self._signer, self._clock = nonce, signer, clock
        self._numbers: Iterator[int] = iter(range(1 << 62))
        self.version = 0

    def line(self, version: int, *, reset: bool, complete: bool, items: tuple[Item, ...]) -> bytes:
        self.version = version
        part = Part(
            nonce=self._nonce,
            number=next(self._numbers),
            version=version,
            reset=reset,
            complete=complete,
            items=items,
            sent_at_ms=self._clock(),
        )
        key_id = self._signer.current
        return seal(part, key_id, self._signer.secrets[key_id])
