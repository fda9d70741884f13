import logging
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from gateway.contract.record import Record, encode_record
from gateway.journal.frame import FINAL, INTENT, crc32c, encode, header
from gateway.lake.batch import to_table
from gateway.lake.land import LakeRunning, land, read_content, run
from gateway.lake.parquet import encode_parquet
from gateway.lake.store import Directory, StoreFault

DAY_NS = 1_764_028_800 * 10**9  # 2025-11-25 00:00 UTC
RECORDS = [Record(request_id=f"req_{n}", ts_ns=DAY_NS + n, project_id=f"p{n % 2}", cost_nanousd=n) for n in range(10)]
KEY = "landing/dt=2025-11-25/node1-00000001-00000001.parquet"


def final(record: Record) -> bytes:
    return encode(FINAL, record.request_id.encode(), encode_record(record))


def write_segment(root: Path, *frames: bytes, number: int = 1, worker: int = 0) -> Path:
    path = root / f"worker-{worker}" / f"node{worker + 1}-00000001-{number:08d}.seg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header() + b"".join(frames))
    return path


@pytest.fixture
def segment(tmp_path: Path) -> Path:
    return write_segment(tmp_path / "journal", encode(INTENT, b"open", b"intent"), *map(final, RECORDS))


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "lake")


def ids(store: Directory, key: str) -> list[str]:
    return sorted(pq.read_table(store._root / key)["request_id"].to_pylist())


ALL_IDS = [record.request_id for record in RECORDS]


def test_segment_lands_under_its_day_and_name_and_is_deleted(segment: Path, store: Directory) -> None:
    landing = land(segment, store)
    assert (landing.disposition, landing.key) == ("landed", KEY)
    assert ids(store, KEY) == ALL_IDS
    assert not segment.exists()


def test_segment_of_two_days_lands_under_the_later(tmp_path: Path, store: Directory) -> None:
    late = Record(request_id="late", ts_ns=DAY_NS + 86_400 * 10**9)
    assert land(write_segment(tmp_path, final(late), final(RECORDS[0])), store).key == KEY.replace("11-25", "11-26")


def test_segment_is_deleted_only_after_the_store_has_acknowledged(segment: Path) -> None:
    class Watching:
        def create(self, key: str, data: bytes) -> bool:
            assert segment.exists()
            raise StoreFault("SlowDown")

        def read(self, key: str) -> bytes:
            raise AssertionError("nothing to compare")

    before = segment.read_bytes()
    with pytest.raises(StoreFault):
        land(segment, Watching())
    assert segment.read_bytes() == before


def test_landing_again_after_a_crash_finds_the_same_and_is_content(segment: Path, store: Directory) -> None:
    copy = segment.read_bytes()
    land(segment, store)
    landed = store.read(KEY)
    segment.write_bytes(copy)  # as if the process had died before it deleted it
    assert land(segment, store).disposition == "landed"
    assert store.read(KEY) == landed
    assert not segment.exists()


def test_same_source_written_by_another_version_is_content(segment: Path, store: Directory) -> None:
    reordered = to_table(RECORDS).take(list(reversed(range(len(RECORDS)))))
    assert store.create(KEY, encode_parquet(reordered, read_content(segment).sha256))
    assert land(segment, store).disposition == "landed"


@pytest.mark.parametrize("existing", [b"", b"half a fi", encode_parquet(to_table(RECORDS[:3]), "another source")])
def test_another_object_of_that_name_keeps_the_segment(segment: Path, store: Directory, existing: bytes) -> None:
    store.create(KEY, existing)
    content = segment.read_bytes()
    assert land(segment, store).disposition == "conflict"
    assert (segment.parent / "quarantine" / segment.name).read_bytes() == content
    assert not segment.exists()
    assert store.read(KEY) == existing


@pytest.mark.parametrize("frames", [(), (encode(INTENT, b"open", b"intent"),)])
def test_segment_without_an_end_puts_nothing(tmp_path: Path, store: Directory, frames: tuple[bytes, ...]) -> None:
    segment = write_segment(tmp_path / "journal", *frames)
    assert land(segment, store).disposition == "empty"
    assert not segment.exists()
    assert not store._root.exists()


def test_damaged_segment_lands_what_is_good_and_is_kept(tmp_path: Path, store: Directory) -> None:
    frames = [final(record) for record in RECORDS]
    frames[4] = frames[4][:-1] + b"\xff"
    segment = write_segment(tmp_path / "journal", *frames, b"torn")
    landing = land(segment, store)
    assert landing.disposition == "damaged"
    assert (landing.content.damage.regions, landing.content.damage.torn_bytes) == (1, 4)
    assert ids(store, KEY) == [id for id in ALL_IDS if id != "req_4"]
    assert (segment.parent / "quarantine" / segment.name).exists()
    assert not segment.exists()


def test_record_that_cannot_be_decoded_is_counted_and_its_segment_kept(tmp_path: Path, store: Directory) -> None:
    segment = write_segment(tmp_path / "journal", final(RECORDS[0]), encode(FINAL, b"x", b"\x93not a record"))
    landing = land(segment, store)
    assert (landing.disposition, landing.content.undecodable) == ("damaged", 1)
    assert ids(store, KEY) == ["req_0"]


def test_value_that_fits_no_column_keeps_no_other_call_from_landing(tmp_path: Path, store: Directory) -> None:
    frames = [final(record) for record in RECORDS]
    frames[3:3] = [final(Record(request_id="absurd", ts_ns=DAY_NS, tokens_in=2**63))]
    segment = write_segment(tmp_path / "journal", *frames)
    assert land(segment, store).disposition == "unrepresentable"
    assert ids(store, KEY) == ALL_IDS
    assert (segment.parent / "quarantine" / segment.name).exists()


