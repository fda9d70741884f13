"""Owns a look at a local lake: which files have landed, and whose rows they hold. Never writes."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.contract.record import Record
from gateway.lake.schema import BUCKETS, COLUMNS
from pricing.money import nanousd


def landed_files(root: Path) -> list[Path]:
    """The landing files under a lake's directory, oldest day first; drafts are none."""
    return sorted(root.glob("landing/dt=*/*.parquet"))


def record_files(root: Path) -> list[Path]:
    """Every file that a call's record may be in: the landing files, and those that curation made of them, by day.

    A record may be in several, and be the same in each.
    """
    return sorted((*landed_files(root), *root.glob("events/dt=*/*/*.parquet")), key=_day)


def landed_ids(file: Path) -> list[str]:
    """The request id of each row. Raises OSError, and ArrowException for what is no Parquet file."""
    return pq.read_table(file, columns=["request_id"]).column("request_id").to_pylist()


def landed_record(file: Path, request_id: str) -> Record | None:
    """The record of a call that a landing file holds, None if it holds none; times are as exact as the columns.

    Raises OSError.
    """
    try:
        rows = pq.read_table(file, filters=[("request_id", "=", request_id)]).to_pylist()
    except pa.ArrowInvalid:
        return None  # no Parquet file, or of an age before some column
    return _record(rows[0]) if rows else None


def _day(file: Path) -> str:
    return next(part for part in file.parts if part.startswith("dt="))


def _record(row: dict[str, Any]) -> Record:
    """A row's record. What is null stands for the default of its field, which is unknown or none."""
    values = {column.field: row.get(column.name) for column in COLUMNS if column.convert is None}
    values |= {name: tuple(row.get(name) or ()) for name in ("tags", "flags")}
    for name in ("metadata", "status", "upstream_status", "work_id", "ledger_seq", "refusal_reason"):
        values[name] = row.get(name)
    counters = row.get("counters")
    values["counters"] = None if counters is None else dict(counters)
    cost_usd, buckets = row.get("cost_usd"), {name: row[name] for name in BUCKETS if row.get(name)}
    values["cost_nanousd"] = None if cost_usd is None else nanousd(cost_usd)
    values["buckets"] = (buckets | dict(row.get("buckets_more") or ())) or None
    values |= {f"{name}_us": _us(row.get(f"{name}_ms")) for name in ("latency", "ttft")}
    values["ts_ns"] = round(row["ts"].timestamp() * 1_000_000) * 1000
    return Record(**{name: value for name, value in values.items() if value is not None})


def _us(duration_ms: float | None) -> int | None:
    return None if duration_ms is None else round(duration_ms * 1000)
