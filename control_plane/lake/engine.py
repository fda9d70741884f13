"""Owns DuckDB where it writes: rows of some files, by one SELECT, to one Parquet file, within bounded memory."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from control_plane.lake.table import File, Table
from gateway.lake.store import Shelf

# Beside it stand the process itself and what Arrow holds: half a gigabyte is to be enough for all of it.
MEMORY = "128MB"
THREADS = 2
# Groups in which readers skip; DuckDB's own default is 122,880 rows, and half of it halves what writing needs.
ROW_GROUP = 65_536
_WRITTEN = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last day that a datetime can show.
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


class EngineFault(Exception):
    """DuckDB could not do it: no memory, no room on the disk. Nothing was changed."""


class Engine:
    """One database in memory, with a directory of its own for what does not fit and for what it writes."""

    def __init__(self, connection: Any, scratch: Path) -> None:
        self._connection, self._scratch, self._copies = connection, scratch, scratch / "copies"

    def view(self, name: str, files: Iterable[str], where: str = "") -> None:
        """Makes the rows of some files a view; a column that an older file has not is null. Raises EngineFault."""
        with _faults():
            rows = self._connection.read_parquet(list(files), hive_partitioning=False, union_by_name=True)
            (rows.filter(where) if where else rows).create_view(name, replace=True)

    def empty_view(self, name: str, table: Any) -> None:
        """A view of an Arrow table's columns, without rows. Raises EngineFault."""
        with _faults():
            self._connection.from_arrow(table).create_view(name, replace=True)

    def schema(self, select: str, values: Mapping[str, object] | None = None) -> Any:
        """The Arrow schema of what a SELECT answers. Raises EngineFault."""
        with _faults():
            return self._connection.sql(select, params=values).to_arrow_table().schema

    def fetch(self, select: str, values: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """Raises EngineFault."""
        with _faults():
            return self._connection.execute(select, values).fetchall()

    def write(self, select: str, values: Mapping[str, object] | None = None) -> bytes:
        """The bytes of a Parquet file with all that a SELECT answers, in its order. Raises EngineFault."""
        path = self._scratch / "written.parquet"
        with _faults():
            self._connection.execute(f"COPY ({select}) TO '{path}' {_WRITTEN}", values)
            data = path.read_bytes()
            path.unlink()
        return data

    def local(self, store: Shelf, table: Table, files: Iterable[File]) -> list[str]:
        """Where DuckDB finds files of a table: as they are on a disk, or copies of them. Raises StoreFault."""
        return [self._local(store, table, file) for file in files]

    def _local(self, store: Shelf, table: Table, file: File) -> str:
        where = table.location(file)
        if "://" not in where:
            return where
        copy = self._copies / table.name / file.path
        if not copy.exists():
            data = store.read(table.key(file))
            with _faults():
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(data)
        return str(copy)

    def forget_copies(self) -> None:
        """Makes room for the next files."""
        shutil.rmtree(self._copies, ignore_errors=True)


@contextlib.contextmanager
def engine(memory: str = MEMORY) -> Generator[Engine]:
    """Raises EngineFault."""
    with tempfile.TemporaryDirectory(prefix="lensai-lake-") as scratch:
        with _faults():
            config: dict[str, Any] = {"memory_limit": memory, "threads": THREADS, "temp_directory": f"{scratch}/spill"}
            connection = duckdb.connect(":memory:", config=config)
            # Hours and days of the lake are UTC's, wherever this runs.
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
        try:
            yield Engine(connection, Path(scratch))
        finally:
            connection.close()


def quoted(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def literal(at_us: int) -> str:
    """A moment as SQL writes it, which filters of files understand."""
    moment = _EPOCH + timedelta(microseconds=min(max(at_us, _FIRST_US), _LAST_US))
    return f"TIMESTAMPTZ '{moment.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}+00'"


@contextlib.contextmanager
def _faults() -> Generator[None]:
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise EngineFault(type(error).__name__) from None
