"""Owns what is deleted: raw files whose rows every reader finds elsewhere, files of no version, old commits."""

import logging
from typing import NamedTuple

from control_plane.lake import standing
from control_plane.lake.absorbed import SINCE
from control_plane.lake.curate import Step, names_of, no_step
from control_plane.lake.curated import Lake
from control_plane.lake.landed import raw_files
from control_plane.lake.rollups import ROLLED, pointer, settled
from control_plane.lake.table import CHECKPOINT_EVERY
from gateway.lake.store import StoreFault

# A reader that took a state before the rollups had a raw file's rows has read the file by then.
GRACE_S = 120
# What a process that died was writing; a file takes seconds.
DRAFT_S = 3_600

_log = logging.getLogger("lensai.lake")


class Vacuumed(NamedTuple):
    files: int = 0
    commits: int = 0
    drafts: int = 0


def delete_raw(lake: Lake, now_ms: int, step: Step = no_step) -> int:
    """Deletes raw files that were absorbed and rolled up long enough ago; how many. Raises StoreFault."""
    names = names_of(lake.events, lake.events.follow())
    upto = settled(lake.hourly, lake.hourly.follow(), now_ms - GRACE_S * 1000)
    old = [entry.key for entry in raw_files(lake.store) if names.get(entry.key, upto + 1) <= upto]
    for key in old:
        step("delete")
        lake.store.delete(key)
    return len(old)


def checkpoint(lake: Lake) -> int:
    """Makes checkpoints where many commits came since the last; how many. Raises StoreFault."""
    made = 0
    for table in lake.every():
        state = table.follow()
        if state.version >= 0 and state.version // CHECKPOINT_EVERY > _last_checkpoint(lake, table.name):
            table.checkpoint()
            made += 1
    return made


def _last_checkpoint(lake: Lake, name: str) -> int:
    """In which run of commits it was made; -1 if there is none."""
    names = (entry.key.rpartition("/")[2] for entry in lake.store.entries(f"{name}/_delta_log"))
    versions = [int(one.partition(".")[0]) for one in names if one.endswith(".checkpoint.parquet")]
    return max(versions, default=-CHECKPOINT_EVERY) // CHECKPOINT_EVERY


def vacuum(lake: Lake, now_ms: int, step: Step = no_step) -> Vacuumed:
    """Deletes files and commits that nobody needs, once the rollups are of what is there. Raises StoreFault."""
    events, hourly = lake.events.follow(), lake.hourly.follow()
    now, said = pointer(lake.hourly, hourly), lake.hourly.latest(ROLLED, hourly)
    if now is None or said is None or now.events != events.version:
        return Vacuumed()
    since = lake.events.latest(SINCE, events)
    oldest = min(since[1] if since else 0, now.events, standing.needed(lake.events, events))
    needed = {"events": oldest, "hourly": said[0].version} | now.at
    files = commits = 0
    for table in lake.every():
        if table.follow().version < 0:
            continue
        step(f"vacuum {table.name}")
        files += table.vacuum()
        commits += table.clear_log(needed.get(table.name, 0), now_ms / 1000)
    return Vacuumed(files, commits, _drafts(lake, now_ms))


def _drafts(lake: Lake, now_ms: int) -> int:
    old = [entry.key for entry in lake.store.entries(".draft") if entry.modified_s < now_ms / 1000 - DRAFT_S]
    for key in old:
        try:
            lake.store.delete(key)
        except StoreFault as fault:
            _log.warning("draft_stays", extra={"reason": str(fault)})
    return len(old)
