"""Owns that an accepted event is not lost: it is on the disk, and synced, before anybody is told that it was taken.

The events of all requests that wait are written and synced together, on a thread of its own: one sync costs some
milliseconds and serves everybody. What is written are finals in segments of gateway/journal, whose frames have
checksums and whose recovery is proved there. Sealed segments are the landing's (land.py).
"""

import asyncio
import contextlib
import itertools
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.journal.directory import JournalLocked, NodeFileDamaged
from gateway.journal.disk import DISK, Disk
from gateway.journal.reader import SegmentTooNew
from gateway.journal.writer import FREE_BYTES_MIN, Journal
from gateway.private_file import make_directory

# Full at a size that lands in one piece; sealed after this time, so that an event is in the lake within a second.
SEGMENT_BYTES_MAX = 8 << 20
SEGMENT_AGE_MS = 700
# How often a segment's age and a refusing disk are looked at while nothing comes.
TICK_S = 0.1
# Events that wait for the disk: some seconds of a great load, and 64 MB at the most that an event takes.
WAITING_MAX = 20_000
# Processes beside each other on one data directory; each has a directory of its own.
PROCESSES_MAX = 64
_PREFIX = "spool-"

_log = logging.getLogger("lensai.control_plane.ingest")

# (id, payload) of a frame.
Frame = tuple[bytes, bytes]


class NotKept(Exception):
    """The disk did not take it, or could not be asked: nothing may be acknowledged. The message says what it said."""


class _Waiting(NamedTuple):
    frames: Sequence[Frame]
    kept: "asyncio.Future[None]"


def spools(root: Path) -> list[Path]:
    """The directories of all processes, living and dead, under a root."""
    return sorted(path for path in root.glob(f"{_PREFIX}*") if path.is_dir())


class Spool:
    """The events of one process. `keep` belongs to one event loop; the disk belongs to the spool's own thread."""

    def __init__(self, root: Path, monotonic_ns: Callable[[], int] = time.monotonic_ns, disk: Disk = DISK) -> None:
        self._root, self._monotonic_ns, self._disk = root, monotonic_ns, disk
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._waiting = 0  # events, in the loop's count
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._journal: Journal | None = None
        self._fault = ""

    def start(self) -> None:
        """Takes up what a dead process left, if anything was ever kept here; else the first `keep` begins."""
        if spools(self._root):
            self._begin()

    async def keep(self, frames: Sequence[Frame]) -> None:
        """Returns once they are durable, and raises NotKept where they are not, or may not be."""
        if self._waiting + len(frames) > WAITING_MAX:
            raise NotKept("too many events wait for the disk")
        self._begin()
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting += len(frames)
        self._queue.put(_Waiting(frames, kept))
        try:
            await kept
        finally:
            self._waiting -= len(frames)

    async def close(self) -> None:
        """Keeps what still waits, seals all segments and lets go of the directory."""
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None

    def _begin(self) -> None:
        if self._thread is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name="ingest-spool", daemon=True)
            self._thread.start()

    # On the spool's own thread.

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            waiting, goes_on = self._next()
            self._answer(waiting, self._turn(waiting))
        if self._journal is not None:
            self._journal.close(self._monotonic_ns())
            self._journal = None

    def _turn(self, waiting: Sequence[_Waiting]) -> str:
        """What kept the disk from taking it; empty if nothing did."""
        try:
            if self._journal is None:
                make_directory(self._root)
                self._journal = self._open_first_free()
            fault = self._commit(self._journal, waiting)
        except Exception as error:
            # Whoever waits must hear of it, whatever it was.
            fault = str(error) or type(error).__name__
        if fault and fault != self._fault:
            _log.error("spool_failed", extra={"reason": fault})
        self._fault = fault
        return fault

    def _next(self) -> tuple[list[_Waiting], bool]:
        """All that waits by now, and whether more may come."""
        found: list[_Waiting] = []
        with contextlib.suppress(queue.Empty):
            one = self._queue.get(timeout=TICK_S)
            while one is not None:
                found.append(one)
                one = self._queue.get_nowait()
            return found, False
        return found, True

    def _commit(self, journal: Journal, waiting: Sequence[_Waiting]) -> str:
        """Writes and syncs; what the disk had against it, or nothing. Asked for nothing, it ages and heals."""
        if waiting and not journal.accepting:
            # First whether it heals: what is queued for a disk that refuses is written when nobody waits any more.
            journal.flush(self._monotonic_ns())
            journal.sync()
            if not journal.accepting:
                return journal.fault
        for id, payload in itertools.chain.from_iterable(one.frames for one in waiting):
            journal.final(id, payload)
        journal.flush(self._monotonic_ns())
        journal.sync()
        return journal.fault

    def _answer(self, waiting: Sequence[_Waiting], fault: str) -> None:
        if waiting and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(_tell, waiting, fault)

    def _open_first_free(self) -> Journal:
        """A directory that no living process holds; those of dead ones are sealed on the way, so that they land.

        One that cannot be used is left as it is, and keeps nobody from another. Raises OSError.
        """
        own: Journal | None = None
        free = (self._root / f"{_PREFIX}{number}" for number in range(PROCESSES_MAX))
        try:
            for path in dict.fromkeys((*spools(self._root), *free)):
                if own is None:
                    own = self._opened(path)
                elif path.exists() and (dead := self._opened(path)) is not None:
                    dead.close(self._monotonic_ns())
        except OSError:
            if own is not None:
                own.close(self._monotonic_ns())
            raise
        if own is None:
            raise OSError(f"none of {PROCESSES_MAX} directories in {self._root} is free")
        return own

    def _opened(self, path: Path) -> Journal | None:
        """None where another process holds the directory, or a person has to look at it. Raises OSError."""
        try:
            return self._open(path)
        except JournalLocked:
            return None
        except (NodeFileDamaged, SegmentTooNew) as fault:
            _log.error("spool_left", extra={"spool": path.name, "reason": str(fault)})
            return None

    def _open(self, path: Path) -> Journal:
        return Journal.open(
            path,
            node_id=f"ingest{secrets.token_hex(6)}",
            now_ns=self._monotonic_ns(),
            resolve=lambda payload: payload,  # there are no intents
            segment_bytes_max=SEGMENT_BYTES_MAX,
            segment_age_ms=SEGMENT_AGE_MS,
            free_bytes_min=FREE_BYTES_MIN,
            disk=self._disk,
        )


def _tell(waiting: Sequence[_Waiting], fault: str) -> None:
    for one in waiting:
        if one.kept.done():
            continue  # who waited has gone
        if fault:
            one.kept.set_exception(NotKept(fault))
        else:
            one.kept.set_result(None)
