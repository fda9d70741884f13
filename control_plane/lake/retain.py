"""Owns retention: calls that are past their time are deleted, or a sample of them kept; rollups stay, for longer.

One commit takes rows away, says whose days the rollups are to keep as they are, and from which day on calls are
taken in at all. Readers hold what they have; files go when the longest reader has gone.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from control_plane.lake.absorbed import SINCE
from control_plane.lake.curate import PAST, Beaten, Step, no_step, store_file
from control_plane.lake.curated import ROLLUPS, Lake, statement
from control_plane.lake.engine import Engine, engine, quoted
from control_plane.lake.rollups import Days, commit_rollups, is_behind, pointer, roll_up
from control_plane.lake.sampled import FOLDER, SAMPLED, carry_dropped, dropped_key, is_sampled
from control_plane.lake.settled import Owner, settles
from control_plane.lake.standing import EVERYBODY, Erasure, Orders, ordered, orders, still_stand
from control_plane.lake.table import VACUUM_AFTER_H, Change, File, State, us
from gateway.lake.store import StoreFault

# A day is sampled once its late calls have come and its rollups are final: whole days after it ended.
SAMPLED_AFTER = timedelta(days=2)
# Identities beside a sampled file that is in no version: of one that is being made, or that a reader still holds.
DROPPED_KEPT_S = VACUUM_AFTER_H * 3_600
_PART = "SELECT coalesce(org_id, ''), count(*), min(epoch_us(ts)), max(epoch_us(ts)) FROM part GROUP BY 1 ORDER BY 1"
_OTHERS = "SELECT * FROM part WHERE NOT list_contains($touched, coalesce(org_id, '')) ORDER BY ts"
_SAMPLE = "SELECT * FROM ({places}) WHERE weight > 0 ORDER BY ts"
_DROPPED = "SELECT org_id, request_id FROM ({places}) WHERE weight = 0 ORDER BY ALL"
_KEPT = "SELECT * FROM old WHERE NOT ({gone})"


class Tier(NamedTuple):
    """How long, in days, 0 for ever; and of how many calls one is kept once the day is over, 1 for all."""

    events_days: int = 0
    rollups_days: int = 0
    one_of: int = 1


class Policy(NamedTuple):
    """`default` is of all organizations that are not named. `held` are organizations (`org`) and projects
    (`org/project`) of which nothing may be deleted."""

    default: Tier = Tier()
    organizations: Mapping[str, Tier] = {}
    held: frozenset[str] = frozenset()

    def of(self, org_id: str) -> Tier:
        return self.organizations.get(org_id, self.default)

    def is_held(self, owner: Owner) -> bool:
        return owner[0] in self.held or "/".join(owner) in self.held


class Retained(NamedTuple):
    """What went, or would go, by organization: calls past their time, calls that samples stand for, rows of rollups."""

    deleted: Counter[str]
    dropped: Counter[str]
    rollup_rows: Counter[str]
    days: int = 0

    @property
    def anything(self) -> bool:
        return bool(self.deleted or self.dropped or self.rollup_rows)


def retain(
    lake: Lake,
    policy: Policy,
    now_ms: int,
    step: Step = no_step,
    *,
    erased: Sequence[Erasure] = (),
    dry_run: bool = False,
) -> Retained:
    """Deletes what is past its time, in one commit, and has the rollups follow. Run again, it goes on.

    `erased` are orders that stand, as whoever keeps them knows them. Raises StoreFault, EngineFault, Beaten.
    """
    if not dry_run:
        roll_up(lake, now_ms, step)
    base = lake.events.follow()
    now = pointer(lake.hourly, lake.hourly.follow())
    done = Retained(Counter(), Counter(), Counter())
    if now is None:
        return done
    if now.events != base.version:
        if dry_run:
            base = lake.events.follow(now.events)
        else:
            raise Beaten
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    was = orders(lake.events, base)
    given = Orders(_gone(was, policy, today), tuple(still_stand(_merged(was.erased, erased), _oldest_us(now_ms))))
    thinned = _Thinning(lake, policy, given, today, now_ms, done, dry_run)
    with engine() as database:
        for (dt, project_id), files in sorted(_partitions(base).items()):
            thinned.look(database, dt, project_id, files, step)
    done = done._replace(days=len({dt for dt, _ in thinned.settled}))
    if not dry_run and (thinned.removes or given != was):
        _commit(lake, base, thinned, given, now_ms, step)
        roll_up(lake, now_ms, step)
    _forget_rollups(lake, policy, today, now_ms, done, step, dry_run=dry_run)
    if not dry_run:
        _forget_dropped(lake, now_ms, step)
    return done


def _commit(lake: Lake, base: State, thinned: "_Thinning", given: Orders, now_ms: int, step: Step) -> None:
    last = lake.events.latest(SINCE, base)
    ours: dict[str, object] = {SINCE: last[1] if last else base.version + 1}
    ours |= ordered(base, given) | settles(thinned.settled)
    step("commit retention")
    if not lake.events.commit(base, Change("DELETE", thinned.adds, thinned.removes, ours), now_ms):
        raise Beaten
    step("committed retention")


def _oldest_us(now_ms: int) -> int:
    return us(datetime.fromtimestamp(now_ms / 1000, UTC) - PAST)


def _merged(was: Sequence[Erasure], now: Sequence[Erasure]) -> Iterator[Erasure]:
    """Those of whoever keeps them hold; what stands of an older one that nobody keeps any more stands on."""
    known = {one.id for one in now}
    yield from (one for one in was if one.id not in known)
    yield from now


def _gone(was: Orders, policy: Policy, today: date) -> dict[str, str]:
    """From which day on calls are kept. What was deleted is deleted: no day comes back by a longer time, or a hold."""
    names = {EVERYBODY, *policy.organizations, *policy.held, *was.gone}
    found: dict[str, str] = {}
    for name in names:
        org_id, _, project_id = name.partition("/")
        before = was.kept_from(org_id, project_id)
        tier = policy.default if name == EVERYBODY else policy.of(org_id)
        held = policy.is_held((org_id, project_id))
        found[name] = max(before, "" if held else _first_day(today, tier.events_days))
    return {name: day for name, day in sorted(found.items()) if day or name != EVERYBODY}


def _first_day(today: date, days: int) -> str:
    """The oldest day that is kept whole; "" if all are."""
    return (today - timedelta(days=days)).isoformat() if days else ""


def _partitions(state: State) -> dict[tuple[str, str], list[File]]:
    found: defaultdict[tuple[str, str], list[File]] = defaultdict(list)
    for file in state.files.values():
        found[file.dt, file.project_id or ""].append(file)
    return found


class _Thinning:
    """What is put in the place of partitions: nothing, or a sample, and the rows of others."""

    def __init__(
        self, lake: Lake, policy: Policy, given: Orders, today: date, now_ms: int, done: Retained, dry_run: bool
    ) -> None:
        self._lake, self._policy, self._given, self._now_ms = lake, policy, given, now_ms
        self._sampled_before = (today - SAMPLED_AFTER).isoformat()
        self._done, self._dry_run = done, dry_run
        self.adds: list[File] = []
        self.removes: list[File] = []
        self.settled: set[tuple[str, Owner]] = set()

    def look(self, database: Engine, dt: str, project_id: str, files: Sequence[File], step: Step) -> None:
        """Raises StoreFault, EngineFault."""
        if not any(self._may_want(dt, project_id, sampled=sampled) for sampled in {is_sampled(file) for file in files}):
            return
        for sampled in (False, True):
            of_kind = [file for file in files if is_sampled(file) is sampled and self._is_wanted(file, project_id)]
            if of_kind:
                step("thin")
                self._thin(database, dt, project_id, of_kind, sampled=sampled)

    def _may_want(self, dt: str, project_id: str, *, sampled: bool) -> bool:
        """Whether some organization's calls of the day may be touched; which they are is in the files."""
        days = [day for day in self._given.gone.values() if day]
        tiers = (self._policy.default, *self._policy.organizations.values())
        samples = not sampled and dt < self._sampled_before and any(tier.one_of > 1 for tier in tiers)
        return samples or bool(days and dt < max(days))

    def _is_wanted(self, file: File, project_id: str) -> bool:
        return any(self._fate(file, (org_id, project_id)) for org_id in _organizations(self._lake, file))

    def _fate(self, file: File, owner: Owner) -> str:
        """What becomes of an owner's calls in a file: "deleted", "sampled", or "" for nothing."""
        if self._policy.is_held(owner):
            return ""
        if file.dt < self._given.kept_from(*owner):
            return "deleted"
        one_of = self._policy.of(owner[0]).one_of
        return "sampled" if one_of > 1 and file.dt < self._sampled_before and not is_sampled(file) else ""

    def _thin(self, database: Engine, dt: str, project_id: str, files: Sequence[File], *, sampled: bool) -> None:
        lake = self._lake
        database.view("part", database.local(lake.store, lake.events, files))
        counted = {org: (calls, (first, last)) for org, calls, first, last in database.fetch(_PART)}
        fates = {org: self._fate(files[0], (org, project_id)) for org in counted}
        for org_id, fate in fates.items():
            owner = (org_id, project_id)
            if fate and not sampled:
                self.settled.add((dt, owner))
            if fate == "deleted":
                self._done.deleted[org_id] += counted[org_id][0]
            if fate == "sampled":
                self._sample(database, dt, owner, counted[org_id][1])
        others = [org for org, fate in fates.items() if not fate]
        if others and not self._dry_run:
            values = {"touched": [org for org, fate in fates.items() if fate]}
            bounds = min(counted[org][1][0] for org in others), max(counted[org][1][1] for org in others)
            prefix = SAMPLED if sampled else ""
            data = database.write(_OTHERS, values)
            rows = sum(counted[org][0] for org in others)
            self.adds.append(store_file(lake, data, dt, project_id, rows, bounds, self._now_ms, prefix))
            if sampled:
                carry_dropped(lake.store, files, self.adds[-1])
        self.removes += files
        database.forget_copies()

    def _sample(self, database: Engine, dt: str, owner: Owner, bounds: tuple[int, int]) -> None:
        values = {"org_id": owner[0], "of": self._policy.of(owner[0]).one_of}
        places = statement("sample")
        dropped = database.fetch(f"SELECT count(*) FILTER (weight = 0), count(*) FROM ({places})", values)[0]  # noqa: S608
        self._done.dropped[owner[0]] += dropped[0]
        if self._dry_run:
            return
        rows = dropped[1] - dropped[0]
        data = database.write(_SAMPLE.format(places=places), values)
        file = store_file(self._lake, data, dt, owner[1], rows, bounds, self._now_ms, SAMPLED)
        if dropped[0]:
            self._lake.store.create(dropped_key(file.path), database.write(_DROPPED.format(places=places), values))
        self.adds.append(file)


