"""Deaths of the process at every step and at random, and cuts of the power at every step.

The account that a test keeps is what the rest of the world knows: the calls that were dispatched because a flush
took their intents, and the ends that a flush took. Whatever happens, the sealed segments must name each
dispatched call once, with the end that was written where one was, and no call that was never begun.
"""

import contextlib
import itertools
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.disk import Disk
from gateway.journal.frame import FINAL, INTENT, SegmentTooNew, crc32c, encode, header
from gateway.journal.reader import OPEN, SEALED, sealed

MS = 1_000_000
# Thirty take two seconds; a longer run takes its number from the environment: TESTS_JOURNAL_KILLS=3000.
KILLS = int(os.environ.get("TESTS_JOURNAL_KILLS", "30"))


class Account:
    """What was acknowledged, in a file of its own, so that it outlives the process that writes it.

    A process can die amid a write here too, at the border of two pages: a note counts if it has its full stop.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, word: str, ids: list[bytes]) -> None:
        if ids:
            os.write(self._file, "".join(f"\n{word} {id.decode()} ." for id in ids).encode())

    def ids(self, word: str) -> set[bytes]:
        whole = (line.split() for line in self.path.read_text().splitlines() if line.endswith(" ."))
        return {id.encode() for said, id, _ in whole if said == word}

    def check(self, finals: Counter[tuple[bytes, bytes]]) -> None:
        ends = dict(finals.keys())
        assert all(count == 1 for count in finals.values()), "a final appears twice"
        assert len(ends) == len(finals), "a call has two ends"
        assert self.ids("dispatched") <= ends.keys(), "a dispatched call has no end"
        assert ends.keys() <= self.ids("begun"), "an end belongs to no call"
        assert all(ends[id] == b"end of " + id for id in self.ids("ended")), "a written end was replaced"


class MortalDisk(Disk):
    """A disk during whose n-th step the process dies: before it, amid it (a write is cut short), or after it."""

    def __init__(self, step: int, when: str) -> None:
        self._steps_left = step
        self._when = when

    def _do(self, call: Callable[..., Any], *args: Any) -> Any:
        self._steps_left -= 1
        if self._steps_left:
            return call(*args)
        if self._when == "after":
            call(*args)
        elif self._when == "amid" and call is os.pwrite:
            descriptor, data, offset = args
            os.pwrite(descriptor, data[: len(data) * 2 // 3], offset)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    def write(self, *args: Any) -> int:  # type: ignore[override]
        return self._do(os.pwrite, *args)

    def truncate(self, *args: Any) -> None:  # type: ignore[override]
        self._do(os.ftruncate, *args)

    def sync_data(self, *args: Any) -> None:  # type: ignore[override]
        self._do(lambda *_: None, *args)

    def rename(self, *args: Any) -> None:  # type: ignore[override]
        self._do(os.rename, *args)

    def create(self, path: Path) -> int:
        return self._do(super().create, path)

    def open(self, path: Path) -> int:
        return self._do(super().open, path)

    def unlink(self, path: Path) -> None:
        self._do(super().unlink, path)

    def sync_directory(self, directory: Path) -> None:
        self._do(lambda *_: None, directory)


# Never dies, and never waits for the platter: what is checked afterwards is read by the same machine.
HASTY = MortalDisk(0, "never")


def in_child(body: Callable[[], None]) -> int:
    """Runs it in a process of its own; returns the signal that ended it, 0 if none did."""
    pid = os.fork()
    if pid == 0:
        code = 1
        with contextlib.suppress(BaseException):
            body()
            code = 0
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, "the child failed on its own"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def a_few_calls(journal: Any, account: Account, life: int = 0) -> None:
    """A short life with each thing that happens in one: open and ended calls, two rotations, two syncs."""
    flushed: list[bytes] = []
    for turn in range(9):
        begun = [b"%d-%d-%d" % (life, turn, number) for number in range(2)]
        account.note("begun", begun)
        for id in begun:
            journal.intent(id, b"intent of " + id)
        ended = [b"%d-%d-0" % (life, turn - 2)] if turn >= 2 else []
        for id in ended:
            journal.final(id, b"end of " + id)
        assert journal.flush(turn * 400 * MS) == ()
        account.note("dispatched", begun)
        account.note("ended", ended)
        flushed += begun
        if turn % 4 == 3:
            assert journal.sync()
            account.note("synced", flushed)


def test_death_at_every_step_of_a_life_loses_and_repeats_nothing(
    tmp_path: Path, open_journal: Any, sealed_finals: Any
) -> None:
    for when in ("before", "amid", "after"):
        for step in range(1, 1000):
            directory = tmp_path / f"{when}-{step}"
            account = Account(tmp_path / f"{when}-{step}.account")

            def life(
                step: int = step, when: str = when, directory: Path = directory, account: Account = account
            ) -> None:
                journal = open_journal(directory, disk=MortalDisk(step, when))
                a_few_calls(journal, account)
                journal.close(0)

            survived = in_child(life) == 0
            open_journal(directory, disk=HASTY).close(0)
            account.check(sealed_finals(directory))
            assert not list(directory.glob(f"*{OPEN}"))
            if survived:
                break
        assert step >= 30  # a life has that many steps


def test_death_at_every_step_of_a_recovery_loses_and_repeats_nothing(
    tmp_path: Path, open_journal: Any, sealed_finals: Any
) -> None:
    died = tmp_path / "died"
    account = Account(tmp_path / "account")

    def life() -> None:
        journal = open_journal(died)
        a_few_calls(journal, account)
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(life) == signal.SIGKILL
    with min(died.glob(f"*{OPEN}")).open("ab") as torn:
        torn.write(encode(INTENT, b"never", b"dispatched")[:-1])
    for when in ("before", "amid", "after"):
        for step in range(1, 100):
            directory = tmp_path / f"{when}-{step}"
            shutil.copytree(died, directory)

            def recover(step: int = step, when: str = when, directory: Path = directory) -> None:
                open_journal(directory, disk=MortalDisk(step, when)).close(0)

            survived = in_child(recover) == 0
            open_journal(directory, disk=HASTY).close(0)
            account.check(sealed_finals(directory))
            if survived:
                break
        assert step > 10


def test_kill_at_any_moment_under_load_loses_and_repeats_nothing(
    tmp_path: Path, open_journal: Any, sealed_finals: Any
) -> None:
    directory = tmp_path / "journal"
    account = Account(tmp_path / "account")
    seed = random.Random(20261123)

    def under_load(life: int, dice: random.Random) -> None:
        journal = open_journal(directory, segment_bytes_max=4000, segment_age_ms=1, now_ns=time.monotonic_ns())
        threading.Thread(target=lambda: [journal.sync() for _ in range(1_000_000)], daemon=True).start()
        sys.setswitchinterval(1e-5)  # so that the threads meet at every point
        at_work: list[bytes] = []
        for turn in range(1_000_000):
            begun = [b"%d-%d-%d" % (life, turn, number) for number in range(dice.randrange(4))]
            dice.shuffle(at_work)
            ended, at_work = at_work[:3], at_work[3:] + begun
            account.note("begun", begun)
            for id in begun:
                journal.intent(id, b"intent of " + id)
            for id in ended:
                journal.final(id, b"end of " + id)
            assert journal.flush(time.monotonic_ns()) == ()
            account.note("dispatched", begun)
            account.note("ended", ended)

    for life in range(KILLS):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                under_load(life, random.Random(life))
            os._exit(1)
        size = account.path.stat().st_size
        while account.path.stat().st_size < size + 2000:  # until it is at work
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
            time.sleep(0.001)
        time.sleep(seed.random() * 0.02)
        os.kill(pid, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    open_journal(directory).close(0)
    account.check(sealed_finals(directory))
    assert len(sealed(directory)) > 2 * KILLS


# Cuts of the power.


class PowerCutDisk(Disk):
    """A disk that remembers what would be left of it if the power went: only what was synced is sure."""

    def __init__(self) -> None:
        self.cut: Callable[[], None] = lambda: None
        self.now: dict[str, bytearray] = {}  # entries of the directory, sharing their contents by identity
        self._durable: dict[str, bytearray] = {}
        self._unsynced: list[Callable[[dict[str, bytearray]], object]] = []  # changes to entries, in order
        self._contents: dict[int, bytearray] = {}  # descriptor -> content as it is
        self._synced: dict[int, bytes] = {}  # id of a content -> what of it was synced
        self._keep: list[bytearray] = []  # so that no id is used twice

    def _change(self, change: Callable[[dict[str, bytearray]], object]) -> None:
        change(self.now)
        self._unsynced.append(change)
        self.cut()

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        content = self._contents[descriptor] = bytearray()
        self._keep.append(content)
        self._change(lambda entries: entries.update({path.name: content}))
        return descriptor

    def open(self, path: Path) -> int:
        descriptor = super().open(path)
        self._contents[descriptor] = self.now[path.name]
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> int:  # type: ignore[override]
        written = os.pwrite(descriptor, data, offset)
        self._contents[descriptor][offset : offset + written] = data
        self.cut()
        return written

    def truncate(self, descriptor: int, length: int) -> None:  # type: ignore[override]
        os.ftruncate(descriptor, length)
        del self._contents[descriptor][length:]
        self.cut()

    def sync_data(self, descriptor: int) -> None:  # type: ignore[override]
        content = self._contents[descriptor]
        self._synced[id(content)] = bytes(content)
        self.cut()

    def sync_directory(self, directory: Path) -> None:
        self._durable = dict(self.now)
        self._unsynced.clear()
        self.cut()

    def rename(self, source: Path, target: Path) -> None:  # type: ignore[override]
        os.rename(source, target)
        content = self.now[source.name]

        def renamed(entries: dict[str, bytearray]) -> None:
            entries.pop(source.name, None)
            entries[target.name] = content

        self._change(renamed)

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._change(lambda entries: entries.pop(path.name, None))

    def left(self, dice: random.Random) -> Iterator[dict[str, bytes]]:
        """States it may be found in: each choice of the changes to entries, contents as synced or as written so far."""
        for chosen in itertools.product((True, False), repeat=len(self._unsynced)):
            entries = dict(self._durable)
            for change, survived in zip(self._unsynced, chosen):
                if survived:
                    change(entries)
            yield {name: self._synced.get(id(content), b"") for name, content in entries.items()}
            yield {name: self._between(content, dice) for name, content in entries.items()}

    def _between(self, content: bytearray, dice: random.Random) -> bytes:
        synced = self._synced.get(id(content), b"")
        if content == synced:
            return synced
        length = dice.randint(min(len(synced), len(content)), len(content))
        # A block that was allocated and never written reads as zeros.
        return bytes(content[:length]) + bytes(dice.choice((0, 100)))


def test_power_cut_at_every_step_keeps_what_was_synced(tmp_path: Path, open_journal: Any, sealed_finals: Any) -> None:
    disk = PowerCutDisk()
    account = Account(tmp_path / "account")
    dice = random.Random(7)
    states: list[tuple[dict[str, bytes], set[bytes], set[bytes]]] = []

    def cut() -> None:
        known = account.ids("begun"), account.ids("synced")
        states.extend((left, *known) for left in disk.left(dice))

    disk.cut = cut
    for life in range(2):
        journal = open_journal(tmp_path / "alive", disk=disk)
        a_few_calls(journal, account, life)
        os.close(journal._held)  # the process is gone; a second life begins with a recovery
    for number, (left, begun, synced) in enumerate(states):
        directory = tmp_path / str(number)
        directory.mkdir()
        for name, content in left.items():
            (directory / name).write_bytes(content)
        open_journal(directory, disk=HASTY).close(0)
        finals = sealed_finals(directory)
        ids = [id for id, _ in finals]
        assert set(finals.values()) <= {1}
        assert len(set(ids)) == len(ids)
        assert synced <= set(ids) <= begun
    assert len(states) > 200


# What else a start may find.


def write_segment(path: Path, *frames: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header() + b"".join(frames))


def test_recovery_reports_what_it_found(tmp_path: Path, open_journal: Any, sealed_finals: Any) -> None:
    a, b, c = (encode(INTENT, id, b"intent of " + id) for id in (b"a", b"b", b"c"))
    write_segment(tmp_path / f"node1-1{OPEN}", a, b[:-1] + b"\xff", c, encode(FINAL, b"c", b"end"), a[:7])
    journal = open_journal(tmp_path)
    assert (journal.recovery.segments, journal.recovery.calls_resolved) == (1, 1)
    assert (journal.recovery.skipped_bytes, journal.recovery.torn_bytes) == (len(b), 7)
    journal.close(0)
    assert sealed_finals(tmp_path) == {(b"a", b"held:intent of a"): 1, (b"c", b"end"): 1}
    # The torn bytes were never acknowledged and are gone; the damage stays for the lake to report.
    assert (tmp_path / f"node1-1{SEALED}").read_bytes().endswith(encode(FINAL, b"c", b"end"))


def test_empty_segment_is_sealed_without_ado(tmp_path: Path, open_journal: Any) -> None:
    (tmp_path / f"node1-1{OPEN}").touch()
    open_journal(tmp_path).close(0)
    assert (tmp_path / f"node1-1{SEALED}").stat().st_size == 0


def test_final_ends_a_call_wherever_it_is_found(tmp_path: Path, open_journal: Any, sealed_finals: Any) -> None:
    write_segment(tmp_path / f"a-1{OPEN}", encode(FINAL, b"call", b"end"))
    write_segment(tmp_path / f"b-1{OPEN}", encode(INTENT, b"call", b"start"))
    open_journal(tmp_path).close(0)
    assert sealed_finals(tmp_path) == {(b"call", b"end"): 1}


def test_segment_of_a_later_version_stops_the_start_and_stays(tmp_path: Path, open_journal: Any) -> None:
    lead = header()[:8] + (99).to_bytes(2, "little") + bytes(2)
    path = tmp_path / f"node1-1{OPEN}"
    path.write_bytes(lead + crc32c(lead).to_bytes(4, "little"))
    with pytest.raises(SegmentTooNew, match="format 99"):
        open_journal(tmp_path)
    assert path.exists()
