"""Owns raw files: those that gateways landed and those that ingest wrote, and the one way to read either."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from gateway.contract.record import Record
from gateway.lake.batch import Unrepresentable, to_table
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Entry, Shelf

# Folders of the lake that raw files are in: each `<folder>/dt=YYYY-MM-DD/…`.
FOLDERS = ("landing", "ingest")


class Unreadable(Exception):
    """A raw file holds something else than events; the message says what, without any of its content."""


# One line of NDJSON, strictly: the fields of a Record by their names.
_Line = msgspec.defstruct(
    "_Line",
    [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(Record)
    ],
    kw_only=True,
    forbid_unknown_fields=True,
)
_lines = msgspec.json.Decoder(_Line)


def _parquet(data: bytes) -> Any:
    return pq.read_table(pa.BufferReader(data))


def _ndjson(data: bytes) -> Any:
    lines = _lines.decode_lines(data)
    return to_table([Record(**msgspec.structs.asdict(line)) for line in lines])


# By the suffix of a file's name: its bytes to a table that has the columns of SCHEMA, in any order, or fewer.
READERS: dict[str, Callable[[bytes], Any]] = {".parquet": _parquet, ".ndjson": _ndjson}


def raw_files(store: Shelf) -> list[Entry]:
    """Every raw file that is there, oldest day first. Raises StoreFault."""
    found = [entry for folder in FOLDERS for entry in store.entries(folder) if _suffix(entry.key) in READERS]
    return sorted(found, key=lambda entry: entry.key.partition("/")[2])


def day_of(key: str) -> str:
    """The day that a raw file's folder names; for a landed file, of the latest arrival in it."""
    return key.partition("/dt=")[2][:10]


def decode(key: str, data: bytes) -> Any:
    """A pyarrow Table in SCHEMA; what an older file does not have is null. Raises Unreadable."""
    try:
        return as_events(READERS[_suffix(key)](data))
    except (pa.ArrowException, msgspec.MsgspecError, Unrepresentable, OSError, ValueError) as error:
        raise Unreadable(type(error).__name__) from None


def as_events(table: Any) -> Any:
    """The columns of SCHEMA of a table, in its order and types. Raises ArrowException, ValueError."""
    if table.schema.equals(SCHEMA):
        return table
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in SCHEMA
    ]
    made = pa.Table.from_arrays(columns, schema=SCHEMA)
    for name in ("ts", "request_id", "project_id"):
        if made.column(name).null_count:
            raise ValueError(name)
    return made


def _suffix(key: str) -> str:
    return PurePosixPath(key).suffix
