"""Owns a Delta table of the lake: its state at a version, and commits. Knows no rows.

A commit is one object, `_delta_log/<version>.json`, that is created and never replaced: the store says who was first.
It is written here, through the same stores as landed files: durable when it is acknowledged, on a disk too. Any
engine that reads Delta Lake reads the table; deltalake itself loads checkpoints, makes them and vacuums.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError

from gateway.lake.store import Missing, Shelf, StoreFault, open_store

# A checkpoint is all files of the table once more; without one a start reads every commit since.
CHECKPOINT_EVERY = 20
# Commits are kept for those who follow the log from where they stopped.
LOG_KEPT_S = 7 * 86_400
# A file that is in no version any more may still be read by a question or an export that began before.
VACUUM_AFTER_H = 6
# Commits that a process remembers; one that needs an older one reads it again.
COMMITS_REMEMBERED = 1024
# What this project writes about a commit, beside what Delta Lake says of one.
OURS = "lensai"
# Where Hive and Delta Lake put what has no value, which an empty text is to them.
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_FOREVER_US = 2**62
# The first and the last moment that a text has room for, in milliseconds.
_TEXT_MS = (-62_135_596_800_000, 253_402_300_799_999)
_S3 = {"aws_conditional_put": "etag"}


class File(NamedTuple):
    """A data file. Its rows' times are within `from_us` to `to_us`, both included."""

    path: str  # relative to the table
    dt: str
    project_id: str | None  # None: the table has no such partition, or its value is empty
    rows: int
    size_bytes: int
    from_us: int
    to_us: int
    written_ms: int


class Commit(NamedTuple):
    """One commit. `ours` is what this project wrote into it; `changed` are files whose rows came or went."""

    version: int
    at_ms: int
    ours: dict[str, Any]
    added: tuple[File, ...]
    removed: frozenset[str]
    changed: frozenset[str]
    schema: str | None


@dataclass(frozen=True, slots=True)
class State:
    """A table at a version; -1 is before its first."""

    version: int = -1
    files: dict[str, File] = field(default_factory=dict[str, File])
    schema: str = ""

    def after(self, commit: Commit) -> "State":
        files = {path: file for path, file in self.files.items() if path not in commit.removed}
        files.update((file.path, file) for file in commit.added)
        return State(commit.version, files, commit.schema or self.schema)


class Change(NamedTuple):
    """What a commit is to do. Where `rearranged`, the same rows are in other files."""

    operation: str
    adds: Sequence[File]
    removes: Sequence[File]
    ours: dict[str, Any]
    rearranged: bool = False


