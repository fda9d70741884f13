from pathlib import Path

from control_plane.lake.curated import DAILY, ROLLUPS, SQL, columns, open_tables, statement
from gateway.lake.schema import BUCKETS

DAILY_COSTS = ["dt", "project_id", "provider", "model", "route", "cost_usd", "calls", "org_id"]
DAILY_LATENCY = ["dt", "project_id", "route", "p50", "p95", "p99", "org_id"]


def test_every_statement_is_a_rollup_and_has_its_columns() -> None:
    assert {path.stem for path in SQL.glob("*.sql")} >= set(ROLLUPS)
    assert ROLLUPS[-1] == "hourly", "readers see all of them with its commit"
    assert columns("daily_costs").names == DAILY_COSTS
    assert columns("daily_latency").names == DAILY_LATENCY
    for name in set(ROLLUPS) - set(DAILY):
        assert columns(name).names[0] == "hour"
        assert columns(name).names[-1] == "dt"
    assert set(BUCKETS) <= set(columns("hourly").names)


def test_a_statement_says_what_it_is_of() -> None:
    assert all(statement(name).startswith("-- ") for name in ROLLUPS)


def test_nothing_is_read_or_made_by_opening(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path / "none"))
    assert [table.name for table in lake.every()] == ["events", *ROLLUPS]
    assert not (tmp_path / "none").exists()
