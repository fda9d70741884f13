"""Owns the file in which a worker keeps what was published: all of it, and behind it what changed since.

Frames of the journal's form, each with a part as the control plane would say it. A start takes all up to the last part
that completes something; what was torn behind that is asked for again. Written on a thread of its own: what is
published is in force before the disk hears of it. A worker writes its own file and may read another's.
"""

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from gateway import private_file
from gateway.contract.publishing import Part
from gateway.journal.frame import PAYLOAD_BYTES_MAX, Decoder, SegmentTooNew, encode, header
from gateway.published import Published, Rows

FILE_NAME = "published.frames"
# A log is written anew when it is larger than what it changes, but not for less than this: some ten thousand changes.
LOG_BYTES_MIN = 1 << 20
# The kind of the frames, beside those of a journal.
_PART = 64

_log = logging.getLogger("lensai.policy")
_parts = msgspec.json.Decoder(Part)


class PublishedFile:
    """One worker's file. All methods belong to one thread; none but `load` and `close` waits."""

    def __init__(self, data_dir: Path, worker: int) -> None:
        self._directory = data_dir / "policy"
        self._path = self._directory / f"worker-{worker}" / FILE_NAME
        self._number = 0  # of the next frame; the thread's, once it runs
        self._whole_bytes = self._log_bytes = 0
        self._rewrites = True  # the next write is of everything
        self._lock = threading.Lock()
        self._queue: list[Part | Rows] = []
        self._writing = False
        self._failed = False  # the last write was
        self._thread = ThreadPoolExecutor(1, "policy-keeper")

    # -- at a start

    def load(self) -> Iterator[Part]:
        """The parts that were kept, up to the last that completes something; another worker's where none were here."""
        others = sorted(self._directory.glob(f"worker-*/{FILE_NAME}"), key=_age, reverse=True)
        for path in (self._path, *(other for other in others if other != self._path)):
            parts, is_whole = _read(path)
            if parts:
                if path == self._path and is_whole:
                    self._number, self._rewrites = len(parts), False
                    self._whole_bytes = path.stat().st_size
                yield from parts
                return

    # -- from then on

    def keep(self, part: Part, published: Published, *, whole: bool) -> None:
        """Remembers a part that is in force; `whole`: more than that part came into force with it.

        All of it is written anew then, and where the changes have become longer than what they change.
        """
        if whole or self._rewrites or self._log_bytes > max(self._whole_bytes, LOG_BYTES_MIN):
            self._rewrites, self._log_bytes = False, 0
            self._write(published.rows())
        elif part.items:
            self._write(part)

    def close(self) -> None:
        """Returns when all is written."""
        self._thread.shutdown()

    # -- on the thread

    def _write(self, what: Part | Rows) -> None:
        with self._lock:
            self._queue.append(what)
            if not self._writing:
                self._writing = True
                self._thread.submit(self._drain)

    def _drain(self) -> None:
        """Writes what has come meanwhile, as often as something has."""
        while True:
            with self._lock:
                queue, self._queue = self._queue, []
                if not queue:
                    self._writing = False
                    return
            try:
                self._write_all(queue)
                self._failed = False
            except OSError as fault:
                # Served all the same. What comes next is written with everything before it.
                self._rewrites = True
                if not self._failed:
                    _log.warning("published_policy_not_kept", exc_info=fault)
                self._failed = True

    def _write_all(self, queue: list[Part | Rows]) -> None:
        """What comes before all of it is in all of it."""
        first = max((place for place, what in enumerate(queue) if isinstance(what, Rows)), default=-1)
        if first >= 0:
            self._replace(queue[first])
        parts = [what for what in queue[first + 1 :] if isinstance(what, Part)]
        if parts:
            self._append(b"".join(frame for part in parts for frame in self._frames(part)))

    def _replace(self, rows: Part | Rows) -> None:
        assert isinstance(rows, Rows), "found as such"
        private_file.make_directory(self._path.parent)
        draft = self._path.with_suffix(".draft")
        self._number = 0
        with open(draft, "wb", opener=private_file.owner_only) as file:
            file.write(header())
            for part in rows.parts():
                file.writelines(self._frames(part))
            self._whole_bytes, self._log_bytes = file.tell(), 0
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def _append(self, frames: bytes) -> None:
        with open(self._path, "ab", opener=private_file.owner_only) as file:
            file.write(frames)
            self._log_bytes += len(frames)
            file.flush()
            os.fsync(file.fileno())

    def _frames(self, part: Part) -> Iterator[bytes]:
        """A part, in as many frames as it fills, numbered."""
        payload = msgspec.json.encode(msgspec.structs.replace(part, nonce="", number=self._number))
        if len(payload) > PAYLOAD_BYTES_MAX:  # of many items, each of which would fit
            half = len(part.items) // 2
            yield from self._frames(msgspec.structs.replace(part, items=part.items[:half], complete=False))
            yield from self._frames(msgspec.structs.replace(part, items=part.items[half:], reset=False))
            return
        self._number += 1
        yield encode(_PART, b"", payload)


def _read(path: Path) -> tuple[list[Part], bool]:
    """The parts in a file up to the last that completes something, and whether that is all there is."""
    parts: list[Part] = []
    complete = 0
    decoder = Decoder()
    try:
        frames = decoder.feed(path.read_bytes()) + decoder.finish()
        for frame in frames:
            part = _parts.decode(frame.payload)
            if part.number != len(parts) or part.reset != (not parts):
                return parts[:complete], False
            parts.append(part)
            complete = len(parts) if part.complete else complete
    except FileNotFoundError:
        return [], False
    except (OSError, SegmentTooNew, msgspec.MsgspecError) as fault:
        _log.warning("kept_published_policy_unreadable", exc_info=fault)
        return parts[:complete], False
    return parts[:complete], complete == len(parts) and not decoder.damage


def _age(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
