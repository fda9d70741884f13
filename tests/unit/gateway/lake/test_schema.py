import pyarrow as pa

from gateway.contract.record import Record
from gateway.lake.schema import BUCKETS, COLUMNS, SCHEMA
from pricing.usage import Usage


def test_first_columns_keep_the_names_that_dashboards_use() -> None:
    assert SCHEMA.names[:13] == [
        "ts",
        "project_id",
        "request_id",
        "user_id",
        "route",
        "provider",
        "model",
        "tokens_in",
        "tokens_out",
        "cost_usd",
        "latency_ms",
        "status",
        "metadata",
    ]
    assert SCHEMA.field("ts").type == pa.timestamp("us", tz="UTC")
    assert SCHEMA.field("cost_usd").type == pa.decimal128(18, 9)


def test_every_field_of_a_record_has_a_column() -> None:
    assert {column.field for column in COLUMNS} == set(Record.__struct_fields__)


def test_every_bucket_of_a_usage_has_a_column() -> None:
    assert set(BUCKETS) == set(Usage.__struct_fields__)
    assert set(BUCKETS) <= set(SCHEMA.names)


def test_no_name_is_used_twice() -> None:
    assert len(set(SCHEMA.names)) == len(SCHEMA.names)
