"""Owns the landing: each sealed segment becomes one object, and is deleted only after the store has acknowledged it.

Every step may be the last of this process: an object's name and content follow from the segment alone, so doing
it again finds what the first time left. Nothing is lost while the store fails: segments wait where they are.
"""

import fcntl
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from gateway.contract.record import Record, decode_record
from gateway.journal.reader import Damage, SegmentReader, SegmentTooNew, sealed, workers
from gateway.lake.batch import Unrepresentable, representable, to_table
from gateway.lake.parquet import encode_parquet, source_digest
from gateway.lake.store import Store, StoreFault, open_store

# A failing store is asked again after one poll, then half as often each time, down to this.
BACKOFF_MS_MAX = 30_000
# Where a segment goes, beside its worker's others, when a person has to look at it.
QUARANTINE = "quarantine"

_logger = logging.getLogger("lensai.lake")

# landed: acknowledged, segment deleted. empty: it held no call's end, deleted. The others keep it in quarantine.
# damaged, and unrepresentable (a value fits no column): its other records are acknowledged. conflict: the store has
# another object of that name.
Disposition = Literal["landed", "empty", "damaged", "conflict", "unrepresentable"]


@dataclass(frozen=True, slots=True)
class Content:
    """What a segment holds for the lake. `sha256` is over the payloads of its finals, in order."""

    records: list[Record]
    sha256: str
    undecodable: int
    damage: Damage

    @property
    def sound(self) -> bool:
        return not self.damage and not self.undecodable


@dataclass(frozen=True, slots=True)
class Landing:
    """What became of one segment. `key` is empty if nothing was to be put."""

    disposition: Disposition
    key: str
    content: Content


class LakeRunning(Exception):
    """Another process lands this journal."""


def read_content(segment: Path) -> Content:
    """Every final of a segment. Raises SegmentTooNew, OSError."""
    reader = SegmentReader(segment)
    digest = hashlib.sha256()
    records: list[Record] = []
    undecodable = 0
    for _, payload in reader.finals():
        digest.update(len(payload).to_bytes(4, "little") + payload)
        try:
            records.append(decode_record(payload))
        except msgspec.MsgspecError:
            undecodable += 1
    return Content(records, digest.hexdigest(), undecodable, reader.damage)


def object_key(segment: Path, records: list[Record]) -> str:
    """`landing/dt=YYYY-MM-DD/<node>-<epoch>-<number>.parquet`, under the UTC day of the latest arrival in it."""
    day = datetime.fromtimestamp(max(record.ts_ns for record in records) // 10**9, UTC).date()
    return f"landing/dt={day.isoformat()}/{segment.stem}.parquet"


def land(segment: Path, store: Store) -> Landing:
    """Lands one sealed segment. Raises StoreFault, SegmentTooNew or OSError, with the segment as it was."""
    content = read_content(segment)
    key = object_key(segment, content.records) if content.records else ""
    disposition = _dispose(store, key, content)
    if disposition in ("landed", "empty"):
        segment.unlink(missing_ok=True)
    else:
        _quarantine(segment)
    return Landing(disposition, key, content)


def _dispose(store: Store, key: str, content: Content) -> Disposition:
    table = _table(content.records)
    if table.num_rows and not _put(store, key, encode_parquet(table, content.sha256), content.sha256):
        return "conflict"
    if table.num_rows < len(content.records):
        return "unrepresentable"
    if not content.sound:
        return "damaged"
    return "landed" if key else "empty"


def _table(records: list[Record]) -> Any:
    """The records that the columns have room for."""
    try:
        return to_table(records)
    except Unrepresentable:
        return to_table(representable(records))


def _put(store: Store, key: str, data: bytes, sha256: str) -> bool:
    """True once the store holds this content under the key; false if it holds another there."""
    if store.create(key, data):
        return True
    # Ours, from before a crash or a lost answer; other bytes of the same source were another pyarrow's.
    existing = store.read(key)
    return existing == data or source_digest(existing) == sha256


def _quarantine(segment: Path) -> None:
    directory = segment.parent / QUARANTINE
    directory.mkdir(exist_ok=True)
    segment.rename(directory / segment.name)


def run(journal_root: Path, store_url: str, *, poll_ms: int, stop: threading.Event) -> None:
    """Lands every worker's sealed segments as they come. After `stop` it lands once more all that is there.

    `store_url` is a directory or a URL that `open_store` takes. Raises LakeRunning, ValueError for the URL.
    """
    store = open_store(store_url)
    journal_root.mkdir(parents=True, exist_ok=True)
    lock = _lock(journal_root)
    too_new: set[Path] = set()
    try:
        wait_ms = poll_ms
        stopping = False
        while not stopping:
            # The last round comes after `stop`: by then the gateways have sealed what they still had.
            stopping = stop.wait(wait_ms / 1000)
            fault_free = _round(journal_root, store, too_new)
            wait_ms = poll_ms if fault_free else min(wait_ms * 2, max(BACKOFF_MS_MAX, poll_ms))
    finally:
        os.close(lock)


def _round(journal_root: Path, store: Store, too_new: set[Path]) -> bool:
    """Lands what is there. False if something has to be tried again."""
    fault_free = True
    for segment in _waiting(journal_root, too_new):
        try:
            _log(segment, land(segment, store))
        except SegmentTooNew:
            too_new.add(segment)
            _logger.exception("segment_too_new", extra={"segment": segment.name})
        except StoreFault as fault:
            _logger.warning("store_failed", extra={"segment": segment.name, "reason": str(fault)})
            return False
        except OSError:
            _logger.exception("segment_unreadable", extra={"segment": segment.name})
            fault_free = False
    return fault_free


def _waiting(journal_root: Path, too_new: set[Path]) -> Iterator[Path]:
    for directory in workers(journal_root):
        yield from (segment for segment in sealed(directory) if segment not in too_new)


def _log(segment: Path, landing: Landing) -> None:
    content = landing.content
    fields = {
        "segment": segment.name,
        "records": len(content.records),
        "undecodable": content.undecodable,
        "damaged_regions": content.damage.regions,
        "damaged_bytes": content.damage.skipped_bytes + content.damage.torn_bytes,
    }
    if landing.disposition in ("landed", "empty"):
        _logger.debug("segment_landed", extra=fields)
    else:
        _logger.error(f"segment_{landing.disposition}", extra=fields)


def _lock(journal_root: Path) -> int:
    descriptor = os.open(journal_root / "lake.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LakeRunning(f"{journal_root} is being landed by another process") from None
    return descriptor
