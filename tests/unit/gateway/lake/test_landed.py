from pathlib import Path

from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.landed import landed_files, landed_ids, landed_record, record_files
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


def test_records_are_looked_for_in_curated_files_too(tmp_path: Path) -> None:
    landed = land(tmp_path, "2026-11-24", "a", "3")
    curated = tmp_path / "events" / "dt=2026-11-23" / "project_id=p" / "f.parquet"
    curated.parent.mkdir(parents=True)
    curated.write_bytes(landed.read_bytes())
    assert record_files(tmp_path) == [curated, landed]


def test_a_lake_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert landed_files(tmp_path / "lake") == []


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = Record(
        request_id="a", ts_ns=1_800_000_000_123_456_000, project_id="web", tags=("x", "y"), metadata='{"a":1}',
        model="m", stream=True, outcome="ok", status=200, provenance="reported", tokens_in=3, cost_nanousd=1,
        buckets={"input_text": 3, "of_a_later_version": 4}, price_match="exact", latency_us=1_234_567, ttft_us=None,
        upstream_status=200, flags=("drained",), work_id="openai:1",
    )  # fmt: skip
    plain = Record(request_id="b", ts_ns=0)
    file = tmp_path / "a.parquet"
    file.write_bytes(encode_parquet(to_table([record, plain]), "digest"))

    assert landed_record(file, "a") == record
    assert landed_record(file, "b") == plain
    assert landed_record(file, "c") is None
    file.write_bytes(b"PAR1")
    assert landed_record(file, "a") is None
