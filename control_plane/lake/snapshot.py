"""Owns Snapshot: the files that a question about some days reads, each call in one of them and in no other."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.lake.schema import SCHEMA


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent state of the lake. Files are absolute paths or URLs of the store; immutable while it is asked.

    `events` are curated; the rollups are of exactly those. `fresh` is an Arrow table in the schema of
    gateway/lake/schema.py of the calls that are landed and in none of them. A question over a rollup adds the same
    rollup of `fresh`.
    """

    version: int
    events: tuple[str, ...]
    hourly: tuple[str, ...]
    hourly_users: tuple[str, ...]
    hourly_latency: tuple[str, ...]
    fresh: Any  # pyarrow.Table


def take_snapshot(lake: str, from_day: date, to_day: date, project_id: str | None = None) -> Snapshot:
    """The state now, without the files that hold nothing of these UTC days (both included) or of the project.

    `lake` is a directory or a store's URL. A lake without a curated table is no error: all is fresh.
    Raises StoreFault.
    """
    tables = [pq.read_table(file) for file in sorted(Path(lake).glob("landing/dt=*/*.parquet"))]
    return Snapshot(0, (), (), (), (), pa.concat_tables([SCHEMA.empty_table(), *tables]))