def _organizations(lake: Lake, file: File) -> set[str]:
    """Whose calls are in a file: its footer says it where they are one organization's. Raises StoreFault."""
    try:
        with lake.store.open(lake.events.key(file)) as opened:
            parquet = pq.ParquetFile(opened)
            at = parquet.schema_arrow.names.index("org_id")
            bounds = {
                (known.min, known.max) if (known := parquet.metadata.row_group(group).column(at).statistics) else None
                for group in range(parquet.num_row_groups)
            }
            if len(bounds) == 1 and (only := bounds.pop()) is not None and only[0] == only[1] and only[0] is not None:
                return {only[0]}
            return {org or "" for org in parquet.read(columns=["org_id"]).column("org_id").unique().to_pylist()}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreFault(f"{file.path} cannot be read ({type(error).__name__})") from None


def _forget_rollups(
    lake: Lake, policy: Policy, today: date, now_ms: int, done: Retained, step: Step, *, dry_run: bool
) -> None:
    """Deletes rows of rollups that are past their time."""
    bases = {name: lake.rollups[name].follow() for name in reversed(ROLLUPS)}
    now = pointer(lake.hourly, bases["hourly"])
    if now is None:
        return
    days = Days(lake, bases, State(), now_ms)
    with engine() as database:
        for name in ROLLUPS:
            for file in sorted(bases[name].files.values()):
                _forget(lake, database, policy, today, days, name, file, done, dry_run=dry_run)
    if not dry_run and (any(days.removes.values()) or is_behind(now, bases)):
        commit_rollups(lake, bases, days, now.events, now_ms, step)


