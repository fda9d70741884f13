import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import published_file
from gateway.contract.policy import Policy, Project
from gateway.contract.publishing import Item, Part
from gateway.published import ITEM_BYTES_MAX, Published
from gateway.published_file import FILE_NAME, PublishedFile
from tests.support.policy_server import item, key, project

WORKER = Path("policy/worker-0") / FILE_NAME


class Worker:
    """One process after the other on a data directory."""

    def __init__(self, data_dir: Path, number: int = 0) -> None:
        self.file = PublishedFile(data_dir, number)
        self.published: Published | None = None
        for part in self.file.load():
            if self.published is None:
                self.published = Published(Policy())
            self.published.apply(part.items)
            self.published.version = part.version

    def take(self, version: int, *items: Item, whole: bool = False) -> None:
        if self.published is None:
            self.published = Published(Policy())
        self.published.apply(items)
        self.published.version = version
        self.file.keep(Part("nonce", 5, version, items=items), self.published, whole=whole)

    @property
    def keys(self) -> set[str]:
        assert self.published is not None
        return {key.id for key in self.published.callers.by_digest.values()}


def lived(data_dir: Path, *versions: tuple[Item, ...]) -> None:
    """A process that hears of these, and ends."""
    worker = Worker(data_dir)
    for version, items in enumerate(versions, 1):
        worker.take(version, *items)
    worker.file.close()


def test_nothing_is_kept_at_first(tmp_path: Path):
    assert Worker(tmp_path).published is None


def test_what_was_published_is_there_at_the_next_start_for_its_owner_alone(tmp_path: Path):
    lived(tmp_path, (item(project(), 1), item(key("a"), 1)), (item(key("b"), 2),), (Item("key", "a", 3),))
    worker = Worker(tmp_path)
    assert worker.published is not None
    assert (worker.published.version, worker.keys) == (3, {"b"})
    assert (tmp_path / WORKER).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / WORKER).parent.stat().st_mode & 0o777 == 0o700


def test_what_comes_after_a_start_goes_behind_what_was_there(tmp_path: Path):
    lived(tmp_path, (item(project(), 1), item(key("a"), 1)))
    before = (tmp_path / WORKER).read_bytes()
    lived(tmp_path, (item(key("b"), 1),))
    assert (tmp_path / WORKER).read_bytes().startswith(before)
    lived(tmp_path, (item(key("c"), 1),))
    assert Worker(tmp_path).keys == {"a", "b", "c"}


def test_at_every_length_that_a_torn_file_may_have_it_is_a_policy_that_was_in_force(tmp_path: Path):
    lived(tmp_path, (item(project(), 1),), (item(key("a"), 2),), (item(key("b"), 3),))
    path = tmp_path / WORKER
    whole = path.read_bytes()
    seen: list[int] = []
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        published = Worker(tmp_path).published
        seen.append(0 if published is None else published.version)
    assert seen == sorted(seen)
    assert set(seen) == {0, 1, 2, 3}


def test_after_a_torn_tail_all_of_it_is_written_anew(tmp_path: Path):
    lived(tmp_path, (item(project(), 1), item(key("a"), 1)), (item(key("b"), 2),))
    path = tmp_path / WORKER
    path.write_bytes(path.read_bytes()[:-3])
    lived(tmp_path, (item(key("c"), 3),))
    assert Worker(tmp_path).keys == {"a", "c"}


@pytest.mark.parametrize(("at", "versions"), [(0, {3}), (12, {3}), (40, {0}), (200, {0, 1})])
def test_what_stands_behind_a_damaged_part_is_asked_for_again(tmp_path: Path, at: int, versions: set[int]):
    lived(tmp_path, (item(project(), 1), item(key("a"), 1)), (item(key("b"), 2),), (item(key("c"), 3),))
    path = tmp_path / WORKER
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 1
    path.write_bytes(damaged)
    published = Worker(tmp_path).published
    assert (0 if published is None else published.version) in versions


def test_a_log_that_outgrows_what_it_changes_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(published_file, "LOG_BYTES_MIN", 1000)
    worker = Worker(tmp_path)
    worker.take(1, item(project(), 1), item(key("a"), 1))
    sizes: list[int] = []
    for version in range(2, 60):
        worker.take(version, item(key("a", disabled=bool(version % 2)), version))
        worker.file._thread.submit(lambda: None).result()
        sizes.append((tmp_path / WORKER).stat().st_size)
    worker.file.close()
    assert max(sizes) < 3000
    again = Worker(tmp_path)
    assert again.published is not None
    assert (again.published.version, again.keys) == (59, {"a"})


def test_what_came_in_several_parts_is_written_whole(tmp_path: Path):
    worker = Worker(tmp_path)
    worker.take(1, item(project(), 1), item(key("a"), 1))
    assert worker.published is not None
    worker.published.apply([item(key("b"), 2)])  # with the part before the last
    worker.take(2, item(key("c"), 2), whole=True)
    worker.file.close()
    assert Worker(tmp_path).keys == {"a", "b", "c"}


def test_a_line_that_says_nothing_is_not_written(tmp_path: Path):
    lived(tmp_path, (item(project(), 1),))
    before = (tmp_path / WORKER).read_bytes()
    lived(tmp_path, ())
    assert (tmp_path / WORKER).read_bytes() == before


def test_a_part_is_as_many_frames_as_it_fills(tmp_path: Path):
    large = [item(Project(f"p{number}", "x" * (ITEM_BYTES_MAX - 100)), 1) for number in range(11)]
    lived(tmp_path, (item(project(), 1),), tuple(large))
    worker = Worker(tmp_path)
    assert worker.published is not None
    assert worker.published.known == 12


def test_a_worker_that_has_nothing_reads_what_another_kept_and_writes_its_own(tmp_path: Path):
    lived(tmp_path, (item(project(), 1), item(key("a"), 1)))
    before = (tmp_path / WORKER).read_bytes()
    second = Worker(tmp_path, 1)
    assert second.keys == {"a"}
    second.take(2, item(key("b"), 2))
    second.file.close()
    assert (tmp_path / WORKER).read_bytes() == before
    assert Worker(tmp_path, 1).keys == {"a", "b"}
    assert Worker(tmp_path, 0).keys == {"a"}


def test_a_disk_that_refuses_is_said_once_and_given_all_when_it_takes_again(tmp_path: Path, caplog: Any):
    worker = Worker(tmp_path)
    (tmp_path / "policy").write_text("in the way of the directory")
    for version in (1, 2):
        worker.take(version, item(project(), version), item(key(f"k{version}"), version))
        worker.file._thread.submit(lambda: None).result()
    os.unlink(tmp_path / "policy")
    worker.take(3, item(key("k3"), 3))
    worker.file.close()
    assert Worker(tmp_path).keys == {"k1", "k2", "k3"}
    assert [record.getMessage() for record in caplog.records] == ["published_policy_not_kept"]


def test_a_file_of_another_kind_is_as_good_as_none(tmp_path: Path):
    path = tmp_path / WORKER
    path.parent.mkdir(parents=True)
    for content in (b"", b"LENSAIJ\n", b"\0" * 4096, msgspec.json.encode(Part("", 0, 1))):
        path.write_bytes(content)
        assert Worker(tmp_path).published is None