class Table:
    """One process's view of a table; not for several threads at once. `time` is the column of its rows' times."""

    def __init__(
        self,
        lake: str,
        store: Shelf,
        name: str,
        schema: Callable[[], Any],
        partitions: Sequence[str],
        time: str | None = None,
    ) -> None:
        self.name, self.url, self.state = name, f"{lake.rstrip('/')}/{name}", State()
        self._store, self._schema, self._partitions, self._time = store, schema, list(partitions), time
        self._read: dict[int, Commit] = {}

    def location(self, file: File) -> str:
        """Where a file is, for engines: an absolute path or a URL."""
        where = f"{self.url}/{file.path}"
        return where if "://" in where else str(Path(where).absolute())

    def key(self, file: File) -> str:
        """Where a file is in the store."""
        return f"{self.name}/{file.path}"

    def follow(self, to: int | None = None) -> State:
        """The state now, or at a version. Raises StoreFault."""
        if self.state.version < 0 or (to is not None and to < self.state.version):
            self.state = self._load(to)
        while to is None or self.state.version < to:
            commit = self.commit_at(self.state.version + 1)
            if commit is None:
                if to is not None or self._newer_exists():
                    self.state = self._load(to)
                break
            self.state = self.state.after(commit)
        return self.state

    def commit_at(self, version: int) -> Commit | None:
        """None if there is none, not yet or not any more. Raises StoreFault."""
        if version not in self._read:
            try:
                data = self._store.read(_log(self.name, version))
            except Missing:
                return None
            self._remember(_parse(version, data))
        return self._read[version]

    def _remember(self, commit: Commit) -> None:
        while len(self._read) >= COMMITS_REMEMBERED:
            self._read.pop(next(iter(self._read)))
        self._read[commit.version] = commit

    def latest(self, word: str, at: State) -> tuple[Commit, Any] | None:
        """The last commit up to a state in which that word is written, and what it says. Raises StoreFault."""
        for version in range(at.version, -1, -1):
            commit = self.commit_at(version)
            if commit is None:
                return None
            if word in commit.ours:
                return commit, commit.ours[word]
        return None

    def commit(self, base: State, change: Change, now_ms: int) -> bool:
        """False if somebody else committed since `base`. Raises StoreFault; it may have been done all the same."""
        version = base.version + 1
        data = "\n".join(json.dumps(line, separators=(",", ":")) for line in self._lines(base, change, now_ms)).encode()
        key = _log(self.name, version)
        # What is there may be this, written by an attempt whose answer was lost: `_lines` never writes the same twice.
        if not self._store.create(key, data) and self._store.read(key) != data:
            return False
        commit = _parse(version, data)
        self._remember(commit)
        self.state = base.after(commit)
        return True

    def _lines(self, base: State, change: Change, now_ms: int) -> Iterator[dict[str, Any]]:
        yield {
            "commitInfo": {
                "timestamp": now_ms,
                "operation": change.operation,
                "operationParameters": {},
                "engineInfo": "lensai",
                "txnId": secrets.token_hex(16),
                OURS: change.ours,
            }
        }
        schema = Schema.from_arrow(self._schema()).to_json()
        if base.version < 0:
            yield {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
        if json.loads(schema) != json.loads(base.schema or "null"):
            yield self._metadata(schema)
        for file in change.removes:
            yield {
                "remove": {
                    "path": file.path,
                    "deletionTimestamp": now_ms,
                    "dataChange": not change.rearranged,
                    "extendedFileMetadata": True,
                    "partitionValues": self._values(file),
                    "size": file.size_bytes,
                }
            }
        for file in change.adds:
            yield {
                "add": {
                    "path": file.path,
                    "partitionValues": self._values(file),
                    "size": file.size_bytes,
                    "modificationTime": file.written_ms,
                    "dataChange": not change.rearranged,
                    "stats": json.dumps(_stats(file, self._time), separators=(",", ":")),
                }
            }

    def _metadata(self, schema: str) -> dict[str, Any]:
        # Logs are cleared here, by who knows which of them are still needed.
        configuration = {"delta.enableExpiredLogCleanup": "false", "delta.checkpointInterval": "1000000"}
        return {
            "metaData": {
                "id": f"lensai-{self.name}",
                "format": {"provider": "parquet", "options": {}},
                "schemaString": schema,
                "partitionColumns": self._partitions,
                "configuration": configuration,
                "createdTime": 0,
            }
        }

    def _values(self, file: File) -> dict[str, str | None]:
        return {name: file.dt if name == "dt" else (file.project_id or None) for name in self._partitions}

    def _load(self, version: int | None) -> State:
        """From the last checkpoint before it. Raises StoreFault."""
        try:
            table = DeltaTable(self.url, version=version, storage_options=_options(self.url))
        except TableNotFoundError:
            return State()
        except (DeltaError, OSError, ValueError) as error:
            raise StoreFault(f"table {self.name}: {type(error).__name__}") from None
        rows = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        files = [_file(row, self._time) for row in rows]
        return State(table.version(), {file.path: file for file in files}, table.schema().to_json())

    def _newer_exists(self) -> bool:
        """Whether commits are missing between the state and others that are there."""
        return any(version > self.state.version for version, _ in self._logs())

    def _logs(self) -> Iterator[tuple[int, tuple[str, float]]]:
        for entry in self._store.entries(f"{self.name}/_delta_log"):
            number, _, kind = entry.key.rpartition("/")[2].partition(".")
            if number.isdigit():
                yield int(number), (kind, entry.modified_s)

    def checkpoint(self) -> None:
        """Writes down all of the state, durably. Raises StoreFault."""

        def write(table: DeltaTable) -> None:
            table.create_checkpoint()
            _sync(self.url, f"{table.version():020d}.checkpoint.parquet", "_last_checkpoint")

        self._maintain(write)

    def vacuum(self) -> int:
        """Deletes files that are in no version of late, nor in a commit that is being made. Raises StoreFault."""
        deleted: list[str] = []

        def sweep(table: DeltaTable) -> None:
            deleted.extend(
                table.vacuum(retention_hours=VACUUM_AFTER_H, dry_run=False, enforce_retention_duration=False, full=True)
            )

        self._maintain(sweep)
        return len(deleted)

    def clear_log(self, needed: int, now_s: float) -> int:
        """Deletes old commits before the last checkpoint and before `needed`; how many. Raises StoreFault."""
        logs = list(self._logs())
        checkpoints = sorted(version for version, (kind, _) in logs if kind == "checkpoint.parquet")
        if not checkpoints:
            return 0
        before = min(needed, checkpoints[-1])
        old = [
            f"{self.name}/_delta_log/{version:020d}.{kind}"
            for version, (kind, modified_s) in sorted(logs)
            if version < before and modified_s < now_s - LOG_KEPT_S
        ]
        for key in old:
            self._store.delete(key)
        return len(old)

    def _maintain(self, work: Callable[[DeltaTable], None]) -> None:
        try:
            work(DeltaTable(self.url, storage_options=_options(self.url)))
        except (DeltaError, OSError, ValueError) as error:
            raise StoreFault(f"table {self.name}: {type(error).__name__}") from None


def open_lake(lake: str) -> tuple[str, Shelf]:
    """A lake's place without what varies in writing it, and its store. Raises ValueError."""
    place = lake.rstrip("/") if "://" in lake else str(Path(lake).absolute())
    return place, open_store(place)


def us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _US


def _log(name: str, version: int) -> str:
    return f"{name}/_delta_log/{version:020d}.json"


def _options(url: str) -> dict[str, str] | None:
    """As gateway/lake/store.py: credentials from the environment, HTTP where the operator named it."""
    if "://" not in url:
        return None
    return {"allow_http": "true"} | (_S3 if url.startswith("s3") else {})


def _stats(file: File, time: str | None) -> dict[str, Any]:
    stats: dict[str, Any] = {"numRecords": file.rows}
    if time is not None:
        # To the millisecond, outwards: as exact as Delta Lake promises to read them.
        stats["minValues"] = {time: _text(file.from_us // 1000)}
        stats["maxValues"] = {time: _text(-(-file.to_us // 1000))}
        stats["nullCount"] = {time: 0}
    return stats


def _text(at_ms: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, _TEXT_MS[0]), _TEXT_MS[1]))
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _parse(version: int, data: bytes) -> Commit:
    """Raises StoreFault: what is no commit was written by nobody who knows how."""
    info: dict[str, Any] = {}
    added: list[File] = []
    removed: set[str] = set()
    changed: set[str] = set()
    schema: str | None = None
    try:
        for line in data.splitlines():
            action: dict[str, Any] = json.loads(line) if line.strip() else {}
            info = action.get("commitInfo", info)
            schema = action.get("metaData", {}).get("schemaString", schema)
            if add := action.get("add"):
                added.append(_added(add))
            if remove := action.get("remove"):
                removed.add(remove["path"])
            changed.update(one["path"] for one in (add, remove) if one and one.get("dataChange"))
    except (ValueError, KeyError, TypeError):
        raise StoreFault(f"commit {version} cannot be read") from None
    ours = info.get(OURS, {})
    return Commit(version, info.get("timestamp", 0), ours, tuple(added), frozenset(removed), frozenset(changed), schema)


def _added(add: dict[str, Any]) -> File:
    values, stats = add["partitionValues"], json.loads(add.get("stats") or "{}")
    return File(
        add["path"],
        values.get("dt") or "",
        values.get("project_id"),
        stats.get("numRecords", 0),
        add["size"],
        _bound(stats, "minValues", -_FOREVER_US),
        _bound(stats, "maxValues", _FOREVER_US),
        add["modificationTime"],
    )


def _bound(stats: dict[str, Any], side: str, unknown: int) -> int:
    for name in ("ts", "hour"):
        if text := stats.get(side, {}).get(name):
            return us(datetime.fromisoformat(text))
    return unknown


def _file(row: dict[str, Any], time: str | None) -> File:
    first, last = row.get(f"min.{time}"), row.get(f"max.{time}")
    return File(
        row["path"],
        row["partition.dt"].isoformat(),
        row.get("partition.project_id"),
        row["num_records"] or 0,
        row["size_bytes"],
        -_FOREVER_US if first is None else us(first),
        _FOREVER_US if last is None else us(last),
        row["modification_time"],
    )


def _sync(url: str, *names: str) -> None:
    """deltalake never syncs what it writes to a disk, and a torn checkpoint would hide the whole table."""
    if "://" in url:
        return
    log = Path(url) / "_delta_log"
    for path in (*(log / name for name in names), log):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
