from pathlib import Path

from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.landed import landed_files, landed_ids
from gateway.lake.parquet import encode_parquet


def land(root: Path, day: str, name: str, *request_ids: str) -> Path:
    file = root / "landing" / f"dt={day}" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    records = [Record(request_id=request_id, ts_ns=at) for at, request_id in enumerate(request_ids)]
    file.write_bytes(encode_parquet(to_table(records), "digest"))
    return file


def test_files_come_by_day_and_drafts_not_at_all(tmp_path: Path) -> None:
    second, first = land(tmp_path, "2026-11-24", "a", "3"), land(tmp_path, "2026-11-23", "b", "1", "2")
    (tmp_path / ".draft").mkdir()
    (tmp_path / ".draft" / "c.parquet").write_bytes(b"PAR1")

    assert landed_files(tmp_path) == [first, second]
    assert [landed_ids(file) for file in landed_files(tmp_path)] == [["1", "2"], ["3"]]


def test_a_lake_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert landed_files(tmp_path / "lake") == []
