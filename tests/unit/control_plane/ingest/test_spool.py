import asyncio
import errno
import os
import time

import pytest

from control_plane.ingest import spool as module
from control_plane.ingest.spool import NotKept, Spool, spools
from gateway.journal.disk import Disk
from gateway.journal.reader import SegmentReader


class Counting(Disk):
    """Counts what is synced; `refusing` makes every write and sync fail as a full disk does."""

    def __init__(self):
        self.synced, self.refusing = 0, ""

    def write(self, descriptor, data, offset):
        if self.refusing == "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.pwrite(descriptor, data, offset)

    def sync_data(self, descriptor):
        if self.refusing == "sync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.synced += 1
        os.fdatasync(descriptor)


def kept(root):
    """The ids of all events in segments, sealed or not."""
    segments = [path for directory in spools(root) for path in (*directory.glob("*.seg"), *directory.glob("*.open"))]
    return sorted(id.decode() for path in segments for id, _ in SegmentReader(path).finals())


async def test_what_was_kept_is_on_the_disk_when_it_is_said(tmp_path):
    spool = Spool(tmp_path)
    await spool.keep([(b"a", b"1"), (b"b", b"2")])
    assert kept(tmp_path) == ["a", "b"]
    await spool.close()
    assert kept(tmp_path) == ["a", "b"]
    assert [path.suffix for path in spools(tmp_path)[0].glob("*.*")] == [".seg"]


async def test_many_who_wait_share_a_sync(tmp_path):
    disk = Counting()
    spool = Spool(tmp_path, disk=disk)
    await spool.keep([(b"first", b"")])
    before = disk.synced
    await asyncio.gather(*(spool.keep([(b"%d" % number, b"x")]) for number in range(200)))
    assert disk.synced - before < 20
    assert len(kept(tmp_path)) == 201
    await spool.close()


def test_its_clock_is_one_that_nobody_sets(tmp_path):
    # Set back by an hour, it would seal nothing, and ask a disk that refused nothing, for an hour.
    assert Spool(tmp_path)._monotonic_ns is time.monotonic_ns


async def test_nothing_is_there_before_the_first_event(tmp_path):
    spool = Spool(tmp_path / "ingest")
    spool.start()
    await spool.close()
    assert not (tmp_path / "ingest").exists()


@pytest.mark.parametrize("step", ["write", "sync"])
async def test_a_disk_that_refuses_is_told_and_heals(tmp_path, step, caplog):
    disk = Counting()
    spool = Spool(tmp_path, disk=disk)
    await spool.keep([(b"a", b"")])
    disk.refusing = step
    for _ in range(3):
        with pytest.raises(NotKept):
            await spool.keep([(b"b", b"")])
    assert "a" in kept(tmp_path)
    assert caplog.text.count("spool_failed") <= 2
    disk.refusing = ""
    async with asyncio.timeout(10):
        while True:
            try:
                await spool.keep([(b"c", b"")])
            except NotKept:
                await asyncio.sleep(0)
            else:
                break
    assert {"a", "c"} <= set(kept(tmp_path))
    await spool.close()


async def test_a_directory_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "ingest")
    with pytest.raises(NotKept):
        await spool.keep([(b"a", b"")])
    await spool.close()


@pytest.mark.parametrize("own", ["spool-0", "spool-1"])
async def test_a_directory_that_cannot_be_used_is_left_as_it_is(tmp_path, own, caplog):
    for name in ("spool-0", "spool-1"):
        (tmp_path / name).mkdir()
        if name != own:
            (tmp_path / name / "node").write_text("no name")
    spool = Spool(tmp_path)
    await spool.keep([(b"a", b"")])
    assert [path.parent.name for path in tmp_path.glob("*/*.open")] == [own]
    assert "spool_left" in caplog.messages
    await spool.close()


async def test_a_disk_that_refuses_another_directory_leaves_none_held(tmp_path, monkeypatch):
    (tmp_path / "spool-1").mkdir()
    opened = Spool._open

    def refused(spool, path):
        if path.name == "spool-1":
            raise OSError(errno.EIO, "lost")
        return opened(spool, path)

    (tmp_path / "spool-0").mkdir()
    monkeypatch.setattr(Spool, "_open", refused)
    spool = Spool(tmp_path)
    with pytest.raises(NotKept):
        await spool.keep([(b"a", b"")])
    monkeypatch.setattr(Spool, "_open", opened)
    await spool.keep([(b"a", b"")])
    assert [path.parent.name for path in tmp_path.glob("*/*.open")] == ["spool-0"]
    await spool.close()


async def test_more_than_may_wait_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    spool = Spool(tmp_path)
    with pytest.raises(NotKept, match="wait"):
        await spool.keep([(b"a", b"")] * 4)
    await spool.keep([(b"a", b"")] * 3)
    await spool.keep([(b"a", b"")] * 3)
    await spool.close()


async def test_who_left_holds_nobody_up(tmp_path):
    spool = Spool(tmp_path)
    leaving = asyncio.create_task(spool.keep([(b"a", b"")]))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await spool.keep([(b"b", b"")])
    assert kept(tmp_path) == ["a", "b"]
    await spool.close()


async def test_two_processes_have_directories_of_their_own_and_a_successor_seals_what_is_left(tmp_path):
    one, two = Spool(tmp_path), Spool(tmp_path)
    await one.keep([(b"a", b"")])
    await two.keep([(b"b", b"")])
    assert [path.name for path in spools(tmp_path)] == ["spool-0", "spool-1"]
    await two.close()
    await one.close()
    # As `kill -9` would have left it.
    (sealed,) = (tmp_path / "spool-1").glob("*.seg")
    sealed.rename(sealed.with_suffix(".open"))
    three = Spool(tmp_path)
    three.start()
    await three.keep([(b"c", b"")])
    assert list((tmp_path / "spool-1").glob("*.open")) == []
    assert kept(tmp_path) == ["a", "b", "c"]
    await three.close()