def _forget(
    lake: Lake,
    database: Engine,
    policy: Policy,
    today: date,
    days: Days,
    name: str,
    file: File,
    done: Retained,
    *,
    dry_run: bool,
) -> None:
    tiers = (policy.default, *policy.organizations.values())
    if all(file.dt >= _first_day(today, tier.rollups_days) for tier in tiers):
        return
    database.view("old", database.local(lake.store, lake.rollups[name], [file]))
    counted = database.fetch("SELECT coalesce(org_id, ''), coalesce(project_id, ''), count(*) FROM old GROUP BY ALL")
    gone = [
        (org, project)
        for org, project, _ in counted
        if not policy.is_held((org, project)) and file.dt < _first_day(today, policy.of(org).rollups_days)
    ]
    if not gone:
        return
    for org, project, rows in counted:
        if (org, project) in gone:
            done.rollup_rows[org] += rows
    if not dry_run:
        days.put(database, name, file.dt, _KEPT.format(gone=_are(gone)), file)


def _are(owners: Sequence[Owner]) -> str:
    """The condition that a row is one of these owners'."""
    pairs = ", ".join(f"({quoted(org)}, {quoted(project)})" for org, project in owners)
    return f"(coalesce(org_id, ''), coalesce(project_id, '')) IN ({pairs})"


def _forget_dropped(lake: Lake, now_ms: int, step: Step) -> None:
    """Deletes the identities beside sampled files that are in no version any more."""
    there = {dropped_key(path) for path in lake.events.follow().files}
    for entry in list(lake.store.entries(FOLDER)):
        if entry.key not in there and entry.modified_s < now_ms / 1000 - DROPPED_KEPT_S:
            step("forget")
            lake.store.delete(entry.key)


__all__ = ["Policy", "Retained", "Tier", "retain"]
