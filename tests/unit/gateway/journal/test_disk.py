import os
from pathlib import Path

import pytest

from gateway.journal.disk import DISK


def test_disk_writes_where_it_is_told_and_keeps_the_file_private(tmp_path: Path) -> None:
    descriptor = DISK.create(tmp_path / "draft")
    assert DISK.write(descriptor, b"0123456789", 0) == 10
    assert DISK.write(descriptor, b"ab", 2) == 2
    DISK.truncate(descriptor, 5)
    DISK.sync_data(descriptor)
    DISK.close(descriptor)
    DISK.rename(tmp_path / "draft", tmp_path / "whole")
    DISK.sync_directory(tmp_path)
    assert (tmp_path / "whole").read_bytes() == b"01ab4"
    assert (tmp_path / "whole").stat().st_mode & 0o777 == 0o600


def test_disk_never_creates_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(FileExistsError):
        DISK.create(tmp_path / "there")


def test_disk_opens_unlinks_and_knows_its_free_space(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    descriptor = DISK.open(tmp_path / "there")
    DISK.write(descriptor, b"x", 0)
    DISK.close(descriptor)
    DISK.unlink(tmp_path / "there")
    DISK.unlink(tmp_path / "there")
    assert os.listdir(tmp_path) == []
    assert DISK.free_bytes(tmp_path) > 0
