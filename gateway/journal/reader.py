"""Owns how segments are named, found and read. Never writes: landing and tailing go through here.

A segment is `<node>-<epoch>-<number>.open` while its gateway writes it and `.seg` once it is sealed, which is
for good. Epochs count a directory's restarts and numbers an epoch's segments, so names sort by age.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gateway.journal.frame import FINAL, Damage, Decoder, Frame, SegmentTooNew

__all__ = ["OPEN", "SEALED", "Damage", "SegmentReader", "SegmentTooNew", "Tail", "sealed", "segment_name", "workers"]

OPEN = ".open"
SEALED = ".seg"

# What is held of a segment at a time: large enough that reads cost nothing beside decoding.
_READ_BYTES = 1 << 20


def segment_name(node_id: str, epoch: int, number: int) -> str:
    """A segment's name without its suffix."""
    return f"{node_id}-{epoch:08d}-{number:08d}"


def sealed(directory: Path) -> list[Path]:
    """The sealed segments of one worker's directory, oldest first; none if the directory is not there yet."""
    return sorted(directory.glob(f"*{SEALED}"))


def workers(root: Path) -> list[Path]:
    """The workers' directories under a journal root."""
    return sorted(path for path in root.glob("worker-*") if path.is_dir())


class SegmentReader:
    """Reads one segment that nobody writes any more. `damage` is complete when the iteration is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = Decoder()
        self.damage = self._decoder.damage

    def frames(self) -> Iterator[Frame]:
        """Every good frame in order. Raises SegmentTooNew, OSError."""
        with self._path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                yield from self._decoder.feed(data)
        yield from self._decoder.finish()

    def finals(self) -> Iterator[tuple[bytes, bytes]]:
        """Id and payload of every call that ended in this segment. Raises SegmentTooNew, OSError."""
        return ((frame.id, frame.payload) for frame in self.frames() if frame.kind == FINAL)


class _Followed:
    """One segment being read as it grows. Its descriptor outlives a rename and a deletion."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._decoder = Decoder()

    def read(self, *, ended: bool) -> Iterator[Frame]:
        while data := self._file.read(_READ_BYTES):
            yield from self._decoder.feed(data)
        if ended:
            self.close()
            yield from self._decoder.finish()

    def close(self) -> None:
        self._file.close()


class Tail:
    """Follows all workers under a journal root: each call's end once, across rotation, sealing and landing.

    The caller polls. A segment lives for `segment_age_ms` at least, or until it is full; polled more often than
    that, none is missed. Segments that are there at the start count as read up to their ends.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._following: dict[Path, _Followed] = {}
        self._known: set[Path] = set()
        for _ in self.poll():
            pass

    def poll(self) -> Iterator[tuple[bytes, bytes]]:
        """Id and payload of every call that ended since the last poll. Raises SegmentTooNew."""
        # Listed before they are read: a segment that is sealed or gone by now takes no more bytes.
        growing = {path.with_suffix("") for path in self._root.glob(f"worker-*/*{OPEN}")}
        whole = {path.with_suffix("") for path in self._root.glob(f"worker-*/*{SEALED}")}
        for stem in sorted((growing | whole) - self._known):
            self._take_up(stem)
        self._known = growing | whole
        for stem, segment in list(self._following.items()):
            ended = stem in whole or stem not in growing
            if ended:
                del self._following[stem]
            yield from ((frame.id, frame.payload) for frame in segment.read(ended=ended) if frame.kind == FINAL)

    def close(self) -> None:
        """Lets go of the segments it follows."""
        for segment in self._following.values():
            segment.close()
        self._following.clear()

    def _take_up(self, stem: Path) -> None:
        # By either name: it may have been sealed since it was listed, or landed and be gone.
        for suffix in (OPEN, SEALED):
            with contextlib.suppress(FileNotFoundError):
                self._following[stem] = _Followed(stem.with_name(stem.name + suffix))
                return
