"""Owns raw files: those that gateways landed and those that ingest wrote, and the one way to read either."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.ingest.landed import BatchFault, read_batch
from control_plane.keyring import Keyring
from gateway.lake.batch import Unrepresentable
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Entry, Shelf, StoreFault

# Folders of the lake that raw files are in: each `<folder>/dt=YYYY-MM-DD/…`.
FOLDERS = ("landing", "ingest")
# Where those are put that are not to be trusted, under their whole names.
ASIDE = "refused"
# Files are many and small, and a bucket takes some 30 ms for each, whatever its size; read at once, and bytes of them.
AHEAD_FILES = 32
AHEAD_BYTES = 8 << 20


class Unreadable(Exception):
    """A raw file holds something else than events; the message says what, without any of its content."""


class Untrusted(Unreadable):
    """A file in ingest's folder that ingest did not write as it stands there: no key signed it, or it is cut."""


class Cut(StoreFault):
    """The store answered with less than the object has: it is to be asked again, and nothing known of what it holds."""


def _parquet(data: bytes, _keyring: Keyring | None) -> Any:
    return pq.read_table(pa.BufferReader(data))


# By the suffix of a file's name: its bytes to a table that has the columns of SCHEMA, in any order, or fewer.
READERS: dict[str, Callable[[bytes, Keyring | None], Any]] = {".parquet": _parquet, ".ndjson": read_batch}


def raw_files(store: Shelf) -> list[Entry]:
    """Every raw file that is there, oldest day first. Raises StoreFault."""
    found = [entry for folder in FOLDERS for entry in store.entries(folder) if _suffix(entry.key) in READERS]
    return sorted(found, key=lambda entry: entry.key.partition("/")[2])


def read_raw(store: Shelf, entry: Entry) -> bytes:
    """All of a raw file. Raises StoreFault; Missing if there is none, Cut if it is not all."""
    data = store.read(entry.key)
    if len(data) != entry.size_bytes:
        raise Cut(f"{entry.key}: {len(data)} of {entry.size_bytes} bytes")
    return data


def read_ahead(store: Shelf, entries: Sequence[Entry]) -> Generator[tuple[Entry, "Future[bytes]"]]:
    """Raw files in their order, each with what `read_raw` answers or raises; of the next some are read meanwhile."""
    with ThreadPoolExecutor(AHEAD_FILES, "raw-files") as threads:
        for lot in _lots(entries):
            yield from [(entry, threads.submit(read_raw, store, entry)) for entry in lot]


def _lots(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    lot: list[Entry] = []
    for entry in entries:
        if lot and (len(lot) == AHEAD_FILES or sum(one.size_bytes for one in (*lot, entry)) > AHEAD_BYTES):
            yield lot
            lot = []
        lot.append(entry)
    if lot:
        yield lot


def day_of(key: str) -> str:
    """The day that a raw file's folder names; for a landed file, of the latest arrival in it."""
    return key.partition("/dt=")[2][:10]


def decode(key: str, data: bytes, keyring: Keyring | None = None) -> Any:
    """A pyarrow Table in SCHEMA; what an older file does not have is null. Without a ring no signature is checked.

    Raises Unreadable, Untrusted.
    """
    try:
        return as_events(READERS[_suffix(key)](data, keyring))
    except BatchFault as fault:
        raise Untrusted(str(fault)) from None
    except (pa.ArrowException, Unrepresentable, OSError, ValueError) as error:
        raise Unreadable(type(error).__name__) from None


def set_aside(store: Shelf, key: str, data: bytes) -> None:
    """Moves a raw file to where nobody reads it as one, for a person to look at. Raises StoreFault."""
    store.create(f"{ASIDE}/{key}", data)
    store.delete(key)


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
