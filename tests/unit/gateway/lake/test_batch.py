from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.record import Record
from gateway.lake.batch import Unrepresentable, to_table
from gateway.lake.schema import BUCKETS, SCHEMA

NOON_NS = 1_764_072_000 * 10**9  # 2025-11-25 12:00 UTC


def test_record_becomes_a_row() -> None:
    record = Record(
        request_id="req_1",
        ts_ns=NOON_NS + 1_234_567_890,
        project_id="shop",
        user_id="ann",
        route="chat.completions",
        tags=("a", "b"),
        metadata='{"ticket":7}',
        provider="openai",
        model="gpt-5-mini",
        outcome="ok",
        status=200,
        provenance="reported",
        tokens_in=1000,
        tokens_out=20,
        buckets={"input_text": 900, "cache_read_text": 100, "output_text": 20},
        cost_nanousd=293_750,
        latency_us=812_345,
        ttft_us=1,
        flags=("drained",),
    )
    (row,) = to_table([record]).to_pylist()
    assert row["ts"] == datetime(2025, 11, 25, 12, 0, 1, 234567, tzinfo=UTC)
    assert row["cost_usd"] == Decimal("0.000293750")
    assert (row["latency_ms"], row["ttft_ms"], row["status"]) == (812.345, 0.001, 200)
    assert (row["tags"], row["flags"], row["metadata"]) == (["a", "b"], ["drained"], '{"ticket":7}')
    assert (row["input_text"], row["cache_read_text"], row["output_text"], row["output_reasoning"]) == (900, 100, 20, 0)
    assert row["buckets_more"] is None


def test_unknown_is_null_and_never_zero() -> None:
    (row,) = to_table([Record(request_id="req_1", ts_ns=0)]).to_pylist()
    unknown = {
        "tokens_in",
        "tokens_out",
        "cost_usd",
        "latency_ms",
        "ttft_ms",
        "status",
        "upstream_status",
        "metadata",
        "work_id",
        "counters",
        "ledger_seq",
        "refusal_reason",
    }
    assert {name for name, value in row.items() if value is None} == unknown | set(BUCKETS) | {"buckets_more"}


def test_bucket_of_a_later_version_is_kept() -> None:
    (row,) = to_table([Record(request_id="r", ts_ns=0, buckets={"output_text": 1, "output_smell": 2})]).to_pylist()
    assert row["output_text"] == 1
    assert row["buckets_more"] == [("output_smell", 2)]


def test_rows_are_sorted_by_project_time_and_request() -> None:
    keys = [("b", 1, "x"), ("a", 2, "x"), ("a", 1, "y"), ("b", 0, "x"), ("a", 1, "x")]
    table = to_table([Record(project_id=project, ts_ns=ts * 1000, request_id=id) for project, ts, id in keys])
    rows = zip(table["project_id"].to_pylist(), table["ts"].cast("int64").to_pylist(), table["request_id"].to_pylist())
    assert list(rows) == sorted(keys)


def test_no_records_make_an_empty_table_of_the_same_columns() -> None:
    assert to_table([]).schema == SCHEMA
    assert to_table([]).num_rows == 0


@given(st.lists(st.integers(0, 10**18 - 1), max_size=20))
def test_costs_are_exact_to_the_nano_dollar(costs_nanousd: list[int]) -> None:
    table = to_table([Record(request_id="r", ts_ns=0, cost_nanousd=cost) for cost in costs_nanousd])
    assert sum(table["cost_usd"].to_pylist()) * 10**9 == sum(costs_nanousd)


@pytest.mark.parametrize("field", [{"cost_nanousd": 10**18}, {"tokens_in": 2**63}, {"status": 2**15}])
def test_value_that_no_column_holds_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(Unrepresentable):
        to_table([Record(request_id="r", ts_ns=0, **field)])
