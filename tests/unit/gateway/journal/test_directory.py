import os
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.directory import JournalLocked, NodeFileDamaged, begin_epoch, lock
from gateway.journal.disk import DISK


def test_second_holder_is_refused_by_the_first_ones_pid(tmp_path: Path) -> None:
    held = lock(tmp_path)
    with pytest.raises(JournalLocked, match=f"in use by the process with pid {os.getpid()}$"):
        lock(tmp_path)
    os.close(held)
    os.close(lock(tmp_path))


def test_lock_ends_with_the_process_however_it_ends(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        lock(tmp_path)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    os.close(lock(tmp_path))
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_second_journal_on_a_directory_is_refused(tmp_path: Path, open_journal: Any) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(JournalLocked):
        open_journal(tmp_path)
    journal.close(0)
    open_journal(tmp_path).close(0)


def test_node_keeps_its_name_and_never_an_epoch(tmp_path: Path) -> None:
    assert begin_epoch(tmp_path, "first", DISK) == ("first", 1)
    assert begin_epoch(tmp_path, "second", DISK) == ("first", 2)
    (tmp_path / "node.new").write_text("a draft of a process that died")
    assert begin_epoch(tmp_path, "third", DISK) == ("first", 3)


def test_damaged_node_file_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("first ")
    with pytest.raises(NodeFileDamaged, match="node"):
        begin_epoch(tmp_path, "second", DISK)
    assert (tmp_path / "node").read_text() == "first "


@pytest.mark.parametrize("node_id", ["", "A", "a-b", "a/b", "x" * 33])
def test_node_id_must_fit_a_file_name(tmp_path: Path, node_id: str) -> None:
    with pytest.raises(ValueError, match="a node id is"):
        begin_epoch(tmp_path, node_id, DISK)
