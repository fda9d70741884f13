"""Owns the landing of reported events: sealed segments become signed files of the lake, then they are deleted.

A file's name follows from its segment alone, so that doing it again finds what the first time left: an event is in the
spool at least once, and in the lake once for each time that it is in the spool.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from control_plane.ingest.landed import encode_batch, holds_the_same
from control_plane.ingest.spool import spools
from control_plane.keyring import Keyring
from gateway.contract.record import Record
from gateway.journal.reader import SegmentTooNew, sealed
from gateway.lake.land import QUARANTINE, read_content
from gateway.lake.store import Store, StoreFault

_log = logging.getLogger("lensai.control_plane.ingest")

_HOUR_NS = 3600 * 10**9
# A segment comes each second, and has a file for each project and hour in it; a bucket takes some 50 ms for each.
PUTS_AT_ONCE = 32


def land_all(root: Path, store: Store, keyring: Keyring) -> bool:
    """Lands every sealed segment of every process. False if something has to be tried again. Blocks."""
    whole = True
    for segment in [found for directory in spools(root) for found in sealed(directory)]:
        try:
            land(segment, store, keyring)
        except FileNotFoundError:
            continue  # another process landed it meanwhile
        except StoreFault as fault:
            _log.warning("store_failed", extra={"segment": segment.name, "reason": str(fault)})
            return False
        except (SegmentTooNew, OSError):
            _log.exception("segment_unreadable", extra={"segment": segment.name})
            whole = False
    return whole


def land(segment: Path, store: Store, keyring: Keyring) -> None:
    """Lands one segment. Raises StoreFault, SegmentTooNew, OSError, with the segment as it was."""
    content = read_content(segment)
    files = dict(_files(segment.stem, content.records))

    def put(key: str) -> bool:
        return _put(store, key, files[key], keyring)

    with ThreadPoolExecutor(PUTS_AT_ONCE, "ingest-landing") as threads:
        conflicts = [key for key, is_kept in zip(files, threads.map(put, files), strict=True) if not is_kept]
    if content.sound and not conflicts:
        segment.unlink(missing_ok=True)
        return
    _log.error(
        "segment_damaged",
        extra={"segment": segment.name, "undecodable": content.undecodable, "conflicts": len(conflicts)},
    )
    quarantine = segment.parent / QUARANTINE
    quarantine.mkdir(exist_ok=True)
    segment.rename(quarantine / segment.name)


def _files(stem: str, records: Sequence[Record]) -> Iterator[tuple[str, list[Record]]]:
    """Object keys and what belongs there: a file for each project and hour (UTC) of which there are events."""
    by_place: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        by_place.setdefault((record.project_id, record.ts_ns // _HOUR_NS), []).append(record)
    for (project_id, hour), found in by_place.items():
        began = datetime.fromtimestamp(hour * 3600, UTC)
        folder = f"ingest/dt={began.date().isoformat()}/project_id={quote(project_id, safe='')}"
        yield f"{folder}/events-{began.hour:02d}-{stem}.ndjson", found


def _put(store: Store, key: str, records: Sequence[Record], keyring: Keyring) -> bool:
    """True once the store holds these records under the key; false if it holds others there."""
    data = encode_batch(records, keyring)
    # What is there is ours, from before a crash or a lost answer, perhaps signed by an older key.
    return store.create(key, data) or holds_the_same(store.read(key), data)
