"""Owns what commits to `events` say about raw files: whose rows are in the table. Knows no rows.

A commit names the raw files it absorbed, and the oldest commit whose raw files may still be there: from that one on
the log holds every name that is needed, and no commit carries the names of others.
"""

from collections.abc import Iterable

from control_plane.lake.table import State, Table

ABSORBED = "absorbed"
SINCE = "since"


class LogGone(Exception):
    """Commits that are needed are not in the log any more; somebody else than this project cleared it."""


def absorbed(events: Table, at: State) -> dict[str, int]:
    """Raw files whose rows are in the table at a state, each with the version that absorbed it; a name that is in none
    has none there. Files that were deleted long ago are left out. Raises StoreFault, LogGone.
    """
    last = events.latest(SINCE, at)
    if last is None:
        if at.version >= 0:
            raise LogGone
        return {}
    names: dict[str, int] = {}
    for version in range(last[1], at.version + 1):
        commit = events.commit_at(version)
        if commit is None:
            raise LogGone
        names.update(dict.fromkeys(commit.ours.get(ABSORBED, ()), version))
    return names


def since(names: dict[str, int], there: Iterable[str], at: State) -> int:
    """The oldest version that absorbed a file that is still there; the next one if none is."""
    return min((names[key] for key in there if key in names), default=at.version + 1)
