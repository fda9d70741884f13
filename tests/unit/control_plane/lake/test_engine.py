import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from control_plane.lake.curated import open_tables
from control_plane.lake.engine import EngineFault, engine, literal
from gateway.lake.schema import SCHEMA
from tests.support.lakes import DAY_S, calls, cure, land


def test_rows_go_from_files_by_a_select_to_one_file(tmp_path: Path) -> None:
    for name, numbers in (("a", [3, 1]), ("b", [2])):
        pq.write_table(pa.table({"n": numbers}), tmp_path / f"{name}.parquet")
    pq.write_table(pa.table({"n": [9], "more": ["x"]}), tmp_path / "c.parquet")
    with engine() as database:
        database.view("them", [str(tmp_path / f"{name}.parquet") for name in "abc"], "n < 9")
        data = database.write("SELECT n, more FROM them ORDER BY n")
    assert pq.read_table(io.BytesIO(data)).to_pylist() == [{"n": n, "more": None} for n in (1, 2, 3)]


def test_what_it_cannot_do_is_a_fault_without_the_querys_text(tmp_path: Path) -> None:
    with engine() as database, pytest.raises(EngineFault, match=r"^IOException$"):
        database.view("them", [str(tmp_path / "none.parquet")])
    with engine("1MB") as database, pytest.raises(EngineFault, match="OutOfMemory"):
        database.write("SELECT * FROM range(10000000) ORDER BY hash(range)")


def test_hours_are_utcs_wherever_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    with engine() as database:
        query = f"SELECT epoch_us(time_bucket(INTERVAL 1 HOUR, {literal(DAY_S * 10**6 + 1_800_000_000)}))"
        assert database.fetch(query) == [(DAY_S * 10**6,)]


@pytest.mark.parametrize("at_us", [-(2**62), -1, 0, 2**62])
def test_a_moment_has_a_text_however_far_it_is(at_us: int) -> None:
    with engine() as database:
        ((found,),) = database.fetch(f"SELECT epoch_us({literal(at_us)})")
    assert found == min(max(at_us, -62_135_596_800_000_000), 253_402_300_799_999_999)


def test_an_empty_view_has_a_schema(tmp_path: Path) -> None:
    with engine() as database:
        database.empty_view("events", SCHEMA.empty_table())
        assert database.schema("SELECT ts, $x AS x FROM events", {"x": 1}).names == ["ts", "x"]


def test_files_of_a_disk_are_read_where_they_are_and_others_are_copied(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(3)))
    cure(tmp_path)
    lake = open_tables(str(tmp_path))
    (file,) = lake.events.follow().files.values()
    with engine() as database:
        assert database.local(lake.store, lake.events, [file]) == [lake.events.location(file)]
        lake.events.url = "memory:///lake/events"
        (copy,) = database.local(lake.store, lake.events, [file])
        assert copy != lake.events.location(file)
        assert pq.read_metadata(copy).num_rows == 3
        database.forget_copies()
        assert not Path(copy).exists()
