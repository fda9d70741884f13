import io
import random
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet, source_digest
from gateway.lake.schema import SCHEMA

RECORDS = [
    Record(request_id=f"req_{n}", ts_ns=n * 10**9, project_id=f"p{n % 3}", cost_nanousd=n, buckets={"output_text": n})
    for n in range(1000)
]


def file_of(records: list[Record]) -> bytes:
    return encode_parquet(to_table(records), "abc123")


def test_file_reads_back_as_it_was() -> None:
    table = pq.read_table(io.BytesIO(file_of(RECORDS)))
    assert table.schema.equals(SCHEMA)
    assert table.equals(to_table(RECORDS).replace_schema_metadata(table.schema.metadata))


def test_same_records_make_the_same_bytes_in_whatever_order() -> None:
    shuffled = random.Random(1).sample(RECORDS, len(RECORDS))
    assert file_of(shuffled) == file_of(RECORDS)


def test_file_is_zstd_with_statistics_and_its_order() -> None:
    metadata = pq.read_metadata(io.BytesIO(file_of(RECORDS)))
    group = metadata.row_group(0)
    assert {group.column(index).compression for index in range(group.num_columns)} == {"ZSTD"}
    project = group.column(SCHEMA.names.index("project_id")).statistics
    assert (project.min, project.max) == ("p0", "p2")
    assert [(column.column_index, column.descending) for column in group.sorting_columns] == [(1, False), (0, False)]


def test_another_reader_agrees_on_counts_and_costs(tmp_path: Path) -> None:
    path = tmp_path / "landed.parquet"
    path.write_bytes(file_of(RECORDS))
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select project_id, count(*), sum(cost_usd), sum(output_text) from read_parquet(?) group by 1 order by 1",
            [str(path)],
        ).fetchall()
    expected = [[n for n in range(1000) if n % 3 == project] for project in range(3)]
    assert [(project, count, int(cost * 10**9), text) for project, count, cost, text in rows] == [
        (f"p{project}", len(ns), sum(ns), sum(ns)) for project, ns in enumerate(expected)
    ]


def test_file_names_its_source() -> None:
    assert source_digest(file_of(RECORDS)) == "abc123"


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet at all", file_of(RECORDS)[:-1]])
def test_file_cut_short_or_of_another_kind_has_no_source(data: bytes) -> None:
    assert source_digest(data) is None
