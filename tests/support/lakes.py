"""Owns lakes of tests: landed files, whole curations, and what a reader sees, added up."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from control_plane.lake.curate import Step, no_step
from control_plane.lake.curated import Lake, open_tables
from control_plane.lake.cycle import Round, curate
from control_plane.lake.snapshot import Reader, Snapshot
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from gateway.lake.parquet import encode_parquet
from gateway.lake.store import open_store

DAY_S = 1_764_028_800  # 2025-11-25 00:00 UTC
DAY = "2025-11-25"
NOW_MS = (DAY_S + 43_200) * 1000
EVER = date(1, 1, 1), date(9999, 12, 31)


class Totals(NamedTuple):
    calls: int
    cost_usd: Decimal


def call(number: int, at_s: float = DAY_S, **more: Any) -> Record:
    """A call that cost its own number in nano-USD."""
    fields: dict[str, Any] = {
        "request_id": f"req_{number:08d}",
        "ts_ns": int(at_s * 1_000_000) * 1000,
        "org_id": "org_a",
        "project_id": "prj_a",
        "model": "gpt-5",
        "provider": "openai",
        "route": "chat",
        "outcome": "ok",
        "status": 200,
        "stream": True,
        "tokens_in": 10,
        "tokens_out": 5,
        "buckets": {"input_text": 10, "output_text": 5},
        "cost_nanousd": number,
        "latency_us": 100_000,
        "ttft_us": 20_000,
    }
    return Record(**(fields | more))


def calls(numbers: Iterable[int], every_s: float = 1, **more: Any) -> list[Record]:
    return [call(number, DAY_S + number * every_s, **more) for number in numbers]


def land(lake: str | Path, name: str, records: Sequence[Record], day: str = DAY) -> str:
    """A landed file as gateways make them; its key."""
    key = f"landing/dt={day}/{name}.parquet"
    assert open_store(str(lake)).create(key, encode_parquet(to_table(records), name))
    return key


def cure(lake: str | Path | Lake, now_ms: int = NOW_MS, step: Step = no_step) -> list[Round]:
    """Curation until nothing is left, by a process that knows nothing yet."""
    return list(curate(lake if isinstance(lake, Lake) else open_tables(str(lake)), now_ms, step))


def look(lake: str | Path, days: tuple[date, date] = EVER, project_id: str | None = None) -> Snapshot:
    """What a reader that has just begun takes."""
    return Reader(open_tables(str(lake))).take(*days, project_id)


def seen(snapshot: Snapshot) -> Totals:
    """Every call that a question over events would find, curated or fresh."""
    with duckdb.connect() as database:
        database.register("fresh", snapshot.fresh)
        return _add(
            database.execute("SELECT count(*), coalesce(sum(cost_usd), 0) FROM fresh").fetchall(),
            _ask(database, snapshot.events, "count(*)"),
        )


def rolled(snapshot: Snapshot, files: Sequence[str] | None = None) -> Totals:
    """What the rollup by hour has; it is to be what `events` has."""
    with duckdb.connect() as database:
        return _add(_ask(database, snapshot.hourly if files is None else files, "sum(calls)"))


def rows(files: Sequence[str], select: str) -> list[tuple[Any, ...]]:
    """Of some files, as the relation `rows`."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.read_parquet(list(files), hive_partitioning=False, union_by_name=True).create_view("rows")
        # By way of Arrow: DuckDB itself makes times with a library that is not installed.
        return [tuple(row.values()) for row in database.sql(select).to_arrow_table().to_pylist()]


def _ask(database: Any, files: Sequence[str], count: str) -> list[tuple[Any, ...]]:
    if not files:
        return []
    query = f"SELECT {count}, coalesce(sum(cost_usd), 0) FROM read_parquet(?, hive_partitioning = false)"
    return database.execute(query, [list(files)]).fetchall()


def _add(*answers: list[tuple[Any, ...]]) -> Totals:
    found = [row for answer in answers for row in answer]
    return Totals(int(sum(row[0] for row in found)), Decimal(sum(row[1] for row in found)))


def cost(records: Iterable[Record]) -> Totals:
    """What the lake is to have of some calls."""
    by_id = {(record.org_id, record.request_id): record for record in records}
    nanousd = sum(record.cost_nanousd or 0 for record in by_id.values())
    return Totals(len(by_id), Decimal(nanousd).scaleb(-9))


def moment(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