def test_value_that_fits_no_column_keeps_the_segment(tmp_path: Path, store: Directory) -> None:
    absurd = Record(request_id="absurd", ts_ns=DAY_NS, cost_nanousd=10**18)
    segment = write_segment(tmp_path / "journal", final(absurd))
    assert land(segment, store).disposition == "unrepresentable"
    assert (segment.parent / "quarantine" / segment.name).exists()


# The loop.


class Clockwork(threading.Event):
    """A stop signal that is its own clock: it notes each wait, and stops when its script has ended."""

    def __init__(self, *script: Any) -> None:
        super().__init__()
        self.waits_ms: list[int] = []
        self._script = list(script)

    def wait(self, timeout: float | None = None) -> bool:
        self.waits_ms.append(round((timeout or 0) * 1000))
        if not self._script:
            self.set()
        elif (step := self._script.pop(0)) is not None:
            step()
        return self.is_set()


def test_loop_lands_every_worker_as_segments_come(tmp_path: Path) -> None:
    journal = tmp_path / "journal"

    def more() -> None:
        write_segment(journal, final(RECORDS[2]), number=2, worker=1)

    write_segment(journal, final(RECORDS[0]))
    write_segment(journal, final(RECORDS[1]), worker=1)
    run(journal, str(tmp_path / "lake"), poll_ms=250, stop=Clockwork(None, more))
    landed = sorted(path.name for path in tmp_path.glob("lake/landing/dt=2025-11-25/*"))
    assert landed == [
        "node1-00000001-00000001.parquet",
        "node2-00000001-00000001.parquet",
        "node2-00000001-00000002.parquet",
    ]
    assert list(journal.glob("*/*.seg")) == []


def test_failing_store_is_asked_less_and_less_and_loses_nothing(
    tmp_path: Path, segment: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = tmp_path / "lake"
    lake.write_text("no directory")
    stop = Clockwork(*[None] * 10, lake.unlink, None)
    with caplog.at_level(logging.DEBUG, "lensai.lake"):
        run(segment.parent.parent, str(lake), poll_ms=250, stop=stop)
    assert stop.waits_ms == [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000, 250, 250]
    assert [record.getMessage() for record in caplog.records] == ["store_failed"] * 10 + ["segment_landed"]
    assert ids(Directory(lake), KEY) == ALL_IDS
    assert not segment.exists()


def test_what_is_sealed_by_the_stop_is_landed_before_the_end(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    stop = threading.Event()
    stop.set()
    paths = [write_segment(journal, final(RECORDS[n]), number=n + 1) for n in range(3)]
    run(journal, str(tmp_path / "lake"), poll_ms=60_000, stop=stop)
    assert [path.exists() for path in paths] == [False, False, False]
    assert len(list(tmp_path.glob("lake/landing/*/*.parquet"))) == 3


def test_stop_waits_for_no_store(tmp_path: Path, segment: Path) -> None:
    lake = tmp_path / "lake"
    lake.write_text("no directory")
    stop = Clockwork(None)
    run(segment.parent.parent, str(lake), poll_ms=250, stop=stop)
    assert stop.waits_ms == [250, 500]
    assert segment.exists()


def test_segment_of_a_later_version_is_told_once_and_hinders_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "journal"
    lead = header()[:8] + (99).to_bytes(2, "little") + bytes(2)
    newer = write_segment(journal)
    newer.write_bytes(lead + crc32c(lead).to_bytes(4, "little"))
    other = write_segment(journal, final(RECORDS[0]), number=2)
    run(journal, str(tmp_path / "lake"), poll_ms=250, stop=Clockwork(None, None))
    assert [record.getMessage() for record in caplog.records] == ["segment_too_new"]
    assert newer.exists()
    assert not other.exists()


def test_segment_that_cannot_be_read_waits_and_hinders_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = tmp_path / "journal"
    other = write_segment(journal, final(RECORDS[0]), number=2)
    (other.parent / "node1-00000001-00000001.seg").mkdir()
    stop = Clockwork(None)
    run(journal, str(tmp_path / "lake"), poll_ms=250, stop=stop)
    assert [record.getMessage() for record in caplog.records] == ["segment_unreadable"] * 2
    assert stop.waits_ms == [250, 500]
    assert not other.exists()


def test_second_lake_on_a_journal_is_refused(tmp_path: Path) -> None:
    def second() -> None:
        with pytest.raises(LakeRunning):
            run(tmp_path, str(tmp_path / "lake"), poll_ms=1, stop=threading.Event())

    run(tmp_path, str(tmp_path / "lake"), poll_ms=1, stop=Clockwork(second))
    run(tmp_path, str(tmp_path / "lake"), poll_ms=1, stop=Clockwork())


def test_death_at_any_moment_lands_each_record_once(tmp_path: Path) -> None:
    journal, lake = tmp_path / "journal", tmp_path / "lake"
    for number in range(1, 31):
        write_segment(journal, final(Record(request_id=f"req_{number}", ts_ns=DAY_NS)), number=number)
    paths = ("journal/*/*.seg", "lake/.draft/*", "lake/landing/*/*")
    deaths = 0
    while list(journal.glob("*/*.seg")):
        pid = os.fork()
        if pid == 0:
            run(journal, str(lake), poll_ms=0, stop=threading.Event())
        state = before = [len(list(tmp_path.glob(path))) for path in paths]
        while state == before:  # until it has drafted, linked or deleted something
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
            state = [len(list(tmp_path.glob(path))) for path in paths]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        deaths += 1
    landed = pq.read_table(lake / "landing")["request_id"].to_pylist()
    assert sorted(landed) == sorted(f"req_{number}" for number in range(1, 31))
    assert deaths > 1  # as many as the machine lets this process see in time
