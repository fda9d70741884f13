"""Owns Journal: the one writer of a worker's segments, from its lock to its close. Knows no Record and no clock.

A call's intent is written before it is dispatched and its final at its end. Both are only queued; `flush`
writes all that is queued with one system call, so whatever `flush` wrote survives the death of the process.
`sync`, on a thread of its own, makes it survive the machine's and seals the segments that are full.

Every segment begins with the intents of the calls still open, and an old one is sealed only when its successor
is durable: so the unsealed segments always name every open call, and sealed ones may be landed and deleted.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.journal import checkpoint
from gateway.journal.directory import begin_epoch, lock
from gateway.journal.disk import DISK, Disk
from gateway.journal.frame import FINAL, INTENT, PROBE, SIGNAL, Frame, encode, header, peek
from gateway.journal.reader import OPEN, SEALED, segment_name
from gateway.journal.recovery import Recovery, seal_all, survey

# A refusing disk is asked again this often: often enough to heal within a client's retry, rare enough to cost nothing.
WRITE_RETRY_MS = 100
# A failed fdatasync costs a segment, so the next attempt waits longer.
SYNC_RETRY_MS = 1000
# Segments written but not sealed, each an open descriptor. Reached only when syncing fails for a minute.
RETIRED_MAX = 64
# Frames that wait for a refusing disk: about 64 MiB. The ends of calls in flight are always kept, being bounded
# by admission; past this, the ends of requests that were refused are counted in `frames_dropped` instead.
QUEUE_FRAMES_MAX = 1 << 16
# Below this admission stops, while there is room yet to write down the ends of the calls in flight.
FREE_BYTES_MIN = 32 << 20

_PROBE = encode(PROBE, b"", b"")


class _Segment:
    __slots__ = (
        "carried_bytes",
        "descriptor",
        "first_final_ns",
        "named",
        "offset",
        "path",
        "poisoned",
        "snapshot",
        "synced_offset",
    )

    def __init__(self, path: Path, descriptor: int, carried_bytes: int) -> None:
        self.path = path
        self.descriptor = descriptor
        self.carried_bytes = carried_bytes  # what it began with, which is no reason to rotate it
        self.offset = carried_bytes  # end of the last whole frame
        self.synced_offset = 0
        self.first_final_ns: int | None = None
        self.named = False  # its directory entry is durable
        self.snapshot: Snapshot | None = None  # of what is counted up to its end
        self.poisoned = False  # an fdatasync failed: what the system says of this file is no longer to be believed


class Snapshot(Protocol):
    """What must be kept of finals whose segments may be deleted; `seq` tells one from the next."""

    @property
    def seq(self) -> int: ...

    def keep(self, directory: Path, disk: Disk) -> None:
        """Writes it, durably once the directory is synced. Blocks, on the thread that syncs. Raises OSError."""


class Books(Protocol):
    """What is counted from a journal's frames, and must outlive their segments.

    At a start `restore` is given the last checkpoint, if there was one, and `fold` every frame that may not be in it;
    some of them are. `snapshot` is asked for at the end of each segment, and is durable before that is sealed.
    """

    def restore(self, directory: Path, checkpoint: bytes | None) -> None: ...
    def fold(self, frame: Frame) -> None: ...
    def snapshot(self) -> Snapshot: ...


class NoBooks:
    """Of a journal that nothing is counted from."""

    seq = 0

    def restore(self, directory: Path, checkpoint: bytes | None) -> None: ...
    def fold(self, frame: Frame) -> None: ...

    def snapshot(self) -> Snapshot:
        return self

    def keep(self, directory: Path, disk: Disk) -> None: ...


class Journal:
    """Segments of one worker. `intent`, `final`, `flush` and `close` belong to one thread, `sync` to any one other.

    The caller flushes at the end of each turn of its event loop in which it queued anything, and ten times a
    second besides (that rotates, and heals after a fault); and calls `sync` at the interval it can afford to lose.
    """

    bytes_written = 0
    frames_written = 0
    frames_dropped = 0
    segments_sealed = 0
    write_failures = 0
    sync_failures = 0
    node_id = ""  # of the directory, the same after a restart
    recovery: Recovery

    def __init__(
        self,
        directory: Path,
        held: int,
        name: Callable[[int], str],
        *,
        segment_bytes_max: int,
        segment_age_ms: int,
        free_bytes_min: int,
        books: Books,
        disk: Disk,
    ) -> None:
        self._directory = directory
        self._held = held
        self._name = name
        self._segment_bytes_max = segment_bytes_max
        self._segment_age_ns = segment_age_ms * 1_000_000
        self._free_bytes_min = free_bytes_min
        self._books = books
        self._checkpoint_seq = 0
        self._disk = disk
        self._queue: list[bytes] = []
        self._fresh: set[bytes] = set()  # ids of intents queued, whose calls wait
        self._final_queued = False
        self._open: dict[bytes, bytes] = {}  # id -> intent frame
        self._number = 0
        self._retired: list[_Segment] = []  # oldest first
        self._sync_lock = threading.Lock()
        self._faults: dict[str, str] = {}  # "write" | "sync" | "space" -> what the disk said
        self._retry_at_ns = 0
        self._segment: _Segment

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        node_id: str,
        now_ns: int,
        resolve: Callable[[bytes], bytes],
        segment_bytes_max: int,
        segment_age_ms: int,
        free_bytes_min: int = FREE_BYTES_MIN,
        books: Books | None = None,
        disk: Disk = DISK,
    ) -> "Journal":
        """Locks the directory, ends the calls a dead process left open, and starts a new segment.

        `resolve` turns such a call's intent payload into its final payload, and must not raise; it is asked when the
        books have seen all frames. `node_id` names a directory that has no name yet. A segment is rotated when it is
        `segment_bytes_max` long or its first final is `segment_age_ms` old. Raises JournalLocked, NodeFileDamaged,
        SegmentTooNew, CheckpointDamaged, OSError.
        """
        directory.mkdir(parents=True, exist_ok=True)
        held = lock(directory)
        try:
            node_id, epoch = begin_epoch(directory, node_id, disk)
            journal = cls(
                directory,
                held,
                lambda number: segment_name(node_id, epoch, number),
                segment_bytes_max=segment_bytes_max,
                segment_age_ms=segment_age_ms,
                free_bytes_min=free_bytes_min,
                books=books or NoBooks(),
                disk=disk,
            )
            journal.node_id = node_id
            journal._recover(now_ns, resolve)
        except BaseException:
            os.close(held)
            raise
        return journal

    def _recover(self, now_ns: int, resolve: Callable[[bytes], bytes]) -> None:
        self._books.restore(self._directory, checkpoint.read(self._directory))
        found = survey(self._directory, self._books.fold)
        for id, payload in found.open_intents.items():
            self.final(id, resolve(payload))
        self._segment = self._create(now_ns)
        self._sync_segment(self._segment)
        self._keep(self._books.snapshot())
        self.recovery = seal_all(found, self._disk, self._directory)
        self.segments_sealed += self.recovery.segments
        self._check_space()

    # What the pipeline says.

    def intent(self, id: bytes, payload: bytes) -> None:
        """Queues a call's intent. The call may be dispatched once a `flush` has not named it."""
        frame = encode(INTENT, id, payload)
        self._open[id] = frame
        self._queue.append(frame)
        self._fresh.add(id)

    def final(self, id: bytes, payload: bytes) -> None:
        """Queues a call's end, which is written however long the disk refuses. Needs no intent before it."""
        was_open = self._open.pop(id, None) is not None
        if not was_open and self._faults and len(self._queue) >= QUEUE_FRAMES_MAX:
            self.frames_dropped += 1
            return
        self._queue.append(encode(FINAL, id, payload))
        self._final_queued = True

    def again(self, id: bytes, payload: bytes) -> None:
        """Queues an open call's intent anew: it holds more than the one before said."""
        frame = encode(INTENT, id, payload)
        self._open[id] = frame
        self._queue.append(frame)

    def signal(self, id: bytes, payload: bytes) -> None:
        """Queues a signal, which is written as surely as the finals that stand before it."""
        self._queue.append(encode(SIGNAL, id, payload))

    @property
    def pending(self) -> bool:
        """Whether anything waits to be flushed."""
        return bool(self._queue)

    @property
    def accepting(self) -> bool:
        """Whether calls may be admitted: false from the disk's first refusal until it takes a write again."""
        return not self._faults

    @property
    def fault(self) -> str:
        """Why calls may not be admitted; empty if they may."""
        return "; ".join(self._faults.values())

    @property
    def open_calls(self) -> int:
        return len(self._open)

    # Writing.

    def flush(self, now_ns: int) -> tuple[bytes, ...]:
        """Writes all that is queued, with one system call; rotates if it is time. Never raises for the disk's faults.

        Returns the ids of intents that were not written: their calls must not be dispatched and the journal has
        forgotten them. Finals that were not written stay queued.
        """
        if self._faults:
            return self._flush_faulted(now_ns)
        if self._queue and not self._write(now_ns):
            return self._refuse_intents()
        if self._rotation_due(now_ns):
            self._rotate(now_ns)
        return ()

    def _flush_faulted(self, now_ns: int) -> tuple[bytes, ...]:
        refused = self._refuse_intents()
        if now_ns >= self._retry_at_ns:
            self._retry_at_ns = now_ns + WRITE_RETRY_MS * 1_000_000
            self._heal(now_ns)
        return refused

    def _heal(self, now_ns: int) -> None:
        if self._segment.poisoned:
            # The fault stays until the new segment has synced.
            self._retry_at_ns = now_ns + SYNC_RETRY_MS * 1_000_000
            if len(self._retired) < RETIRED_MAX:
                self._rotate(now_ns)
            return
        if not self._queue:
            self._queue.append(_PROBE)
        if self._write(now_ns):
            self._faults.pop("write", None)
            self._check_space()

    def _write(self, now_ns: int) -> bool:
        segment, queue = self._segment, self._queue
        blob = b"".join(queue)
        try:
            # At our own offset: what a failed write left there is written over by the next one.
            written = self._disk.write(segment.descriptor, blob, segment.offset)
        except OSError as error:
            return self._fail_write(0, str(error), now_ns)
        if written != len(blob):
            return self._fail_write(written, f"short write: {written} of {len(blob)} bytes", now_ns)
        segment.offset += written
        self._note_written(segment, len(queue), written, now_ns)
        self._forget_queue()
        return True

    def _forget_queue(self) -> None:
        self._queue.clear()
        self._fresh.clear()
        self._final_queued = False

    def _note_written(self, segment: _Segment, frames: int, size_bytes: int, now_ns: int) -> None:
        self.frames_written += frames
        self.bytes_written += size_bytes
        if self._final_queued and segment.first_final_ns is None:
            segment.first_final_ns = now_ns

    def _fail_write(self, written: int, reason: str, now_ns: int) -> bool:
        """The frames that a short write holds whole are written; the rest stay queued. Returns False."""
        whole = whole_bytes = 0
        for frame in self._queue:
            if whole_bytes + len(frame) > written:
                break
            whole += 1
            whole_bytes += len(frame)
        del self._queue[:whole]
        segment = self._segment
        segment.offset += whole_bytes
        with contextlib.suppress(OSError):  # a tail that cannot be cut off is written over, or cut off by recovery
            self._disk.truncate(segment.descriptor, segment.offset)
        self._note_written(segment, whole, whole_bytes, now_ns)
        self._note_write_failure(reason, now_ns)
        return False

    def _note_write_failure(self, reason: str, now_ns: int) -> None:
        self.write_failures += 1
        self._faults["write"] = f"journal write failed: {reason}"
        self._retry_at_ns = now_ns + WRITE_RETRY_MS * 1_000_000

    def _refuse_intents(self) -> tuple[bytes, ...]:
        if not self._fresh:
            return ()
        refused: list[bytes] = []
        kept: list[bytes] = []
        for frame in self._queue:
            kind, id = peek(frame)
            if kind == INTENT and id in self._fresh:
                refused.append(id)
                self._open.pop(id, None)
            else:
                kept.append(frame)
        self._queue = kept
        self._fresh.clear()
        return tuple(refused)

    def _check_space(self) -> None:
        try:
            free_bytes = self._disk.free_bytes(self._directory)
        except OSError:
            free_bytes = 0
        if free_bytes < self._free_bytes_min:
            self._faults["space"] = f"journal disk nearly full: {free_bytes} bytes free"
        else:
            self._faults.pop("space", None)

    # Rotation and sealing.

    def _rotation_due(self, now_ns: int) -> bool:
        segment = self._segment
        first_final_ns = segment.first_final_ns
        # One without a final holds nothing to land, however old it is.
        aged = first_final_ns is not None and now_ns - first_final_ns >= self._segment_age_ns
        full = segment.offset - segment.carried_bytes >= self._segment_bytes_max
        return (aged or full) and len(self._retired) < RETIRED_MAX

    def _rotate(self, now_ns: int) -> None:
        """Moves on to a new segment; the old one is sealed by the next `sync`."""
        try:
            segment = self._create(now_ns)
        except OSError as error:
            self._note_write_failure(str(error), now_ns)
            return
        # In this order: `sync` reads them in the other, and so never takes the current one for retired.
        old, self._segment = self._segment, segment
        old.snapshot = self._books.snapshot()
        self._retired.append(old)
        self._check_space()

    def _create(self, now_ns: int) -> _Segment:
        """A new segment that holds every open intent and all that is queued, which is then no longer."""
        self._number += 1
        path = self._directory / (self._name(self._number) + OPEN)
        carried = [*self._open.values(), *self._queue]
        blob = b"".join((header(), *carried))
        descriptor = self._disk.create(path)
        try:
            if self._disk.write(descriptor, blob, 0) != len(blob):
                raise OSError(errno.ENOSPC, "short write")  # noqa: TRY301 - one clean-up for both
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.close(descriptor)
                self._disk.unlink(path)
            raise
        segment = _Segment(path, descriptor, len(blob))
        self._note_written(segment, len(carried), len(blob), now_ns)
        self._forget_queue()
        return segment

    def sync(self) -> bool:
        """Makes all that was flushed so far durable and seals the segments rotated out. False: the disk refused.

        Blocks for as long as the disk does: call it from a thread, at the interval whose loss is acceptable.
        """
        with self._sync_lock:
            retired = self._retired[:]
            segment = self._segment
            try:
                self._sync_segment(segment)
                for old in retired:
                    self._seal(old)
                if retired:
                    self._disk.sync_directory(self._directory)
            except Exception as error:  # whatever it was: nothing may be admitted that is not durable
                self.sync_failures += 1
                self._faults["sync"] = f"journal sync failed: {error}"
                return False
            self._faults.pop("sync", None)
            return True

    def _sync_segment(self, segment: _Segment) -> None:
        """Raises OSError, always so after the first time: a second fdatasync would claim what the first lost."""
        if segment.poisoned:
            raise OSError(errno.EIO, "this segment failed to sync before")
        offset = segment.offset
        if offset == segment.synced_offset:
            return
        try:
            self._disk.sync_data(segment.descriptor)
            if not segment.named:
                self._disk.sync_directory(self._directory)
                segment.named = True
        except OSError:
            segment.poisoned = True
            raise
        segment.synced_offset = offset

    def _seal(self, old: _Segment) -> None:
        if not old.poisoned:
            self._sync_segment(old)
        if old.snapshot is not None:
            self._keep(old.snapshot)
        # A poisoned segment is sealed as it is: if the disk lost any of it, the lake counts the damage.
        self._disk.rename(old.path, old.path.with_suffix(SEALED))
        self._retired.remove(old)
        self.segments_sealed += 1
        self._disk.close(old.descriptor)

    def _keep(self, snapshot: Snapshot) -> None:
        """Writes a checkpoint, unless the last one says the same. Raises OSError."""
        if snapshot.seq > self._checkpoint_seq:
            snapshot.keep(self._directory, self._disk)
            self._checkpoint_seq = snapshot.seq

    def close(self, now_ns: int) -> int:
        """Flushes, syncs, seals and unlocks. Returns the number of frames the disk did not take.

        With calls still open the last segment stays unsealed, for the next start to end them.
        """
        self._retry_at_ns = 0
        self.flush(now_ns)
        if self.sync() and not self._open and not self._queue:
            self._segment.snapshot = self._books.snapshot()
            self._retired.append(self._segment)
            self.sync()
        else:
            self._disk.close(self._segment.descriptor)
        for old in self._retired:
            self._disk.close(old.descriptor)
        os.close(self._held)
        return len(self._queue)
