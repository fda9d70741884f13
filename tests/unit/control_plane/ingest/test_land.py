import threading

import pytest

from control_plane.ingest.land import land_all
from control_plane.ingest.landed import read_records
from gateway.contract.record import Record, encode_record
from gateway.journal.writer import Journal
from gateway.lake.store import Directory, StoreFault
from tests.support.control_plane import ring
from tests.support.reporters import landed

RING = ring("seal1")
HOUR_NS = 3600 * 10**9
MIDNIGHT_NS = 1_790_035_200 * 10**9  # 2026-09-22


def record(id, ts_ns, project_id="prj_1"):
    return Record(request_id=id, ts_ns=ts_ns, project_id=project_id)


def spooled(root, *records, spool="spool-0"):
    """A sealed segment with these."""
    journal = Journal.open(
        root / spool,
        node_id="n1",
        now_ns=0,
        resolve=bytes,
        segment_bytes_max=1 << 20,
        segment_age_ms=1000,
        free_bytes_min=0,
    )
    for one in records:
        journal.final(one.request_id.encode(), encode_record(one))
    journal.close(0)
    return root / spool


class Failing:
    """A store that does what it is asked so often, then fails; `lost` answers fail after it was done."""

    def __init__(self, directory, times, *, lost):
        self.store, self.times, self.lost = Directory(directory), times, lost

    def create(self, key, data):
        self.times -= 1
        if self.times < 0 and not self.lost:
            raise StoreFault("SlowDown")
        created = self.store.create(key, data)
        if self.times < 0:
            raise StoreFault("timeout")
        return created

    def read(self, key):
        return self.store.read(key)


def files(lake):
    return sorted(path.relative_to(lake).as_posix() for path in lake.rglob("*.ndjson"))


def test_a_file_for_each_project_and_hour_under_the_day_of_its_events(tmp_path):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    spooled(root, record("a", MIDNIGHT_NS - 1), record("b", MIDNIGHT_NS), record("c", MIDNIGHT_NS + 1, "prj_2"),
            record("d", MIDNIGHT_NS + 2))  # fmt: skip
    assert land_all(root, Directory(lake), RING)
    assert files(lake) == [
        "ingest/dt=2026-09-21/project_id=prj_1/events-23-n1-00000001-00000001.ndjson",
        "ingest/dt=2026-09-22/project_id=prj_1/events-00-n1-00000001-00000001.ndjson",
        "ingest/dt=2026-09-22/project_id=prj_2/events-00-n1-00000001-00000001.ndjson",
    ]
    assert [one.request_id for one in landed(lake)] == ["a", "b", "d", "c"]
    assert list(root.rglob("*.seg")) == []


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("times", range(4))
def test_a_store_that_fails_at_any_file_loses_and_doubles_nothing(tmp_path, times, lost):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    spooled(root, *(record(str(number), number * HOUR_NS) for number in range(4)))
    assert not land_all(root, Failing(lake, times, lost=lost), RING)
    assert len(list(root.rglob("*.seg"))) == 1
    assert land_all(root, Directory(lake), RING)
    assert [one.request_id for one in landed(lake)] == ["0", "1", "2", "3"]


def test_a_store_that_takes_its_time_is_sent_many_files_at_once(tmp_path):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    spooled(root, *(record(str(number), number * HOUR_NS) for number in range(8)))
    together = threading.Barrier(8, timeout=10)

    class Slow(Directory):
        def create(self, key, data):
            together.wait()  # for all the others
            return super().create(key, data)

    assert land_all(root, Slow(lake), RING)
    assert len(landed(lake)) == 8


def test_what_was_landed_under_an_older_key_is_the_same(tmp_path):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    path = spooled(root, record("a", 0))
    (segment,) = path.glob("*.seg")
    kept = segment.read_bytes()
    assert land_all(root, Directory(lake), RING)
    segment.write_bytes(kept)
    assert land_all(root, Directory(lake), ring("newer"))
    assert not segment.exists()
    assert len(landed(lake)) == 1


def test_another_object_of_that_name_is_never_replaced_and_the_segment_is_kept(tmp_path, caplog):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    spooled(root, record("a", 0))
    key = "ingest/dt=1970-01-01/project_id=prj_1/events-00-n1-00000001-00000001.ndjson"
    Directory(lake).create(key, b"other\n{}\n")
    land_all(root, Directory(lake), RING)
    assert (lake / key).read_bytes() == b"other\n{}\n"
    assert [path.parent.name for path in root.rglob("*.seg")] == ["quarantine"]
    assert "segment_damaged" in caplog.text


def test_of_a_damaged_segment_the_rest_lands_and_it_is_kept_for_a_person(tmp_path):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    (segment,) = spooled(root, *(record(str(number), number) for number in range(3))).glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    land_all(root, Directory(lake), RING)
    assert len(landed(lake)) == 2
    assert [path.parent.name for path in root.rglob("*.seg")] == ["quarantine"]


def test_what_all_processes_left_lands(tmp_path):
    root, lake = tmp_path / "ingest", tmp_path / "lake"
    spooled(root, record("a", 0))
    spooled(root, record("b", HOUR_NS), spool="spool-1")
    assert land_all(root, Directory(lake), RING)
    assert [one.request_id for one in landed(lake)] == ["a", "b"]
    for path in lake.rglob("*.ndjson"):
        assert read_records(path.read_bytes(), RING)
