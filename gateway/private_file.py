"""Owns writing a file that holds secrets: whole or not at all, and for its owner's eyes only."""

import os
from pathlib import Path

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_DIRECTORY = 0o700


def make_directory(path: Path) -> None:
    """The directory exists and, if it did not before, only its owner may enter it."""
    path.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True, exist_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Readers see the old content or the new, also after a power cut. Raises OSError; the old file then stays.

    The file keeps its owner and permissions, or a gateway of another user could not read it any more.
    """
    # A symbolic link stays one. The process id keeps workers that write at once apart.
    target = path.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(draft, "wb", opener=owner_only) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            _resemble(target, file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def append(path: Path, content: bytes) -> None:
    """Adds to a file, which is created if it is missing. Raises OSError."""
    with open(path, "ab", opener=owner_only) as file:
        file.write(content)


def owner_only(path: str, flags: int) -> int:
    """Opens a file, for its owner alone where it was not there; an `opener` of open()."""
    return os.open(path, flags, OWNER_ONLY_FILE)


def _resemble(target: Path, descriptor: int) -> None:
    if target.exists():
        status, own = target.stat(), os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (own.st_uid, own.st_gid):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o777)
