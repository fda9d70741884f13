import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import crossings
from gateway.crossings import FILE_NAME, Crossings, TellingBooks
from gateway.journal.frame import FINAL, SIGNAL, Frame
from gateway.journal.writer import Journal
from gateway.ledger.base import Crossed

HALF, MOST = Crossed("q@total", 50, 5, 10), Crossed("q@total", 90, 9, 10)


class Sums:
    """Books that count what is folded."""

    def __init__(self) -> None:
        self.folded = 0
        self.kept = 0
        self.seq = 0

    def restore(self, directory: Path, checkpoint: bytes | None) -> None:
        pass

    def fold(self, frame: Frame) -> None:
        self.folded += 1

    def snapshot(self) -> "Sums":
        return self

    def keep(self, directory: Path, disk: Any) -> None:
        self.kept += 1


def journal(directory: Path, known: Crossings) -> Journal:
    return Journal.open(
        directory,
        node_id="n1",
        now_ns=0,
        resolve=lambda _intent: b"",
        segment_bytes_max=1 << 20,
        segment_age_ms=1,
        books=TellingBooks(Sums(), known),
    )


def reached(there: Journal, known: Crossings, crossed: Crossed) -> None:
    there.signal(crossed.counter.encode(), msgspec.msgpack.encode(crossed))
    known.add(crossed)
    there.flush(0)


def untold(directory: Path, now_s: int = 7) -> list[Crossed]:
    """What a start finds."""
    known = Crossings(lambda: now_s)
    journal(directory, known).close(0)
    return [row.crossed for row in known.rows()]


def test_each_is_untold_once_from_when_it_was_first_known():
    times = iter((10, 20, 30))
    known = Crossings(lambda: next(times))
    for crossed in (HALF, HALF, MOST):
        known.add(crossed)
    assert [(row.crossed, row.at_s) for row in known.rows()] == [(HALF, 10), (MOST, 20)]
    known.told(known.rows()[:1])
    assert [row.crossed for row in known.rows()] == [MOST]
    known.told(known.rows())
    assert len(known) == 0


def test_what_cannot_be_told_lets_others_go_first():
    known = Crossings(lambda: 1)
    for crossed in (HALF, MOST):
        known.add(crossed)
    known.move_back(known.rows()[:1])
    assert [row.crossed for row in known.rows()] == [MOST, HALF]


def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(crossings, "UNTOLD_MAX", 2)
    known = Crossings(lambda: 1)
    for number in range(3):
        known.add(Crossed(f"q{number}@total", 50, 5, 10))
    assert [row.crossed.counter for row in known.rows()] == ["q1@total", "q2@total"]
    assert known.forgotten == 1


def test_a_process_that_dies_leaves_them_in_its_frames(tmp_path: Path):
    known = Crossings(lambda: 1)
    there = journal(tmp_path, known)
    reached(there, known, HALF)
    # Nothing more is done: it is killed. Its lock goes with it.

    os.close(there._held)
    assert untold(tmp_path) == [HALF]


def test_when_a_segment_is_sealed_what_is_untold_is_written_down(tmp_path: Path):
    known = Crossings(lambda: 1)
    there = journal(tmp_path, known)
    reached(there, known, HALF)
    there.final(b"a", b"")
    there.flush(1)
    there.flush(10**9)  # rotates
    assert there.sync()
    for segment in tmp_path.glob("*.seg"):
        segment.unlink()  # it has landed
    there.close(10**9)
    for segment in tmp_path.glob("*.seg"):
        segment.unlink()
    assert untold(tmp_path) == [HALF]
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_what_was_told_is_not_written_down_again(tmp_path: Path):
    known = Crossings(lambda: 1)
    there = journal(tmp_path, known)
    reached(there, known, HALF)
    known.told(known.rows())
    there.close(0)
    for segment in tmp_path.glob("*.seg"):
        segment.unlink()
    assert untold(tmp_path) == []


def test_frames_go_to_the_books_too():
    sums, known = Sums(), Crossings(lambda: 1)
    books = TellingBooks(sums, known)
    books.fold(Frame(SIGNAL, b"q", msgspec.msgpack.encode(HALF)))
    books.fold(Frame(FINAL, b"a", b""))
    assert (sums.folded, [row.crossed for row in known.rows()]) == (2, [HALF])
    before = books.snapshot().seq
    known.add(MOST)
    assert books.snapshot().seq > before
    sums.seq += 1
    assert books.snapshot().seq > before + 1


@pytest.mark.parametrize("content", [b"", b"\xff", msgspec.msgpack.encode([["no", 1]])])
def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    (tmp_path / FILE_NAME).write_bytes(content)
    known = Crossings(lambda: 1)
    known.restore(tmp_path)
    assert len(known) == 0
    assert [record.getMessage() for record in caplog.records] == ["crossings_unreadable"]
