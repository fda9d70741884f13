# pyright: reportMissingTypeStubs=false
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from control_plane.lake.clickhouse.load import ROLLUPS, create, load
from control_plane.lake.scope import rollup_sql
from control_plane.lake.seed import landing
from control_plane.lake.seed.generate import Generator, plain_places
from control_plane.lake.seed.landing import Seeded
from control_plane.lake.seed.story import Plan
from gateway.lake.landed import landed_files
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Directory

PLAN = Plan(3_000, 3, 7, int(datetime(2026, 11, 26, 10, 30, tzinfo=UTC).timestamp()))
DAYS = (date(2026, 11, 24), date(2026, 11, 26))


@pytest.fixture
def lake(tmp_path: Path) -> str:
    seeded = Seeded(PLAN, plain_places("org_demo"))
    generator = Generator(PLAN, seeded.places)
    landing.write(Directory(tmp_path), seeded, generator, lambda rows: None)
    generator.close()
    return str(tmp_path)


def loaded(server: Any, lake: str) -> list[tuple[date, int]]:
    days: list[tuple[date, int]] = []
    load(server, lake, *DAYS, lambda day, rows: days.append((day, rows)))
    return days


def rows_of(server: Any, table: str) -> list[tuple[Any, ...]]:
    """All rows, sorted, without their types' differences."""
    return sorted(tuple(map(str, row.values())) for row in server.ask(f"SELECT * FROM {table}", {}).to_pylist())


def test_the_columns_are_those_of_the_schema_and_of_the_rollups(server):
    def columns(table: str) -> list[str]:
        return server.ask(f"SELECT * FROM {table} LIMIT 0", {}).column_names or [
            row["name"] for row in server.ask(f"DESCRIBE TABLE {table}", {}).to_pylist()
        ]

    assert columns("event_rows") == [*SCHEMA.names, "weight"]
    with duckdb.connect() as duck:
        duck.register("events", SCHEMA.empty_table())
        for name in ROLLUPS:
            assert columns(f"{name}_rows") == duck.sql(rollup_sql(name)).columns  # type: ignore[arg-type]


def test_tables_of_before_samples_were_loaded_get_their_column(server, lake):
    server.execute("ALTER TABLE event_rows DROP COLUMN weight")
    create(server)
    loaded(server, lake)
    assert server.ask("SELECT DISTINCT weight FROM event_rows", {}).to_pylist() == [{"weight": 1}]


def test_every_call_is_loaded_with_what_is_unknown_left_unknown(server, lake):
    days = loaded(server, lake)

    assert [day.isoformat() for day, _ in days] == ["2026-11-24", "2026-11-25", "2026-11-26"]
    assert sum(rows for _, rows in days) == 3_000
    columns = (
        "request_id, epoch_us(ts) AS us, cost_usd, tokens_in, cache_read_text, ttft_ms, status, stream, tags, metadata"
    )
    with duckdb.connect() as duck:
        query = f"SELECT {columns} FROM read_parquet('{lake}/landing/*/*.parquet') ORDER BY request_id"
        expected = duck.sql(query).to_arrow_table().to_pylist()
    asked = f"SELECT {columns.replace('epoch_us', 'toUnixTimestamp64Micro')} FROM event_rows ORDER BY request_id"
    assert server.ask(asked, {}).to_pylist() == expected


@pytest.mark.parametrize("name", ROLLUPS)
def test_rollups_are_what_the_lakes_own_are(server, lake, name):
    loaded(server, lake)
    with duckdb.connect() as duck:
        duck.execute("SET TimeZone = 'UTC'")
        duck.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet('{lake}/landing/*/*.parquet')")
        rows = duck.sql(rollup_sql(name)).to_arrow_table().to_pylist()
    assert rows_of(server, f"{name}_rows") == sorted(tuple(map(str, row.values())) for row in rows)


def test_loading_again_changes_nothing_and_a_call_that_is_there_twice_is_one(server, lake):
    loaded(server, lake)
    tables = ("event_rows", *(f"{name}_rows" for name in ROLLUPS))
    before = {table: rows_of(server, table) for table in tables}
    twice = landed_files(Path(lake))[1]
    twice.with_name("again.parquet").write_bytes(twice.read_bytes())

    loaded(server, lake)
    assert {table: rows_of(server, table) for table in tables} == before


def test_what_the_lake_has_no_more_is_gone_and_other_days_stay(server, lake):
    loaded(server, lake)
    landed_files(Path(lake))[1].unlink()
    load(server, lake, date(2026, 11, 25), date(2026, 11, 25), lambda day, rows: None)

    left = server.ask("SELECT DISTINCT toString(toDate(ts)) AS day FROM event_rows ORDER BY day", {}).to_pylist()
    assert [row["day"] for row in left] == ["2026-11-24", "2026-11-26"]
    hours = server.ask("SELECT DISTINCT toString(toDate(hour)) AS day FROM hourly_rows ORDER BY day", {}).to_pylist()
    assert hours == left


def test_nothing_is_left_beside_the_tables(server, lake):
    loaded(server, lake)

    names = {
        row["name"]
        for row in server.ask("SELECT name FROM system.tables WHERE database = currentDatabase()", {}).to_pylist()
    }
    assert names == {"event_rows", "hourly_rows", "hourly_users_rows", "hourly_latency_rows"}
