import io
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from control_plane.ingest.landed import encode_batch
from control_plane.lake.curate import FAR_FUTURE, FAR_PAST, Absorbed, Beaten, absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.snapshot import Reader
from control_plane.lake.verify import verify
from gateway.lake.store import Shelf, StoreFault
from tests.support.control_plane import ring
from tests.support.lakes import DAY, DAY_S, EVER, NOW_MS, call, calls, cost, cure, land, look, rolled, rows, seen


def test_landed_calls_become_rows_of_their_days_and_projects_sorted_by_time(tmp_path: Path) -> None:
    of = {"prj_a": calls(range(0, 30, 3)), "": calls(range(1, 30, 3), project_id=""), "späße / 1": []}
    of["späße / 1"] = calls(range(2, 30, 3), project_id="späße / 1")
    everybody = [record for records in of.values() for record in records]
    land(tmp_path, "b", everybody[::2])
    land(tmp_path, "a", everybody[1::2])
    assert cure(tmp_path)[0].absorbed == Absorbed(2, 30, 0, 0)
    taken = look(tmp_path)
    assert seen(taken) == rolled(taken) == cost(everybody)
    assert taken.fresh.num_rows == 0
    for project_id, records in of.items():
        files = look(tmp_path, project_id=project_id).events
        found = rows(files, "SELECT project_id, request_id FROM rows")
        assert found == [(project_id, record.request_id) for record in records]
        assert all(f"/events/dt={DAY}/project_id=" in file for file in files)


