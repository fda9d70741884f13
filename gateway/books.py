"""Owns the way between the journal and a ledger: what of the last process a start takes in, and what must be kept.

The journal asks for it in this order: `restore`, once the directory is ours; `fold`, for every frame that is not
sealed; `count_open`, for each call that a dead process left open; and `snapshot`, at the end of each segment.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.contract.record import Record, decode_record
from gateway.faults import GatewayFault
from gateway.journal import checkpoint as journal_checkpoint
from gateway.journal.disk import Disk
from gateway.journal.frame import FINAL, SIGNAL, Frame
from gateway.ledger import leases_file
from gateway.ledger.agent import Identity, RedisLedger
from gateway.ledger.base import decode_crossed
from gateway.ledger.embedded import CheckpointUnusable, EmbeddedLedger, Snapshot
from gateway.ledger.leases_file import Checkpoint
from gateway.ledger.store import Store

LEASES_NAME = "leases.msgpack"
# By then a machine has set its clock by the network's: until then no window is over for good.
TRUSTED_AFTER_S = 3600

_log = logging.getLogger("lensai")


class EmbeddedBooks:
    """Of a process that is alone."""

    def __init__(self, ledger: EmbeddedLedger, now_s: Callable[[], int], *, monotonic_s: Callable[[], float]) -> None:
        self.ledger = ledger
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._started_s = monotonic_s()
        self._ahead_s = now_s() - self._started_s

    def restore(self, directory: Path, checkpoint: bytes | None) -> None:
        """Takes up what was spent here last, also where that was of a shared ledger until now.

        Raises GatewayFault: what was spent is not to be guessed.
        """
        _restore(self.ledger, directory, checkpoint)
        was = _leases(directory / LEASES_NAME)
        if was is not None and self.ledger.take_over(was.seq, {name: claim for name, (_, claim) in was.claims.items()}):
            _log.warning("ledger_no_longer_shared", extra={"counters": len(was.claims)})

    def fold(self, frame: Frame) -> None:
        """Raises GatewayFault."""
        if frame.kind == FINAL:
            record = _record(frame)
            if record.ledger_seq:
                self.ledger.fold(record.ledger_seq, record.counters or {})
        elif frame.kind == SIGNAL:
            crossed = decode_crossed(frame.payload)
            self.ledger.told(crossed.counter, crossed.percent)

    def count_open(self, held: Mapping[str, int]) -> int:
        return self.ledger.count_open(held)

    def snapshot(self) -> "_Sums":
        # A clock that is set ahead, and back again, ends no window; nor does one that is wrong as a machine starts.
        monotonic_s = self._monotonic_s()
        is_trusted = monotonic_s - self._started_s >= TRUSTED_AFTER_S
        now_s = min(self._now_s(), int(monotonic_s + self._ahead_s)) if is_trusted else None
        return _Sums(self.ledger.snapshot(now_s))


class _Sums(NamedTuple):
    sums: Snapshot

    @property
    def seq(self) -> int:
        return self.sums.seq

    def keep(self, directory: Path, disk: Disk) -> None:
        journal_checkpoint.write(directory, self.sums.encode(), disk)


class LeaseBooks:
    """Of one of several processes. `ledger` is there once the journal is open."""

    ledger: RedisLedger

    def __init__(
        self, store: Store, now_s: Callable[[], int], *, monotonic_s: Callable[[], float], nodes_min: int
    ) -> None:
        self._store = store
        self._now_s = now_s
        self._monotonic_s = monotonic_s
        self._nodes_min = nodes_min
        self._file: _LeasesFile
        self._folded: set[int] = set()
        self._restored_seq = 0
        # One write at a time, and a start of a thread is not what a grant waits for.
        self._thread = ThreadPoolExecutor(1, "leases")

    def restore(self, directory: Path, checkpoint: bytes | None) -> None:
        """Takes up the leases of the last process. What an embedded ledger spent here since counts as this node's."""
        path = directory / LEASES_NAME
        was = _leases(path)
        embedded = EmbeddedLedger()
        _restore(embedded, directory, checkpoint)
        spent = {name: balance.settled for name, balance in embedded.counters().items()}
        if was is not None and embedded.seq > was.seq:
            claims = {name: (amount, amount) for name, amount in spent.items()}
            was = msgspec.structs.replace(was, seq=embedded.seq, claims={**was.claims, **claims})
        machine = leases_file.machine()
        identity = Identity(
            was.node if was is not None else secrets.token_hex(8),
            was.epoch + 1 if was is not None else 1,
            secrets.token_hex(8),
            machine,
            self._nodes_min,
        )
        self._file = _LeasesFile(path)
        self.ledger = RedisLedger(
            identity,
            self._store,
            clock=self._monotonic_s,
            sleep=asyncio.sleep,
            save=self._save,
            restored=was,
            complete=was is None or was.machine == machine,
        )
        if was is None:
            self.ledger.restore(spent, embedded.seq)
        self._restored_seq = self.ledger.seq

    def fold(self, frame: Frame) -> None:
        if frame.kind != FINAL:
            return
        record = _record(frame)
        seq = record.ledger_seq
        if seq > self._restored_seq and seq not in self._folded:
            self._folded.add(seq)
            self.ledger.restore(record.counters or {}, seq)

    def count_open(self, held: Mapping[str, int]) -> int:
        seq = self.ledger.seq + 1
        self.ledger.restore(held, seq)
        return seq

    def snapshot(self) -> "_Leases":
        self.ledger.finish_periods(self._now_s())
        return _Leases(self._file, self._file.next(), self.ledger.checkpoint())

    async def _save(self, checkpoint: Checkpoint) -> None:
        number = self._file.next()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.write, number, checkpoint)


def _record(frame: Frame) -> Record:
    """Raises GatewayFault: as long as this is not known, neither is what was spent."""
    try:
        return decode_record(frame.payload)
    except msgspec.MsgspecError as fault:
        raise GatewayFault(
            f"the journal holds a record that this version cannot read ({fault}): a later version wrote it, so start"
            " that one, or let it end its calls and stop before this one is started"
        ) from fault


def _restore(ledger: EmbeddedLedger, directory: Path, checkpoint: bytes | None) -> None:
    try:
        ledger.restore(checkpoint)
    except CheckpointUnusable as fault:
        raise GatewayFault(f"the ledger's checkpoint in {directory} cannot be used: {fault}") from fault


def _leases(path: Path) -> Checkpoint | None:
    """What a shared ledger had lent the last process that had one; None where none had."""
    try:
        return leases_file.read(path)
    except (leases_file.CheckpointBroken, OSError) as fault:
        raise GatewayFault(f"the leases in {path} cannot be read, so what was spent is not known: {fault}") from fault


class _LeasesFile:
    """The file, written by the thread of the leases and by that of the journal; never with what is older than it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._taken = 0  # by the event loop alone
        self._written = 0

    def next(self) -> int:
        """The number of a checkpoint that is taken now."""
        self._taken += 1
        return self._taken

    def write(self, number: int, checkpoint: Checkpoint) -> None:
        with self._lock:
            if number > self._written:
                leases_file.write(self._path, checkpoint)
                self._written = number


class _Leases(NamedTuple):
    file: _LeasesFile
    number: int
    checkpoint: Checkpoint

    @property
    def seq(self) -> int:
        return self.checkpoint.seq

    def keep(self, directory: Path, disk: Disk) -> None:
        self.file.write(self.number, self.checkpoint)
