import errno
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.journal import checkpoint
from gateway.journal.checkpoint import FILE_NAME
from gateway.journal.disk import Disk
from gateway.journal.frame import INTENT, SIGNAL
from gateway.journal.reader import sealed
from gateway.journal.writer import QUEUE_FRAMES_MAX, RETIRED_MAX, SYNC_RETRY_MS, WRITE_RETRY_MS, NoBooks

MS = 1_000_000
RETRY_NS = WRITE_RETRY_MS * MS


class SickDisk(Disk):
    """A disk whose calls can be made to fail: name -> errno, or for `write` the bytes it has room for."""

    def __init__(self) -> None:
        self.sick: dict[str, int] = {}
        self.room_bytes: int | None = None
        self.free = 1 << 40

    def _ail(self, call: str) -> None:
        if call in self.sick:
            raise OSError(self.sick[call], os.strerror(self.sick[call]))

    def write(self, descriptor: int, data: bytes, offset: int) -> int:  # type: ignore[override]
        self._ail("write")
        if self.room_bytes is not None:
            data = data[: self.room_bytes]
        return os.pwrite(descriptor, data, offset)

    def truncate(self, descriptor: int, length: int) -> None:  # type: ignore[override]
        self._ail("truncate")
        os.ftruncate(descriptor, length)

    def sync_data(self, descriptor: int) -> None:  # type: ignore[override]
        self._ail("sync_data")

    def rename(self, source: Path, target: Path) -> None:  # type: ignore[override]
        self._ail("rename")
        os.rename(source, target)

    def create(self, path: Path) -> int:
        self._ail("create")
        return super().create(path)

    def free_bytes(self, directory: Path) -> int:
        self._ail("free_bytes")
        return self.free


@pytest.fixture
def disk() -> SickDisk:
    return SickDisk()


@pytest.fixture
def journal(tmp_path: Path, disk: SickDisk, open_journal: Any) -> Any:
    return open_journal(tmp_path, disk=disk)


def unsealed(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("*.open"))


def test_call_is_written_at_its_flushes_and_sealed_at_close(journal: Any, tmp_path: Path, sealed_finals: Any) -> None:
    journal.intent(b"a", b"start")
    assert journal.pending
    assert journal.flush(0) == ()
    assert not journal.pending
    assert journal.open_calls == 1
    journal.final(b"a", b"end")
    assert journal.flush(0) == ()
    assert journal.open_calls == 0
    assert journal.frames_written == 2
    assert journal.close(0) == 0
    assert sealed_finals(tmp_path) == {(b"a", b"end"): 1}
    assert unsealed(tmp_path) == []


def test_refusal_needs_no_intent(journal: Any, tmp_path: Path, sealed_finals: Any) -> None:
    journal.final(b"refused", b"401")
    journal.close(0)
    assert sealed_finals(tmp_path) == {(b"refused", b"401"): 1}


def test_one_flush_is_one_write(tmp_path: Path, open_journal: Any) -> None:
    writes: list[int] = []

    class CountingDisk(Disk):
        def write(self, descriptor: int, data: bytes, offset: int) -> int:  # type: ignore[override]
            writes.append(len(data))
            return os.pwrite(descriptor, data, offset)

    journal = open_journal(tmp_path, disk=CountingDisk())
    writes.clear()
    for number in range(100):
        journal.intent(b"%d" % number, b"start")
    journal.flush(0)
    journal.flush(0)
    assert len(writes) == 1
    journal.close(0)


# Rotation.


def test_segment_rotates_a_segments_age_after_its_first_end(journal: Any, tmp_path: Path) -> None:
    journal.intent(b"a", b"start")
    journal.flush(0)
    journal.flush(5000 * MS)
    assert len(unsealed(tmp_path)) == 1  # nothing ended: nothing to land
    journal.final(b"a", b"end")
    journal.flush(5000 * MS)
    journal.flush(5999 * MS)
    assert len(unsealed(tmp_path)) == 1
    journal.flush(6000 * MS)
    assert len(unsealed(tmp_path)) == 2
    assert sealed(tmp_path) == []  # not before the new one is durable
    assert journal.sync()
    assert [path.stem for path in sealed(tmp_path)] == ["node1-00000001-00000001"]
    journal.flush(60_000 * MS)
    assert len(unsealed(tmp_path)) == 1  # an empty one stays
    journal.close(0)


