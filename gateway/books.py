"""Owns the way between the journal and the embedded ledger: what a start takes in, and what a checkpoint holds."""

from collections.abc import Callable

from gateway.contract.record import decode_record
from gateway.faults import GatewayFault
from gateway.journal.frame import FINAL, SIGNAL, Frame
from gateway.ledger.base import decode_crossed
from gateway.ledger.embedded import CheckpointUnusable, EmbeddedLedger, Snapshot


class Books:
    """What the journal shows its frames to, in order, before it takes any of this process. See journal.writer.Books."""

    def __init__(self, ledger: EmbeddedLedger, now_s: Callable[[], int]) -> None:
        self._ledger = ledger
        self._now_s = now_s

    def restore(self, checkpoint: bytes | None) -> None:
        """Raises GatewayFault: what was spent is not to be guessed."""
        try:
            self._ledger.restore(checkpoint, self._now_s())
        except CheckpointUnusable as fault:
            raise GatewayFault(f"the ledger's checkpoint cannot be used: {fault}") from fault

    def fold(self, frame: Frame) -> None:
        if frame.kind == FINAL:
            record = decode_record(frame.payload)
            if record.ledger_seq:
                self._ledger.fold(record.ledger_seq, record.counters or {})
        elif frame.kind == SIGNAL:
            crossed = decode_crossed(frame.payload)
            self._ledger.told(crossed.counter, crossed.percent)

    def snapshot(self) -> Snapshot:
        return self._ledger.snapshot(self._now_s())
