"""Owns the file beside the segments that holds what is no longer in them: written whole or not at all, and checked.

What it holds is its owner's business. A segment is sealed, and may then be landed and deleted, only after a checkpoint
taken at its end is durable.
"""

import contextlib
import struct
from pathlib import Path

from gateway.journal.disk import Disk
from gateway.journal.frame import crc32c

FILE_NAME = "ledger.checkpoint"
_HEAD = struct.Struct("<8sII")
_MAGIC = b"LENSAIC\n"


class CheckpointDamaged(Exception):
    """The file is there and is not what was written."""


def write(directory: Path, content: bytes, disk: Disk) -> None:
    """Replaces the checkpoint; durable once the directory is synced. Raises OSError; the old one then stays."""
    draft = directory / f".{FILE_NAME}"
    disk.unlink(draft)
    descriptor = disk.create(draft)
    try:
        blob = _HEAD.pack(_MAGIC, len(content), crc32c(content)) + content
        if disk.write(descriptor, blob, 0) != len(blob):
            raise OSError("short write of the checkpoint")
        disk.sync_data(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(draft, directory / FILE_NAME)


def read(directory: Path) -> bytes | None:
    """What was written last, None if nothing was. Raises CheckpointDamaged, OSError."""
    with contextlib.suppress(FileNotFoundError):
        blob = (directory / FILE_NAME).read_bytes()
        if len(blob) < _HEAD.size:
            raise CheckpointDamaged("cut")
        magic, size_bytes, checksum = _HEAD.unpack_from(blob)
        content = blob[_HEAD.size :]
        if magic != _MAGIC or len(content) != size_bytes or crc32c(content) != checksum:
            raise CheckpointDamaged("its checksum is another")
        return content
    return None