def test_segment_rotates_when_it_is_full(tmp_path: Path, open_journal: Any, sealed_finals: Any) -> None:
    journal = open_journal(tmp_path, segment_bytes_max=1000)
    for number in range(100):
        journal.final(b"%d" % number, b"x" * 100)
        journal.flush(0)
        journal.sync()
    assert journal.segments_sealed == len(sealed(tmp_path)) >= 10
    assert all(path.stat().st_size < 1200 for path in sealed(tmp_path))
    journal.close(0)
    assert sum(sealed_finals(tmp_path).values()) == 100


def test_new_segment_names_the_calls_still_open(journal: Any, tmp_path: Path, open_journal: Any) -> None:
    journal.intent(b"long", b"a stream of an hour")
    for second in range(3):
        journal.final(b"%d" % second, b"end")
        journal.flush(second * 1000 * MS)
        journal.flush(second * 1000 * MS + 1000 * MS)
        journal.sync()
    for path in sealed(tmp_path):
        path.unlink()  # landed
    assert journal.close(0) == 0
    again = open_journal(tmp_path)
    assert again.recovery.calls_resolved == 1
    again.close(0)
    assert b"held:a stream of an hour" in sealed(tmp_path)[-1].read_bytes()


def test_segment_numbers_and_epochs_only_grow(tmp_path: Path, open_journal: Any) -> None:
    names: list[str] = []
    for _ in range(3):
        journal = open_journal(tmp_path, segment_bytes_max=1)
        journal.final(b"a", b"end")
        journal.flush(0)
        journal.close(0)
        names += [path.stem for path in sealed(tmp_path)]
        for path in sealed(tmp_path):
            path.unlink()
    assert names == sorted(set(names))
    assert len(names) == 6


# A disk that refuses.


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_refused_write_gives_the_intents_back_and_keeps_the_ends(
    journal: Any, disk: SickDisk, tmp_path: Path, sealed_finals: Any, error: int
) -> None:
    journal.intent(b"a", b"start")
    assert journal.flush(0) == ()
    disk.sick["write"] = error
    journal.final(b"a", b"end")
    journal.intent(b"b", b"start")
    journal.intent(b"c", b"start")
    assert journal.flush(0) == (b"b", b"c")
    assert not journal.accepting
    assert os.strerror(error) in journal.fault
    assert journal.open_calls == 0
    assert journal.pending
    disk.sick.clear()
    assert journal.flush(RETRY_NS) == ()
    assert journal.accepting
    assert journal.fault == ""
    journal.close(0)
    assert sealed_finals(tmp_path) == {(b"a", b"end"): 1}


def test_refusing_disk_is_not_asked_at_every_turn(journal: Any, disk: SickDisk) -> None:
    disk.sick["write"] = errno.ENOSPC
    journal.final(b"a", b"end")
    for turn in range(100):
        journal.flush(turn * MS)
    assert journal.write_failures == 1
    journal.flush(RETRY_NS)
    assert journal.write_failures == 2
    disk.sick.clear()
    journal.close(0)


def test_intent_during_a_fault_is_refused_even_when_the_disk_has_healed(journal: Any, disk: SickDisk) -> None:
    disk.sick["write"] = errno.ENOSPC
    journal.intent(b"a", b"start")
    assert journal.flush(0) == (b"a",)
    disk.sick.clear()
    journal.intent(b"b", b"start")
    assert journal.flush(RETRY_NS) == (b"b",)
    assert journal.accepting  # healed by a probe, as nothing else waited
    journal.intent(b"c", b"start")
    assert journal.flush(RETRY_NS) == ()
    journal.close(0)


@pytest.mark.parametrize("truncate_fails", [False, True])
def test_short_write_at_every_length_loses_and_repeats_nothing(
    tmp_path: Path, disk: SickDisk, open_journal: Any, sealed_finals: Any, truncate_fails: bool
) -> None:
    ends = {b"%d" % number: b"end of %d" % number for number in range(3)}
    for room_bytes in range(75):
        directory = tmp_path / str(room_bytes)
        journal = open_journal(directory, disk=disk)
        if truncate_fails:
            disk.sick["truncate"] = errno.EIO
        disk.room_bytes = room_bytes
        for id, payload in ends.items():
            journal.final(id, payload)
        journal.intent(b"late", b"start")
        assert journal.flush(0) == (b"late",)
        disk.sick.clear()
        disk.room_bytes = None
        journal.flush(RETRY_NS)
        assert journal.accepting
        assert journal.close(0) == 0
        assert sealed_finals(directory) == dict.fromkeys(ends.items(), 1)


