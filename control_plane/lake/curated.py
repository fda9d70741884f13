"""Owns which tables the lake has, their columns and partitions. Their rows are other modules' business."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from control_plane.keyring import Keyring
from control_plane.lake.engine import engine
from control_plane.lake.table import Table, open_lake
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Shelf

SQL = Path(__file__).parent / "sql"
# In the order they are committed. The last one's commit says of which versions all of them are, so it is the moment
# at which readers see the new ones.
ROLLUPS = (
    "hourly_users",
    "hourly_latency",
    "daily_users",
    "daily_sketches",
    "daily_costs",
    "daily_latency",
    "daily",
    "hourly",
)
# Made of rollups of hours, not of events.
DAILY = {
    "daily_costs": "hourly",
    "daily_latency": "hourly_latency",
    "daily": "hourly",
    "daily_users": "hourly_users",
    "daily_sketches": "hourly_latency",
}
# Those that have days instead of times: they are for other engines, and no question here reads them.
DATED = frozenset({"daily_costs", "daily_latency"})
_DT = pa.field("dt", pa.date32())
# How many calls a row stands for, in files of sampled days; other files have no such column: each row is one call.
WEIGHT = pa.field("weight", pa.int64())


class Lake(NamedTuple):
    """A lake and all its tables, as one process sees them."""

    url: str
    store: Shelf
    events: Table
    rollups: dict[str, Table]
    keyring: Keyring | None = None  # whose signatures files of ingest have; None checks none

    @property
    def hourly(self) -> Table:
        return self.rollups["hourly"]

    def every(self) -> Iterator[Table]:
        yield self.events
        yield from self.rollups.values()


def open_tables(url: str, keyring: Keyring | None = None) -> Lake:
    """Nothing is read yet. Raises ValueError for a URL that no store serves."""
    place, store = open_lake(url)
    events = Table(place, store, "events", _events, ("dt", "project_id"), "ts")
    rollups = {
        name: Table(place, store, name, partial(columns, name), ("dt",), None if name in DATED else "hour")
        for name in ROLLUPS
    }
    return Lake(place, store, events, rollups, keyring)


def _events() -> Any:
    return SCHEMA.append(WEIGHT).append(_DT)


def statement(name: str) -> str:
    """The text of one of the rollups' files of SQL."""
    return (SQL / f"{name}.sql").read_text("utf-8")


@cache
def columns(name: str) -> Any:
    """The Arrow schema of a rollup, with the partition's column: what its SELECT answers over no events."""
    with engine() as database:
        if name not in DAILY:
            database.empty_view("events", SCHEMA.empty_table())
            return database.schema(statement(name)).append(_DT)
        of_hours = columns(DAILY[name])
        database.empty_view("hours", of_hours.remove(of_hours.get_field_index("dt")).empty_table())
        if name in DATED:
            return database.schema(statement(name), {"dt": None})
        return database.schema(statement(name)).append(_DT)
