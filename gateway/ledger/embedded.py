"""Owns EmbeddedLedger: all of every counter is in this process's memory, and what was settled is in its journal.

Each settlement has a number, which the journal's final frame bears with what it charged. A checkpoint holds the sums up
to one number; a start takes the newest and folds in the finals above it, each number once. What was held by calls that
a dead process left open counts as spent: the journal ends them with their holds. Does no I/O.
"""

from collections.abc import Mapping

import msgspec

from gateway.ledger.base import Balance, Holds, Shortage, Unreachable, is_of_now
from gateway.ledger.counters import Counter, Counters, until

FORMAT = 1
# What a checkpoint has room for, far beyond every limit: a sum above it is written down as this.
_SETTLED_MAX = 2**63 - 1


class _Row(msgspec.Struct, array_like=True, frozen=True):
    settled: int
    told: int
    kept_until_s: int


class _Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    format: int
    seq: int
    rows: dict[str, _Row]


class CheckpointUnusable(Exception):
    """It is damaged, or of a later version. Without it nobody knows what was spent."""


class Snapshot:
    """The sums at one moment, cheap to take; `encode` takes a microsecond for each counter, on any thread."""

    def __init__(self, seq: int, counters: Mapping[str, Counter]) -> None:
        self.seq = seq
        self._rows = {
            name: (min(one.settled, _SETTLED_MAX), one.told, one.terms.kept_until_s) for name, one in counters.items()
        }

    def encode(self) -> bytes:
        return msgspec.msgpack.encode((FORMAT, self.seq, self._rows))


class EmbeddedLedger:
    """A Ledger of one process. `restore`, `take_over`, `fold` and `count_open` at the start, in this order; then the
    protocol's.
    """

    def __init__(self) -> None:
        self._counters = Counters()
        self._folded: set[int] = set()
        self._checkpoint_seq = 0
        self.held = self._counters.held
        self.extend = self._counters.extend
        self.reserve = self._counters.reserve
        self.settle = self.settle_later = self._counters.settle
        self.crossed = self._counters.crossed

    # -- at a start

    def restore(self, checkpoint: bytes | None) -> None:
        """`checkpoint` is what a snapshot encoded last, None at the first start. Raises CheckpointUnusable."""
        if checkpoint is None:
            return
        try:
            loaded = msgspec.msgpack.decode(checkpoint, type=_Checkpoint)
        except msgspec.MsgspecError as fault:
            raise CheckpointUnusable(str(fault)) from None
        if loaded.format != FORMAT:
            raise CheckpointUnusable(f"format {loaded.format}; this version reads {FORMAT}")
        self._counters.seq = self._checkpoint_seq = loaded.seq
        for name, row in loaded.rows.items():
            if is_of_now(name):
                continue
            self._counters.by_name[name] = Counter(row.settled, told=row.told, terms=until(row.kept_until_s))

    def take_over(self, seq: int, spent: Mapping[str, int]) -> bool:
        """Counts what a shared ledger had lent this process up to a seq; False where the checkpoint came later."""
        if seq <= self._checkpoint_seq:
            return False
        self._counters.seq = self._checkpoint_seq = seq
        for name, amount in spent.items():
            if not is_of_now(name):
                before = self._counters.by_name.get(name, Counter())
                self._counters.by_name[name] = Counter(amount, told=before.told, terms=before.terms)
        return True

    def fold(self, seq: int, charged: Mapping[str, int]) -> None:
        """Takes in what a final frame says was charged, unless the checkpoint, or a frame before, has it already."""
        if seq <= self._checkpoint_seq or seq in self._folded:
            return
        self._folded.add(seq)
        self._counters.seq = max(self._counters.seq, seq)
        self._count(charged)

    def told(self, counter: str, percent: int) -> None:
        """A signal frame says that a threshold was told of."""
        one = self._counters.by_name.setdefault(counter, Counter())
        one.told = max(one.told, percent)

    def count_open(self, held: Mapping[str, int]) -> int:
        """Counts what a call held that died with its process; the seq of it."""
        self._count(held)
        self._counters.seq += 1
        return self._counters.seq

    def _count(self, charged: Mapping[str, int]) -> None:
        for name, amount in charged.items():
            if not is_of_now(name):
                self._counters.add(name, amount)

    # -- the protocol

    @property
    def seq(self) -> int:
        return self._counters.seq

    async def obtain(self, holds: Holds, timeout_s: float) -> Shortage | Unreachable | None:
        """Nothing lies elsewhere: the shortage, if it is still there."""
        return self._counters.shortage(holds)

    def balance(self, counter: str) -> Balance:
        one = self._counters.by_name.get(counter)
        return Balance() if one is None else Balance(one.settled, one.held)

    def counters(self) -> Mapping[str, Balance]:
        return {name: Balance(one.settled, one.held) for name, one in self._counters.by_name.items()}

    # -- now and then

    def snapshot(self, now_s: int | None) -> Snapshot:
        """What the next start needs beside the finals that come later. Forgets what is long over.

        `now_s` is None where no clock can be trusted: then nothing is over.
        """
        blank = [name for name, one in self._counters.by_name.items() if one.is_blank]
        for name in (*blank, *(() if now_s is None else self._counters.ended(now_s))):
            self._counters.forget(name)
        return Snapshot(self._counters.seq, self._counters.by_name)
