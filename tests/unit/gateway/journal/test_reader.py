from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.journal.reader import SegmentReader, Tail, sealed, workers

MS = 1_000_000


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[Tail]:
    with closing(Tail(tmp_path)) as tail:
        yield tail


@pytest.fixture
def journal(tmp_path: Path, open_journal: Any) -> Any:
    return open_journal(tmp_path / "worker-0")


def end(journal: Any, id: bytes, now_ns: int = 0) -> None:
    journal.intent(id, b"start")
    journal.final(id, b"end of " + id)
    journal.flush(now_ns)


def rotate(journal: Any, now_ns: int) -> None:
    journal.flush(now_ns)
    journal.sync()


def test_workers_and_sealed_segments_are_found_in_order(tmp_path: Path, open_journal: Any) -> None:
    for name in ("worker-1", "worker-0"):
        journal = open_journal(tmp_path / name)
        for second in range(3):
            end(journal, b"%d" % second, second * 2000 * MS)
            rotate(journal, second * 2000 * MS + 1000 * MS)
        journal.close(0)
    assert [path.name for path in workers(tmp_path)] == ["worker-0", "worker-1"]
    assert [path.name for path in sealed(tmp_path / "worker-0")] == [
        f"node1-00000001-{number:08d}.seg" for number in (1, 2, 3, 4)
    ]
    assert sealed(tmp_path / "worker-9") == []


def test_segment_gives_finals_alone_and_reports_damage(journal: Any, tmp_path: Path) -> None:
    end(journal, b"a")
    end(journal, b"b")
    journal.close(0)
    (path,) = sealed(tmp_path / "worker-0")
    assert list(SegmentReader(path).finals()) == [(b"a", b"end of a"), (b"b", b"end of b")]
    content = path.read_bytes()
    at = content.index(b"end of a")
    path.write_bytes(content[:at] + b"END" + content[at + 3 :])
    reader = SegmentReader(path)
    assert list(reader.finals()) == [(b"b", b"end of b")]
    assert reader.damage.regions == 1


def test_tail_begins_where_the_segments_end(journal: Any, tmp_path: Path) -> None:
    end(journal, b"before")
    with closing(Tail(tmp_path)) as tail:
        assert list(tail.poll()) == []
        end(journal, b"after")
        assert list(tail.poll()) == [(b"after", b"end of after")]


def test_tail_follows_through_rotation_sealing_and_deletion(journal: Any, tmp_path: Path, tail: Tail) -> None:
    end(journal, b"a")
    assert list(tail.poll()) == [(b"a", b"end of a")]
    end(journal, b"b")
    journal.flush(1000 * MS)  # rotates
    end(journal, b"c", 1000 * MS)
    journal.sync()  # seals
    for path in sealed(tmp_path / "worker-0"):
        path.unlink()  # as the lake does once it has landed
    assert list(tail.poll()) == [(b"b", b"end of b"), (b"c", b"end of c")]
    assert list(tail.poll()) == []


def test_tail_sees_each_end_once_however_often_it_polls(journal: Any, tail: Tail) -> None:
    seen: list[bytes] = []
    for number in range(50):
        end(journal, b"%d" % number, number * 400 * MS)
        seen += (id for id, _ in tail.poll())
        if number % 3 == 0:
            journal.sync()
            seen += (id for id, _ in tail.poll())
    journal.close(0)
    seen += (id for id, _ in tail.poll())
    assert seen == [b"%d" % number for number in range(50)]


def test_tail_takes_up_a_worker_that_comes_later_and_a_restarted_one(
    tmp_path: Path, open_journal: Any, tail: Tail
) -> None:
    first = open_journal(tmp_path / "worker-0")
    first.intent(b"a", b"start")
    first.close(0)
    assert list(tail.poll()) == []
    second = open_journal(tmp_path / "worker-0")
    end(second, b"b")
    assert list(tail.poll()) == [(b"a", b"held:start"), (b"b", b"end of b")]
