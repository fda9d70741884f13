from pathlib import Path

import pytest

from gateway.journal import checkpoint
from gateway.journal.disk import DISK


def test_what_was_written_last_is_read(tmp_path: Path):
    assert checkpoint.read(tmp_path) is None
    checkpoint.write(tmp_path, b"one", DISK)
    checkpoint.write(tmp_path, b"", DISK)
    assert checkpoint.read(tmp_path) == b""
    checkpoint.write(tmp_path, b"two", DISK)
    assert checkpoint.read(tmp_path) == b"two"


def test_a_draft_that_a_dead_process_left_is_in_nobody_s_way(tmp_path: Path):
    checkpoint.write(tmp_path, b"one", DISK)
    (tmp_path / f".{checkpoint.FILE_NAME}").write_bytes(b"half")

    assert checkpoint.read(tmp_path) == b"one"
    checkpoint.write(tmp_path, b"two", DISK)
    assert checkpoint.read(tmp_path) == b"two"


def test_every_damage_is_seen(tmp_path: Path):
    checkpoint.write(tmp_path, b"what was spent", DISK)
    path = tmp_path / checkpoint.FILE_NAME
    whole = path.read_bytes()
    damaged = [whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :] for at in range(len(whole))]
    for blob in (*damaged, *(whole[:at] for at in range(len(whole))), whole + b"\0"):
        path.write_bytes(blob)
        with pytest.raises(checkpoint.CheckpointDamaged):
            checkpoint.read(tmp_path)