def test_intents_that_a_short_write_holds_whole_are_admitted(journal: Any, disk: SickDisk) -> None:
    disk.room_bytes = 40
    journal.intent(b"a", b"start")
    journal.intent(b"b", b"start")
    journal.intent(b"c", b"start")
    assert journal.flush(0) == (b"c",)
    assert journal.open_calls == 2
    disk.room_bytes = None
    journal.final(b"a", b"end")
    journal.final(b"b", b"end")
    assert journal.close(0) == 0


def test_rotation_the_disk_refuses_leaves_the_segment_in_use(
    journal: Any, disk: SickDisk, tmp_path: Path, sealed_finals: Any
) -> None:
    journal.final(b"a", b"end")
    journal.flush(0)
    disk.sick["create"] = errno.ENOSPC
    assert journal.flush(1000 * MS) == ()
    assert not journal.accepting
    journal.final(b"b", b"end")
    journal.flush(1100 * MS)
    assert not journal.pending
    disk.sick.clear()
    journal.flush(1200 * MS)
    assert journal.accepting
    journal.close(1200 * MS)
    assert sealed_finals(tmp_path) == {(b"a", b"end"): 1, (b"b", b"end"): 1}


def test_new_segment_the_disk_has_no_room_for_is_taken_back(journal: Any, disk: SickDisk, tmp_path: Path) -> None:
    journal.final(b"a", b"end")
    journal.flush(0)
    before = unsealed(tmp_path)
    disk.room_bytes = 5
    journal.flush(1000 * MS)
    assert unsealed(tmp_path) == before
    assert not journal.accepting
    disk.room_bytes = None
    journal.close(0)


def test_nearly_full_disk_stops_admission_but_takes_the_ends(tmp_path: Path, disk: SickDisk, open_journal: Any) -> None:
    journal = open_journal(tmp_path, disk=disk, free_bytes_min=1000)
    journal.intent(b"a", b"start")
    journal.flush(0)
    journal.final(b"b", b"end")
    journal.flush(0)
    disk.free = 999
    journal.flush(1000 * MS)  # rotation looks
    assert not journal.accepting
    assert journal.fault == "journal disk nearly full: 999 bytes free"
    journal.final(b"a", b"end")
    journal.flush(2000 * MS)
    assert not journal.pending
    disk.free = 1000
    journal.flush(3000 * MS)
    assert journal.accepting
    disk.sick["free_bytes"] = errno.EIO
    journal.flush(4000 * MS)
    assert not journal.accepting
    journal.close(0)


def test_refusals_that_a_full_disk_cannot_take_are_bounded_and_counted(journal: Any, disk: SickDisk) -> None:
    journal.intent(b"a", b"start")
    journal.flush(0)
    disk.sick["write"] = errno.ENOSPC
    journal.final(b"b", b"503")
    journal.flush(0)
    for number in range(QUEUE_FRAMES_MAX + 10):
        journal.final(b"%d" % number, b"503")
    assert journal.frames_dropped == 11
    journal.final(b"a", b"end")  # a call that was dispatched is never dropped
    assert journal.frames_dropped == 11
    disk.sick.clear()
    assert journal.close(0) == 0


def test_close_tells_what_the_disk_would_not_take(journal: Any, disk: SickDisk) -> None:
    disk.sick["write"] = errno.ENOSPC
    journal.final(b"a", b"end")
    assert journal.close(0) == 1


# A disk that fails to sync.


