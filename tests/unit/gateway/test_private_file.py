import os
from pathlib import Path

import pytest

from gateway import private_file


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_is_its_owners_alone(tmp_path: Path):
    path = tmp_path / "secret"
    private_file.replace(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)
    assert os.listdir(tmp_path) == ["secret"]


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, permissions: int):
    path = tmp_path / "config"
    path.write_bytes(b"old")
    path.chmod(permissions)
    private_file.replace(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", permissions)


def test_a_replaced_file_keeps_its_owner(tmp_path: Path):
    # Only root may give a file away; anyone else finds it kept his own.
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    path = tmp_path / "config"
    path.write_bytes(b"old")
    os.chown(path, *owner)
    private_file.replace(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_symbolic_link_stays_and_its_target_changes(tmp_path: Path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    private_file.replace(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_failed_replacement_leaves_the_old_file_and_no_draft(tmp_path: Path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        private_file.replace(tmp_path / "taken", b"new")
    assert os.listdir(tmp_path) == ["taken"]


def test_append_creates_and_then_adds(tmp_path: Path):
    path = tmp_path / "log"
    private_file.append(path, b"a")
    private_file.append(path, b"b")
    assert (path.read_bytes(), mode(path)) == (b"ab", 0o600)


def test_a_made_directory_is_its_owners_alone_but_one_that_exists_is_left_as_it_is(tmp_path: Path):
    private_file.make_directory(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    private_file.make_directory(tmp_path / "open")
    assert mode(tmp_path / "open") == 0o755
