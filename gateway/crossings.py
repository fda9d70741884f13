"""Owns the thresholds that were reached and that the control plane has not heard of, until it has: over restarts too.

A threshold is a frame of the journal first. The frames of a segment are gone once it is landed, so what is untold at
its end is written down before it is sealed; a start takes that up, and every frame that is not sealed. So each is told
at least once, and now and then one is told again.
"""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway import private_file
from gateway.journal.disk import Disk
from gateway.journal.frame import SIGNAL, Frame
from gateway.journal.writer import Books, Snapshot
from gateway.ledger.base import Crossed, decode_crossed

FILE_NAME = "crossings.msgpack"
# Of a control plane that is away for long: some 20 MB. Beyond that the oldest are forgotten here, and are in the log.
UNTOLD_MAX = 100_000

_log = logging.getLogger("lensai.control_plane")


class Untold(NamedTuple):
    """A threshold that was reached, and when this was first known here."""

    crossed: Crossed
    at_s: int


_Rows = tuple[Untold, ...]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Rows).decode


class Crossings:
    """What is untold, oldest first. One thread's; what `rows` returned is anybody's."""

    def __init__(self, now_s: Callable[[], int]) -> None:
        self.changes = 0
        self.forgotten = 0
        self._now_s = now_s
        self._untold: dict[tuple[str, int], Untold] = {}  # by counter and percent

    def __len__(self) -> int:
        return len(self._untold)

    def add(self, crossed: Crossed) -> None:
        """Remembers a threshold, unless it is untold already."""
        if (crossed.counter, crossed.percent) not in self._untold:
            self._add(Untold(crossed, self._now_s()))

    def _add(self, untold: Untold) -> None:
        if len(self._untold) >= UNTOLD_MAX:
            del self._untold[next(iter(self._untold))]
            self.forgotten += 1
        self._untold[untold.crossed.counter, untold.crossed.percent] = untold
        self.changes += 1

    def rows(self) -> _Rows:
        return tuple(self._untold.values())

    def told(self, rows: Iterable[Untold]) -> None:
        """Somebody has heard of them, or nobody wants to."""
        for untold in rows:
            self._untold.pop((untold.crossed.counter, untold.crossed.percent), None)
            self.changes += 1

    def move_back(self, rows: Iterable[Untold]) -> None:
        """They come last from now on: others may be told where these may not."""
        for untold in rows:
            place = (untold.crossed.counter, untold.crossed.percent)
            if place in self._untold:
                self._untold[place] = self._untold.pop(place)

    def restore(self, directory: Path) -> None:
        """Takes up what the last process left."""
        try:
            for untold in _decode((directory / FILE_NAME).read_bytes()):
                self._add(untold)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as fault:
            _log.warning("crossings_unreadable", exc_info=fault)


class TellingBooks:
    """Books of a journal, and with them the thresholds that are untold."""

    def __init__(self, books: Books, crossings: Crossings) -> None:
        self._books = books
        self._crossings = crossings

    def restore(self, directory: Path, checkpoint: bytes | None) -> None:
        self._crossings.restore(directory)
        self._books.restore(directory, checkpoint)

    def fold(self, frame: Frame) -> None:
        if frame.kind == SIGNAL:
            self._crossings.add(decode_crossed(frame.payload))
        self._books.fold(frame)

    def snapshot(self) -> "_Told":
        return _Told(self._books.snapshot(), self._crossings.changes, self._crossings.rows())


class _Told(NamedTuple):
    sums: Snapshot
    changes: int
    rows: _Rows

    @property
    def seq(self) -> int:
        """Grows with either."""
        return self.sums.seq + self.changes

    def keep(self, directory: Path, disk: Disk) -> None:
        self.sums.keep(directory, disk)
        private_file.replace(directory / FILE_NAME, _encode(self.rows))