def test_a_call_that_was_sent_twice_is_one_row_in_a_batch_and_across_batches(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    land(tmp_path, "b", calls(range(5, 15)))
    assert cure(tmp_path)[0].absorbed == Absorbed(2, 15, 5, 0)
    # Sent a second time with the clock of the second time.
    land(tmp_path, "c", [call(3, DAY_S + 600), *calls(range(14, 16))])
    assert seen(look(tmp_path)) == cost([*calls(range(15)), call(15)])
    assert cure(tmp_path)[0].absorbed == Absorbed(1, 1, 2, 0)
    assert seen(look(tmp_path)) == cost(calls(range(16)))


def test_calls_of_two_organizations_with_one_id_are_two_wherever_they_meet(tmp_path: Path) -> None:
    theirs = calls(range(12), org_id="org_b", project_id="prj_b")
    land(tmp_path, "a", [*calls(range(5)), *theirs[:5]])
    assert seen(look(tmp_path)) == cost([*calls(range(5)), *theirs[:5]])
    cure(tmp_path)
    # One of them is curated, the other comes later.
    land(tmp_path, "b", [*calls(range(5, 10)), *theirs[3:5]])
    cure(tmp_path)
    land(tmp_path, "c", [*theirs[5:], *calls(range(10))])
    everybody = cost([*calls(range(10)), *theirs])
    assert seen(look(tmp_path)) == everybody
    assert cure(tmp_path)[0].absorbed == Absorbed(1, 7, 10)
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == everybody
    assert verify(open_tables(str(tmp_path))).differences == []
    cure(tmp_path, NOW_MS + 2 * 86_400_000)
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == everybody


def test_times_of_wrong_clocks_are_kept_in_one_partition_for_each_side(tmp_path: Path) -> None:
    far = [call(number, DAY_S + number * 86_400) for number in (2, 30, 4_000, 90_000)]
    far += [call(number, DAY_S - number * 86_400) for number in (401, 5_000, 20_000)]
    near = [call(number, DAY_S - number * 86_400) for number in (1, 3, 399)]
    land(tmp_path, "a", [*far, *near])
    assert cure(tmp_path)[0].absorbed == Absorbed(1, 10, 0, 7)
    lake = open_tables(str(tmp_path))
    assert {file.dt for file in lake.events.follow().files.values()} >= {FAR_PAST, FAR_FUTURE}
    assert len(lake.events.state.files) == 2 + len(near)
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == cost([*far, *near])


def test_a_late_call_goes_to_its_own_day(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    cure(tmp_path)
    land(tmp_path, "b", [call(10, DAY_S - 3 * 86_400)])
    cure(tmp_path)
    days = {file.dt for file in open_tables(str(tmp_path)).events.follow().files.values()}
    assert days == {DAY, "2025-11-22"}


def test_of_two_who_absorb_the_same_one_does(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    first, second = open_tables(str(tmp_path)), open_tables(str(tmp_path))

    def beaten(step: str) -> None:
        if step == "commit":
            absorb(first, NOW_MS)

    with pytest.raises(Beaten):
        absorb(second, NOW_MS, beaten)
    assert absorb(second, NOW_MS) is None
    assert len(open_tables(str(tmp_path)).events.follow().files) == 1


def test_a_file_that_cannot_be_read_stays_and_holds_up_no_other(tmp_path: Path) -> None:
    broken = tmp_path / "landing" / f"dt={DAY}" / "a.parquet"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"PAR1 and nothing else")
    land(tmp_path, "b", calls(range(10)))
    assert cure(tmp_path)[0].absorbed == Absorbed(1, 10, 0, 0)
    assert broken.exists()
    assert seen(look(tmp_path)) == cost(calls(range(10)))


def test_a_lake_whose_log_somebody_cleared_is_not_doubled(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    cure(tmp_path)
    open_tables(str(tmp_path)).events.checkpoint()
    (tmp_path / "events" / "_delta_log" / f"{0:020d}.json").unlink()
    assert cure(tmp_path)[0].absorbed == Absorbed(1, 0, 10, 0)
    assert seen(look(tmp_path)) == cost(calls(range(10)))


def test_a_file_of_ingest_that_no_key_signed_is_set_aside_and_holds_up_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours, records = ring("seal1"), calls(range(9))
    folder = f"ingest/dt={DAY}/project_id=prj_a"
    signed, forged = encode_batch(records[:3], ours), encode_batch(records[3:6], ring("seal2"))
    files = {"a": forged, "b": signed, "c": signed.replace(b"gpt-5", b"gpt-6"), "d": signed[:-20], "e": b"{}"}
    lake = open_tables(str(tmp_path), ours)
    for name, data in files.items():
        lake.store.create(f"{folder}/{name}.ndjson", data)
    land(tmp_path, "f", records[6:])
    wanted = cost([*records[:3], *records[6:]])
    assert seen(Reader(lake).take(*EVER)) == wanted
    assert cure(lake)[0].absorbed == Absorbed(2, 6, refused=4)
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == wanted
    assert caplog.messages.count("raw_file_refused") == 4
    aside = {entry.key: lake.store.read(entry.key) for entry in lake.store.entries("refused")}
    assert aside == {f"refused/{folder}/{name}.ndjson": files[name] for name in "acde"}
    assert len(verify(lake).differences) == 4
    # Alone it is counted too, and there is nothing to commit.
    lake.store.create(f"{folder}/g.ndjson", forged)
    assert cure(lake)[0].absorbed == Absorbed(refused=1)


class Cutting:
    """A store that answers with nothing where there is something."""

    def __init__(self, store: Shelf, folder: str) -> None:
        self._store, self._folder, self.cut = store, folder, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read(self, key: str) -> bytes:
        return b"" if self.cut and key.startswith(self._folder) else self._store.read(key)

    def open(self, key: str) -> BinaryIO:
        return io.BytesIO(self.read(key))


def test_a_raw_file_that_the_store_gives_in_part_is_not_set_aside_and_comes_next_time(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path), ring("seal1"))
    key = f"ingest/dt={DAY}/project_id=prj_a/a.ndjson"
    lake.store.create(key, encode_batch(calls(range(3)), ring("seal1")))
    land(tmp_path, "b", calls(range(3, 5)))
    cutting = Cutting(lake.store, "ingest/")
    assert absorb(lake._replace(store=cutting), NOW_MS) == Absorbed(1, 2)
    with pytest.raises(StoreFault, match="0 of"):
        Reader(lake._replace(store=cutting)).take(*EVER)
    assert list(lake.store.entries("refused")) == []
    cutting.cut = False
    assert absorb(lake._replace(store=cutting), NOW_MS) == Absorbed(1, 3)
    cure(lake)
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == cost(calls(range(5)))


def test_a_curated_file_that_the_store_gives_in_part_fails_the_round_and_not_the_next(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(3)))
    cure(lake)
    land(tmp_path, "b", calls(range(5)))
    cutting = Cutting(lake.store, "events/dt=")
    with pytest.raises(StoreFault, match="cannot be read"):
        absorb(lake._replace(store=cutting), NOW_MS)
    cutting.cut = False
    assert absorb(lake._replace(store=cutting), NOW_MS) == Absorbed(1, 2, 3)
