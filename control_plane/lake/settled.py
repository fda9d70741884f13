"""Owns rows of rollups that are kept as they are, because not all calls they are of are there any more.

A settled file of a day holds the rows of owners whose calls retention deleted or sampled. The commit to `events` that
does so says whose they are; the rollup that follows moves their rows there. What is computed later of the same day is
of late calls alone.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from control_plane.lake.engine import Engine
from control_plane.lake.table import File, Table

SETTLED = "settled-"
SETTLES = "settles"
# (organization, project); an empty text is none.
Owner = tuple[str, str]
Owners = frozenset[Owner]

_log = logging.getLogger("lensai.lake")
_OWNER = "[coalesce(org_id, ''), coalesce(project_id, '')]"
_MOVED = f"SELECT * FROM shown WHERE list_contains($owners, {_OWNER})"  # noqa: S608
_BOTH = "SELECT * FROM settled UNION ALL BY NAME ({moved}) ORDER BY org_id, project_id, hour"


def is_settled(file: File) -> bool:
    return is_settled_path(file.path)


def is_settled_path(path: str) -> bool:
    return path.rpartition("/")[2].startswith(SETTLED)


def settles(days: Iterable[tuple[str, Owner]]) -> dict[str, object]:
    """What a commit says by which the rows of owners' days go."""
    return {SETTLES: sorted([dt, *owner] for dt, owner in days)}


def settled_by(events: Table, since: int, to: int) -> dict[str, Owners]:
    """Whose rows are to be kept, by day, because of commits after `since`. Raises StoreFault."""
    found: defaultdict[str, set[Owner]] = defaultdict(set)
    for version in range(since + 1, to + 1):
        commit = events.commit_at(version)
        if commit is None:
            # We clear commits only once they are rolled up; what somebody else cleared may have been one of these.
            _log.error("lake_log_gone", extra={"table": events.name, "version": version})
            continue
        for dt, org_id, project_id in commit.ours.get(SETTLES, ()):
            found[dt].add((org_id, project_id))
    return {dt: frozenset(owners) for dt, owners in found.items()}


def settling(database: Engine, settled: Sequence[str], computed: Sequence[str], owners: Owners) -> bytes:
    """A day's new settled file: what was in the one before, and the owners' rows. Raises EngineFault."""
    select = _MOVED
    if computed:
        database.view("shown", computed)
    else:
        select = "SELECT * FROM settled LIMIT 0"
    if settled:
        database.view("settled", settled)
        select = _BOTH.format(moved=select)
    values = {"owners": [list(owner) for owner in sorted(owners)]} if computed else None
    return database.write(select, values)
