"""The checkpoint of a node's leases: whole or not at all."""

import os

import pytest

from gateway.ledger import leases_file
from gateway.ledger.leases_file import Checkpoint, CheckpointBroken, machine, read, write

FIRST = Checkpoint("a", 1, claims={"budget@2026-11": (10, 25)})
SECOND = Checkpoint("a", 2, "boot", 7, "run1", 3, 2, ("a", "b"), {"budget@2026-11": (12, 2**53)})


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "leases"
    for checkpoint in (FIRST, SECOND):
        write(path, checkpoint)
        assert read(path) == checkpoint
    assert os.listdir(tmp_path) == ["leases"]


def test_there_is_none_at_first(tmp_path):
    assert read(tmp_path / "leases") is None


@pytest.mark.parametrize("content", [b"", b"\x00", b"{}", b"\x81\xa1x\x01"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "leases"
    path.write_bytes(content)
    with pytest.raises(CheckpointBroken):
        read(path)


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "leases"
    write(path, SECOND)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointBroken):
            read(path)


def test_a_file_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "leases"
    write(path, SECOND)
    monkeypatch.setattr(leases_file, "FILE_BYTES_MAX", 10)
    with pytest.raises(CheckpointBroken):
        read(path)


def test_a_write_that_fails_leaves_the_old_checkpoint(tmp_path):
    path = tmp_path / "leases"
    write(path, FIRST)
    (tmp_path / ".leases.draft").mkdir()
    with pytest.raises(OSError):
        write(path, SECOND)
    assert read(path) == FIRST


def test_a_machine_has_one_name_until_it_boots():
    assert machine() == machine()
