"""Owns a worker's directory as such: who holds it, and the name and epoch its segments are named after."""

import fcntl
import os
import re
from pathlib import Path

from gateway.journal.disk import Disk

_NODE = re.compile(r"([a-z0-9]{1,32}) ([0-9]+)\n")


class JournalLocked(Exception):
    """Another process holds the directory."""


class NodeFileDamaged(Exception):
    """The directory's `node` file is not one: new segments could be named like those already landed."""


def lock(directory: Path) -> int:
    """Takes the directory for this process until the returned descriptor is closed. Raises JournalLocked."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise JournalLocked(f"{directory} is in use by the process with pid {holder}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor


def begin_epoch(directory: Path, node_id: str, disk: Disk) -> tuple[str, int]:
    """The directory's node id and a number it never had before, both durable: no segment name is used twice."""
    path = directory / "node"
    epoch = 0
    if path.exists():
        known = _NODE.fullmatch(path.read_text("ascii", "replace"))
        if known is None:
            raise NodeFileDamaged(f"{path} should hold a node id and a number")
        node_id, epoch = known[1], int(known[2])
    content = f"{node_id} {epoch + 1}\n"
    if not _NODE.fullmatch(content):
        raise ValueError(f"a node id is 1 to 32 of a-z and 0-9, not {node_id!r}")
    _replace(path, content.encode(), disk)
    return node_id, epoch + 1


def _replace(path: Path, content: bytes, disk: Disk) -> None:
    """Writes a small file whole or not at all, durably."""
    draft = path.with_suffix(".new")
    disk.unlink(draft)
    descriptor = disk.create(draft)
    try:
        disk.write(descriptor, content, 0)
        disk.sync_data(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(draft, path)
    disk.sync_directory(path.parent)
