"""Owns how far curation is behind: raw files that no commit absorbed. Reads names only."""

from typing import NamedTuple

from control_plane.lake.curate import names_of
from control_plane.lake.curated import Lake
from control_plane.lake.landed import raw_files


class Waiting(NamedTuple):
    """`oldest_s` is since when, by the store's clock; None where nothing waits."""

    files: int
    oldest_s: float | None


def waiting(lake: Lake) -> Waiting:
    """What the next rounds of curation have before them. Raises StoreFault."""
    there = raw_files(lake.store)
    absorbed = names_of(lake.events, lake.events.follow())
    since = [entry.modified_s for entry in there if entry.key not in absorbed]
    return Waiting(len(since), min(since, default=None))
