"""Owns what a restart makes of the segments a dead process left unsealed: which calls were open, and the sealing.

Every step may be the last one: what is done twice has the effect of being done once. A call is open if any
segment has its intent and none its final, whatever their order, so the finals that a recovery writes count for
the next one before a single old segment is sealed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.journal.disk import Disk
from gateway.journal.frame import FINAL, INTENT, Damage, Frame
from gateway.journal.reader import OPEN, SEALED, SegmentReader


@dataclass(slots=True)
class Survey:
    """The unsealed segments of a directory, oldest first, and the calls open in them: id -> intent payload."""

    segments: list[tuple[Path, Damage]] = field(default_factory=list[tuple[Path, Damage]])
    open_intents: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found and done at a start. Bytes torn at a segment's end are cut off; others await the lake."""

    segments: int
    calls_resolved: int
    torn_bytes: int
    skipped_bytes: int


def survey(directory: Path, seen: Callable[[Frame], None]) -> Survey:
    """Reads every unsealed segment and shows each frame. Raises SegmentTooNew if a later version wrote one, OSError."""
    found = Survey()
    ended: set[bytes] = set()
    for path in sorted(directory.glob(f"*{OPEN}")):
        reader = SegmentReader(path)
        for frame in reader.frames():
            seen(frame)
            if frame.kind == INTENT:
                found.open_intents[frame.id] = frame.payload
            elif frame.kind == FINAL:
                ended.add(frame.id)
        found.segments.append((path, reader.damage))
    for id in ended:
        found.open_intents.pop(id, None)
    return found


def seal_all(found: Survey, disk: Disk, directory: Path) -> Recovery:
    """Seals the surveyed segments, once the finals of their open calls are durable elsewhere. Raises OSError."""
    resolved = len(found.open_intents)
    for path, damage in found.segments:
        _seal(path, damage, disk)
    disk.sync_directory(directory)
    torn_bytes = sum(damage.torn_bytes for _, damage in found.segments)
    skipped_bytes = sum(damage.skipped_bytes for _, damage in found.segments)
    return Recovery(len(found.segments), resolved, torn_bytes, skipped_bytes)


def _seal(path: Path, damage: Damage, disk: Disk) -> None:
    descriptor = disk.open(path)
    try:
        if damage.torn_bytes:
            disk.truncate(descriptor, path.stat().st_size - damage.torn_bytes)
        disk.sync_data(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(path, path.with_suffix(SEALED))
