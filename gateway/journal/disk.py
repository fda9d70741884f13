"""Owns the system calls a journal makes: each is one step at which a process can die or a disk can refuse.

The journal is given a Disk, so a test can stop it, fill it or cut its power at any step.
"""

import os
from pathlib import Path


class Disk:
    """The real disk. Holds no state; every method raises OSError as the system does."""

    write = staticmethod(os.pwrite)
    truncate = staticmethod(os.ftruncate)
    # macOS has no fdatasync; its fsync does as much as is to be had there.
    sync_data = staticmethod(getattr(os, "fdatasync", os.fsync))
    rename = staticmethod(os.rename)

    def create(self, path: Path) -> int:
        """A descriptor of a new file for its owner alone. Raises FileExistsError."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)

    def open(self, path: Path) -> int:
        """A descriptor of an existing file, to read and write."""
        return os.open(path, os.O_RDWR)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """Makes creations and renames in it durable."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, directory: Path) -> int:
        """What an unprivileged process may still write there."""
        stat = os.statvfs(directory)
        return stat.f_bavail * stat.f_frsize


DISK = Disk()
