"""Owns one round of curation, in its order: absorb, compact, roll up, and only then delete what is elsewhere."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

from control_plane.lake.compact import compact
from control_plane.lake.curate import Absorbed, Step, absorb, no_step
from control_plane.lake.curated import Lake
from control_plane.lake.rollups import roll_up
from control_plane.lake.tidy import Vacuumed, checkpoint, delete_raw, vacuum

# Rows that are absorbed before readers are shown them: those not shown yet are read from raw files.
ROWS_OF_A_ROUND = 500_000
# Commits that compact, of up to 64 merges each; what is left is the next round's.
COMPACTIONS_OF_A_ROUND = 8

_log = logging.getLogger("lensai.lake")


class Round(NamedTuple):
    """What a round did. `more`: raw files are left for another one."""

    absorbed: Absorbed
    merged: int
    days: int
    deleted: int
    vacuumed: Vacuumed
    more: bool


def curate(lake: Lake, now_ms: int, step: Step = no_step) -> Iterator[Round]:
    """Rounds, until nothing is left to absorb. Raises StoreFault, EngineFault, Beaten; run again, it goes on."""
    more = True
    while more:
        done = _round(lake, now_ms, step)
        more = done.more
        yield done


def _round(lake: Lake, now_ms: int, step: Step) -> Round:
    taken, more = _absorb(lake, now_ms, step)
    merged = 0
    for _ in range(COMPACTIONS_OF_A_ROUND):
        compacted = compact(lake, now_ms, step)
        if compacted is None:
            break
        merged += compacted.files
    rolled = roll_up(lake, now_ms, step)
    deleted = delete_raw(lake, now_ms, step)
    vacuumed = vacuum(lake, now_ms, step) if checkpoint(lake) else Vacuumed()
    return Round(taken, merged, rolled.days if rolled else 0, deleted, vacuumed, more)


def _absorb(lake: Lake, now_ms: int, step: Step) -> tuple[Absorbed, bool]:
    """What was absorbed, and whether something may be left."""
    total = Absorbed()
    while total.rows < ROWS_OF_A_ROUND:
        taken = absorb(lake, now_ms, step)
        if taken is None:
            return total, False
        total = Absorbed(*(was + more for was, more in zip(total, taken, strict=True)))
        if taken.skewed:
            _log.warning("clocks_differ", extra={"rows": taken.skewed})
    return total, True
