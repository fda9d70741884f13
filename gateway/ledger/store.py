"""Owns what a node and the shared store say to each other about leases. Knows no store, no clock and no arithmetic.

All of it is absolute: a node states what it has spent and what it may spend, never a difference. The scripts in `lua/`
say what each field means.
"""

from typing import Literal, Protocol

import msgspec

from gateway.ledger.base import AMOUNT_MAX

# "Since": whoever has something to give back is waited for.
EVER = AMOUNT_MAX


class StoreDown(Exception):
    """The store could not be asked, or its answer came too late: what was said may have been heard or not."""


class Statement(msgspec.Struct, frozen=True, gc=False):
    """How one node stands with one counter, and what it asks for."""

    counter: str
    node: str
    epoch: int
    seq: int
    run: str
    spent: int
    claim: int
    keep: bool = False
    gives: bool = False
    need: int = 0
    want: int = 0
    more: bool = False
    limit: int | None = None
    live: int = 1
    since: int = EVER
    marks: tuple[tuple[int, int], ...] = ()  # (percent, amount at which it is reached)
    heard: tuple[int, ...] = ()
    keep_ms: int = 0
    revision: int = 0  # of the limit; the store has no use for it, the answer is read by it
    back: int = 0

    @property
    def asks(self) -> bool:
        return self.want > 0 or self.more


class Answer(msgspec.Struct, frozen=True, gc=False):
    """How the counter stands with that node and with all of them."""

    status: Literal["ok", "old", "fenced"]
    version: int
    run: str
    spent: int
    claim: int
    all_spent: int
    all_claims: int
    recalled: bool
    marks: tuple[int, ...] = ()
    pending: tuple[str, ...] = ()
    seq: int = 0  # of the last statement that changed anything
    back: int = 0


def granted_by(said: Statement, answer: Answer) -> int:
    """How much the store has added to what was claimed."""
    if answer.status != "ok":
        return 0
    return max(answer.claim - max(said.claim + answer.back - said.back, answer.spent), 0)


class Beat(msgspec.Struct, frozen=True, gc=False):
    """A node that says it is there."""

    node: str
    epoch: int
    nonce: str
    run: str = ""
    fence: int = 0
    attests: int = 0
    knows: int = 0
    nodes_min: int = 1
    roster: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Fence(msgspec.Struct, frozen=True, gc=False):
    """Which server speaks, whether it may grant to the asker, and who there is."""

    status: Literal["ok", "fenced"]
    run: str
    fence: int
    open: bool
    roster_version: int
    roster: tuple[str, ...] = ()
    live: tuple[str, ...] = ()
    lacked: tuple[str, ...] = ()


class Member(msgspec.Struct, frozen=True, gc=False):
    """A node on the roster, as the store knows it."""

    node: str
    epoch: int
    silent_ms: int  # since it was last heard of
    is_awaited: bool  # it has not told this server all its claims: nothing is granted to anybody before it does


class Store(Protocol):
    """What keeps the leases. Each method raises StoreDown, within its own timeout."""

    async def sync(self, statement: Statement) -> Answer: ...

    async def beat(self, beat: Beat) -> Fence: ...

    async def leave(self, node: str, epoch: int) -> bool:
        """Takes a node off the roster; epoch 0 writes off one that will never return."""
        ...