def test_failed_sync_is_never_repeated_on_its_segment(
    journal: Any, disk: SickDisk, tmp_path: Path, sealed_finals: Any
) -> None:
    journal.intent(b"a", b"start")
    journal.flush(0)
    disk.sick["sync_data"] = errno.EIO
    assert not journal.sync()
    assert not journal.accepting
    disk.sick.clear()
    assert not journal.sync()  # though the disk would now say yes
    journal.final(b"a", b"end")
    journal.flush(RETRY_NS)  # moves on to a new segment, with what waits
    assert not journal.pending
    assert not journal.accepting  # until that one has synced
    assert journal.sync()
    assert journal.accepting
    assert [path.stem for path in sealed(tmp_path)] == ["node1-00000001-00000001"]
    journal.close(0)
    assert sealed_finals(tmp_path) == {(b"a", b"end"): 1}


def test_retired_segment_that_fails_to_sync_is_sealed_as_it_is(journal: Any, disk: SickDisk, tmp_path: Path) -> None:
    journal.final(b"a", b"end")
    journal.flush(0)
    journal.flush(1000 * MS)
    synced: list[int] = []

    def fail_on_the_second(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(errno.EIO, "lost")

    disk.sync_data = fail_on_the_second  # type: ignore[method-assign]
    assert not journal.sync()
    assert journal.sync()
    assert journal.accepting
    assert len(synced) == 2
    assert len(sealed(tmp_path)) == 1
    journal.close(0)


def test_segment_that_cannot_be_renamed_is_sealed_later(journal: Any, disk: SickDisk, tmp_path: Path) -> None:
    journal.final(b"a", b"end")
    journal.flush(0)
    journal.flush(1000 * MS)
    disk.sick["rename"] = errno.EIO
    assert not journal.sync()
    assert not journal.accepting
    disk.sick.clear()
    assert journal.sync()
    assert journal.accepting
    assert len(sealed(tmp_path)) == 1
    journal.close(0)


def test_checkpoint_that_cannot_be_made_stops_admission_and_not_the_syncing(open_journal: Any, tmp_path: Path) -> None:
    class Unencodable:
        seq = 0

        def keep(self, directory: Path, disk: Disk) -> None:
            raise OverflowError("too large")

    class OneBook(NoBooks):
        def snapshot(self) -> Any:
            return one

    one = Unencodable()
    journal = open_journal(tmp_path, books=OneBook())
    journal.final(b"a", b"end")
    journal.flush(0)
    one.seq = 1
    journal.flush(1000 * MS)
    assert not journal.sync()
    assert not journal.accepting
    one.seq = 0
    assert journal.sync()
    assert journal.accepting
    assert len(sealed(tmp_path)) == 1
    journal.close(0)


def test_disk_that_never_syncs_costs_a_bounded_number_of_segments(journal: Any, disk: SickDisk, tmp_path: Path) -> None:
    disk.sick["sync_data"] = errno.EIO
    journal.final(b"a", b"end")
    journal.flush(0)
    for second in range(RETIRED_MAX * 2):
        journal.sync()
        journal.flush((second + 1) * SYNC_RETRY_MS * MS)
    assert len(unsealed(tmp_path)) == RETIRED_MAX + 1
    assert not journal.accepting
    journal.close(0)


# A real full disk.


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """One MiB: a file system of that size where this process may mount one, else a limit on the size of files."""
    directory.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if mount and os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0:
        yield
        subprocess.run(["umount", str(directory)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_is_really_full_loses_no_end_of_an_admitted_call(
    tmp_path: Path, open_journal: Any, sealed_finals: Any
) -> None:
    admitted: list[bytes] = []
    with small_disk(tmp_path / "small"):
        journal = open_journal(tmp_path / "small", segment_bytes_max=8 << 20)
        refused: tuple[bytes, ...] = ()
        while journal.accepting:
            id = b"%d" % len(admitted)
            journal.intent(id, b"x" * 400)
            refused = journal.flush(0)
            admitted += {id} - set(refused)
        assert refused == (b"%d" % len(admitted),)
        for id in admitted:
            journal.final(id, b"end")
        assert journal.flush(RETRY_NS) == ()
        assert journal.pending  # the ends wait
        shutil.copytree(tmp_path / "small", tmp_path / "roomy")  # as a crash would leave it
        journal.close(0)
    again = open_journal(tmp_path / "roomy")
    again.close(0)
    assert again.recovery.calls_resolved > 1000  # all but a few ends that had room
    assert sorted(id for id, _ in sealed_finals(tmp_path / "roomy").elements()) == sorted(admitted)


class Sums:
    """Books that add up what finals say; a snapshot is numbered by how many it has."""

    def __init__(self) -> None:
        self.restored: bytes | None = None
        self.folded: list[tuple[int, bytes]] = []
        self.count = 0

    def restore(self, directory: Path, checkpoint: bytes | None) -> None:
        self.restored = checkpoint

    def fold(self, frame: Any) -> None:
        self.folded.append((frame.kind, frame.payload))

    def snapshot(self) -> Any:
        count = self.count
        return SimpleNamespace(seq=count, keep=lambda directory, disk: checkpoint.write(directory, b"%d" % count, disk))


def test_what_is_counted_is_durable_before_its_segment_is_sealed(tmp_path: Path, open_journal: Any) -> None:
    order: list[str] = []

    class Watched(SickDisk):
        def rename(self, source: Path, target: Path) -> None:  # type: ignore[override]
            order.append(target.name if target.name == FILE_NAME else target.suffix)
            super().rename(source, target)

    books = Sums()
    journal = open_journal(tmp_path, books=books, disk=Watched())
    journal.final(b"a", b"one")
    books.count = 1
    journal.flush(0)
    journal.flush(1_000_000_000)  # its age: the segment is rotated
    journal.final(b"b", b"two")
    books.count = 2
    journal.flush(1_000_000_001)
    assert journal.sync()

    # The second final is in the new segment, and in the next checkpoint.
    assert order[-2:] == [FILE_NAME, ".seg"]
    assert checkpoint.read(tmp_path) == b"1"


def test_a_start_restores_the_checkpoint_and_folds_what_is_not_sealed(tmp_path: Path, open_journal: Any) -> None:
    books = Sums()
    journal = open_journal(tmp_path, books=books)
    journal.final(b"a", b"one")
    books.count = 1
    journal.intent(b"b", b"begun")
    journal.flush(0)
    journal.flush(1_000_000_000)
    journal.sync()
    journal.again(b"b", b"extended")
    journal.signal(b"counter", b"half")
    journal.flush(1_000_000_001)
    os.close(journal._held)  # the process is gone

    after = Sums()
    open_journal(tmp_path, books=after)

    assert after.restored == b"1"
    assert after.folded == [(INTENT, b"begun"), (INTENT, b"extended"), (SIGNAL, b"half")]


def test_an_extended_call_that_died_is_ended_as_it_was_extended(
    tmp_path: Path, open_journal: Any, sealed_finals: Any
) -> None:
    journal = open_journal(tmp_path)
    journal.intent(b"a", b"begun")
    journal.flush(0)
    journal.again(b"a", b"extended")
    journal.flush(0)
    os.close(journal._held)  # the process is gone

    open_journal(tmp_path).close(0)

    assert sealed_finals(tmp_path) == {(b"a", b"held:extended"): 1}


def test_a_refused_write_gives_back_intents_and_not_extensions(journal: Any, disk: SickDisk) -> None:
    journal.intent(b"old", b"begun")
    journal.flush(0)
    disk.sick["write"] = errno.EIO
    journal.again(b"old", b"extended")
    journal.intent(b"new", b"begun")

    assert journal.flush(0) == (b"new",)
    assert journal.open_calls == 1


def test_a_segment_whose_checkpoint_cannot_be_written_is_not_sealed(
    tmp_path: Path, disk: SickDisk, open_journal: Any
) -> None:
    books = Sums()
    journal = open_journal(tmp_path, books=books, disk=disk)
    journal.final(b"a", b"one")
    books.count = 1
    journal.flush(0)
    journal.flush(1_000_000_000)
    disk.sick["rename"] = errno.EIO

    assert not journal.sync()
    assert not journal.accepting
    assert len(unsealed(tmp_path)) == 2
    disk.sick.clear()
    assert journal.sync()
    assert checkpoint.read(tmp_path) == b"1"


def test_an_orderly_end_leaves_everything_in_the_checkpoint(tmp_path: Path, open_journal: Any) -> None:
    books = Sums()
    journal = open_journal(tmp_path, books=books)
    journal.final(b"a", b"one")
    books.count = 1
    journal.close(0)

    after = Sums()
    open_journal(tmp_path, books=after)
    assert (after.restored, after.folded) == (b"1", [])
