"""Owns compaction: small files of a partition become larger ones, sorted by time. The rows stay the same.

A commit that rearranges adds and removes at once, so every version of the table has the same totals.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import log
from typing import NamedTuple

from control_plane.lake.absorbed import SINCE
from control_plane.lake.curate import Beaten, Step, no_step, store_file
from control_plane.lake.curated import Lake
from control_plane.lake.engine import Engine, EngineFault, engine
from control_plane.lake.sampled import is_sampled
from control_plane.lake.standing import carried
from control_plane.lake.table import Change, File, State

# A file this large is left alone; so many rows are sorted within the engine's memory.
ROWS_MAX = 250_000
# While a day is still going on, files of about one size are merged when there are so many: every row is written
# again once for each size, log(250,000) / log(8) times at most.
FILES_OF_A_SIZE = 8
# When it is over all small ones are merged; where a large one would be written again for a few late rows, only so
# much later.
REWRITTEN_MAX = 8
LATE_MS = 3_600_000
# Merges of one commit: what a commit that comes second has done for nothing.
MERGES_OF_A_COMMIT = 64

_MERGED = "SELECT * FROM merged ORDER BY ts"
_log = logging.getLogger("lensai.lake")


class Compacted(NamedTuple):
    merges: int = 0
    files: int = 0
    rows: int = 0


def compact(lake: Lake, now_ms: int, step: Step = no_step) -> Compacted | None:
    """Merges some of what wants it, in one commit; None if nothing does. Raises StoreFault, EngineFault, Beaten."""
    base = lake.events.follow()
    wanted = list(groups(base, now_ms))[:MERGES_OF_A_COMMIT]
    if not wanted:
        return None
    adds: list[File] = []
    removes: list[File] = []
    with engine() as database:
        for group in wanted:
            step("merge")
            merged = _merge(lake, database, group, now_ms)
            if merged is not None:
                adds.append(merged)
                removes += group
    if not adds:
        return None
    step("commit")
    last = lake.events.latest(SINCE, base)
    ours = ({SINCE: last[1]} if last else {}) | carried(lake.events, base)
    if not lake.events.commit(base, Change("OPTIMIZE", adds, removes, ours, rearranged=True), now_ms):
        raise Beaten
    step("committed")
    return Compacted(len(adds), len(removes), sum(file.rows for file in adds))


def groups(state: State, now_ms: int) -> Iterator[list[File]]:
    """Files to become one, by partition."""
    partitions: defaultdict[tuple[str, str | None], list[File]] = defaultdict(list)
    for file in state.files.values():
        if file.rows < ROWS_MAX // 2 and not is_sampled(file):
            partitions[file.dt, file.project_id].append(file)
    # A call that was long under way comes an hour after its day has ended.
    over = (datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(days=1, milliseconds=LATE_MS)).date().isoformat()
    for (dt, _), files in sorted(partitions.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        for alike in [files] if dt <= over else _by_size(files):
            yield from _worth_it(alike, now_ms, 2 if dt <= over else FILES_OF_A_SIZE)


def _by_size(files: list[File]) -> list[list[File]]:
    sizes: defaultdict[int, list[File]] = defaultdict(list)
    for file in files:
        sizes[int(log(max(file.rows, 1), FILES_OF_A_SIZE))].append(file)
    return list(sizes.values())


def _worth_it(files: list[File], now_ms: int, least: int) -> Iterator[list[File]]:
    """Neighbours in time, up to the size of a file."""
    files = sorted(files, key=lambda file: (file.from_us, file.path))
    while files:
        group: list[File] = []
        rows = 0
        while files and (not group or rows + files[0].rows <= ROWS_MAX):
            group.append(files.pop(0))
            rows += group[-1].rows
        largest = max(group, key=lambda file: file.rows)
        small = rows - largest.rows
        if len(group) >= least and (rows <= REWRITTEN_MAX * small or largest.written_ms < now_ms - LATE_MS):
            yield group


def _merge(lake: Lake, database: Engine, group: list[File], now_ms: int) -> File | None:
    """None where it cannot be done: the files then stay as they are."""
    try:
        data = _sorted(lake, database, group)
    except EngineFault as fault:
        _log.error("compaction_failed", extra={"partition": group[0].dt, "reason": str(fault)})
        return None
    bounds = min(file.from_us for file in group), max(file.to_us for file in group)
    rows = sum(file.rows for file in group)
    return store_file(lake, data, group[0].dt, group[0].project_id or "", rows, bounds, now_ms)


def _sorted(lake: Lake, database: Engine, group: list[File]) -> bytes:
    database.view("merged", database.local(lake.store, lake.events, group))
    counted = database.fetch("SELECT count(*) FROM merged")[0][0]
    assert counted == sum(file.rows for file in group), "a file holds other rows than its commit says"
    data = database.write(_MERGED)
    database.forget_copies()
    return data
