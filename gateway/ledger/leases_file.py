"""Owns what a node must remember of its leases across a crash: the checkpoint, one small file, replaced whole.

It is written before anything granted is spent, so what it says of a claim is never less than what was spent of it.
Reading and writing block; the ledger calls them through a thread.
"""

import contextlib
import os
from pathlib import Path

import msgspec

# What a checkpoint is refused beyond: a million counters; a file of that size is none of ours.
FILE_BYTES_MAX = 128 * 1024 * 1024


class CheckpointBroken(Exception):
    """The file is there and is no checkpoint. Without it nobody knows what this node may have spent."""


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node's memory. Everything settled up to `seq` is in `claims`; what the journal has beyond it is not."""

    node: str
    epoch: int  # of the start that wrote it
    machine: str = ""  # which boot of which machine: on the same one, what was written to files is all there
    seq: int = 0
    run: str = ""
    fence: int = 0
    roster_version: int = 0
    roster: tuple[str, ...] = ()
    claims: dict[str, tuple[int, int]] = {}  # counter -> (settled, claim)
    backs: dict[str, int] = {}  # counter -> what was given back of what had been settled


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Checkpoint)


def read(path: Path) -> Checkpoint | None:
    """None where there is none yet. Raises OSError and CheckpointBroken."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CheckpointBroken(str(path))
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise CheckpointBroken(str(path)) from error


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Readers see the old checkpoint or the new one, also after a power cut. Raises OSError; the old one then stays."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        with open(draft, "wb") as file:
            file.write(_encoder.encode(checkpoint))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_directory(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _sync_directory(path: Path) -> None:
    """Makes the renaming last."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def machine() -> str:
    """Names this boot of this machine; empty where that is not told, and then every start counts as a new boot."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
