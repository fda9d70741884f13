import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from obstore.store import HTTPStore, MemoryStore

from gateway.lake.store import Bucket, Directory, Missing, Shelf, Store, StoreFault, open_store

KEY = "landing/dt=2026-11-23/node1-00000001-00000001.parquet"


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Directory(tmp_path / "lake") if request.param == "directory" else Bucket(MemoryStore())


def test_object_is_created_once_and_never_replaced(store: Store) -> None:
    assert store.create(KEY, b"first")
    assert not store.create(KEY, b"second")
    assert store.read(KEY) == b"first"


def test_objects_do_not_meet(store: Store) -> None:
    assert store.create(KEY, b"one")
    assert store.create(KEY.replace("23", "24"), b"two")
    assert store.read(KEY) == b"one"


def test_object_that_is_not_there_is_a_fault(store: Store) -> None:
    with pytest.raises(StoreFault):
        store.read(KEY)


def test_url_chooses_the_store(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path)), Directory)
    assert isinstance(open_store("memory:///"), Bucket)
    assert isinstance(open_store("s3://bucket/prefix"), Bucket)
    with pytest.raises(ValueError, match="not a store: ftp://host/path"):
        open_store("ftp://host/path?secret=1")


def test_store_that_cannot_be_reached_is_a_fault_by_name(unused_tcp_port: int) -> None:
    gone = HTTPStore.from_url(
        f"http://127.0.0.1:{unused_tcp_port}", client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    with pytest.raises(StoreFault, match="GenericError"):
        Bucket(gone).read(KEY)


def test_a_store_can_be_looked_through_and_tidied(store: Shelf) -> None:
    assert list(store.entries("landing")) == []
    assert store.create(KEY, b"first")
    assert store.create("landing/dt=2026-11-24/deeper/two.parquet", b"second")
    assert store.create("other/three", b"3")
    found = {entry.key: entry.size_bytes for entry in store.entries("landing")}
    assert found == {KEY: 5, "landing/dt=2026-11-24/deeper/two.parquet": 6}
    assert all(entry.modified_s > 1_700_000_000 for entry in store.entries("landing"))
    with store.open(KEY) as opened:
        opened.seek(2)
        assert bytes(opened.read(3)) == b"rst"
    store.delete(KEY)
    store.delete(KEY)
    with pytest.raises(Missing):
        store.read(KEY)
    with pytest.raises(Missing):
        store.open(KEY)


def test_directory_leaves_no_draft_and_minds_none_that_was_left(tmp_path: Path) -> None:
    draft = tmp_path / ".draft" / Path(KEY).name
    draft.parent.mkdir()
    draft.write_bytes(b"half of what a process that died wanted to write, and longer")
    store = Directory(tmp_path)
    assert store.create(KEY, b"whole")
    assert store.read(KEY) == b"whole"
    assert not store.create(KEY, b"again")
    assert list(draft.parent.iterdir()) == [draft]


def test_of_many_who_create_one_name_at_once_one_does(tmp_path: Path) -> None:
    contents = [bytes([number]) * 100_000 for number in range(16)]
    with ThreadPoolExecutor(16) as threads:
        created = list(threads.map(lambda content: Directory(tmp_path).create(KEY, content), contents))
    assert created.count(True) == 1
    assert Directory(tmp_path).read(KEY) == contents[created.index(True)]


def test_a_full_disk_keeps_no_drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for directory in ("landing/dt=2026-11-23", ".draft"):
        (tmp_path / directory).mkdir(parents=True)
    with pytest.raises(StoreFault, match="No space left"):
        Directory(tmp_path).create(KEY, b"data")
    assert list((tmp_path / ".draft").iterdir()) == []
    assert not (tmp_path / KEY).exists()


def test_directory_that_refuses_is_a_fault_with_the_systems_reason(tmp_path: Path) -> None:
    (tmp_path / "landing").write_text("a file where a directory should be")
    with pytest.raises(StoreFault, match=r"Not a directory|File exists"):
        Directory(tmp_path).create(KEY, b"data")
