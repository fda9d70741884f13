import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from control_plane.ingest.landed import encode_batch
from control_plane.lake import landed as module
from control_plane.lake.landed import Untrusted, as_events, day_of, decode, raw_files, read_ahead, set_aside
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Entry, Missing, open_store
from tests.support.control_plane import ring
from tests.support.lakes import call, calls, cost, cure, land, look, seen

RING = ring("seal1")
REPORTED = "ingest/dt=2025-11-25/project_id=p/events-1-a.ndjson"


def test_raw_files_of_both_kinds_come_by_day(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    keys = (
        "ingest/dt=2025-11-23/project_id=p/events-10-a.ndjson",
        "landing/dt=2025-11-24/a.parquet",
        "ingest/dt=2025-11-25/project_id=p/events-11-b.ndjson",
    )
    for key in (*reversed(keys), "landing/dt=2025-11-24/a.txt", "events/dt=2025-11-24/x.parquet"):
        store.create(key, b"")
    assert [entry.key for entry in raw_files(store)] == list(keys)
    assert [day_of(key) for key in keys] == ["2025-11-23", "2025-11-24", "2025-11-25"]


def test_a_file_of_ingest_becomes_the_rows_that_landing_makes(tmp_path: Path) -> None:
    records = calls(range(5), tags=("a", "b"), metadata='{"a":1}')
    made = decode(REPORTED, encode_batch(records, RING), RING)
    assert made.equals(to_table(records))
    assert made.equals(decode("landing/dt=2025-11-25/a.parquet", encode_parquet(to_table(records), "x")))
    open_store(str(tmp_path)).create(REPORTED, encode_batch(records, RING))
    land(tmp_path, "a", records[:2])
    cure(tmp_path)
    assert seen(look(tmp_path)) == cost(records)


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'{"request_id":"secret"}', b'{"request_id":"a","ts_ns":"secret"}', b'{"request_id":1,"ts_ns":1}'],
)
def test_a_line_that_is_no_record_makes_the_file_untrusted_and_is_not_repeated(line: bytes) -> None:
    head, lines = b'{"lensai_events":1,"count":2,"signature":"%s"}', encode_batch([call(1)], RING).split(b"\n", 1)[1]
    signed = head % RING.sign(lines + line, "ingest-file").encode() + b"\n" + lines + line
    with pytest.raises(Untrusted) as fault:
        decode(REPORTED, signed, RING)
    assert "secret" not in str(fault.value)


def test_without_a_ring_no_signature_is_checked() -> None:
    data = encode_batch(calls(range(3)), ring("another"))
    assert decode(REPORTED, data).num_rows == 3
    with pytest.raises(Untrusted, match="signed"):
        decode(REPORTED, data, RING)


def test_what_is_set_aside_is_whole_and_no_raw_file_any_more_also_after_a_death_in_between(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.create(f"refused/{REPORTED}", b"x")
    store.create(REPORTED, b"x")
    set_aside(store, REPORTED, b"x")
    assert raw_files(store) == []
    assert store.read(f"refused/{REPORTED}") == b"x"


def test_a_file_of_an_older_schema_has_nulls_where_it_has_no_column() -> None:
    table = (
        to_table([call(1)]).drop_columns(["work_id", "ledger_seq"]).select(["request_id", "ts", "project_id", "model"])
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    made = decode("landing/dt=2025-11-25/a.parquet", sink.getvalue().to_pybytes())
    assert made.schema == SCHEMA
    assert made.column("model").to_pylist() == ["gpt-5"]
    assert made.column("ledger_seq").null_count == 1


def test_a_row_without_an_identity_is_no_event() -> None:
    with pytest.raises(ValueError, match="request_id"):
        as_events(pa.table({"ts": pa.array([0], SCHEMA.field("ts").type), "project_id": ["p"]}))


def test_files_are_read_some_at_once_and_come_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "dabc":
        land(tmp_path, name, [call(1)])
    store = open_store(str(tmp_path))
    entries = [*raw_files(store), Entry("landing/dt=2025-11-25/gone.parquet", 1, 0.0)]
    together = threading.Barrier(5, timeout=10)
    original = store.read
    monkeypatch.setattr(store, "read", lambda key: together.wait() * 0 or original(key))
    read = list(read_ahead(store, entries))
    assert [entry for entry, _ in read] == entries
    assert [one.result() for _, one in read[:4]] == [original(entry.key) for entry in entries[:4]]
    assert isinstance(read[4][1].exception(), Missing)


def test_no_more_is_read_ahead_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        land(tmp_path, name, [call(1)])
    store = open_store(str(tmp_path))
    entries = raw_files(store)
    monkeypatch.setattr(module, "AHEAD_BYTES", 2 * entries[0].size_bytes)
    read: list[str] = []
    original = store.read
    monkeypatch.setattr(store, "read", lambda key: read.append(key) or original(key))
    reading = read_ahead(store, entries)
    next(reading)
    next(reading)
    reading.close()
    assert sorted(read) == [entry.key for entry in entries[:2]]
