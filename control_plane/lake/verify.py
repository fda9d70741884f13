"""Owns the proof that the lake adds up: its tables with each other, with raw files and with a gateway's ledger.

Every check counts both sides by itself. A difference is named; an empty list means that all agree.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from control_plane.lake.absorbed import absorbed
from control_plane.lake.curate import identities_in
from control_plane.lake.curated import Lake
from control_plane.lake.engine import Engine, engine
from control_plane.lake.identity import identities
from control_plane.lake.landed import ASIDE, Unreadable, decode, raw_files, read_raw
from control_plane.lake.rollups import pointer
from control_plane.lake.sampled import is_sampled
from control_plane.lake.settled import is_settled
from control_plane.lake.standing import Orders, obey, orders
from control_plane.lake.table import File, State, Table
from gateway.contract.record import decode_record
from gateway.journal import checkpoint as journal_checkpoint
from gateway.journal.checkpoint import CheckpointDamaged
from gateway.journal.reader import SegmentReader, SegmentTooNew, sealed, workers
from gateway.lake.schema import SCHEMA
from gateway.lake.store import Missing
from gateway.ledger.embedded import CheckpointUnusable, EmbeddedLedger

_TOTALS = """
SELECT org_id, CAST({calls} AS BIGINT) AS calls, CAST(coalesce(sum(cost_usd), 0) AS DECIMAL(38, 9)) AS cost_usd
FROM checked GROUP BY org_id ORDER BY org_id
"""
_CHARGED = """
SELECT entry.key AS counter, CAST(sum(entry.value) AS BIGINT) AS amount
FROM (SELECT unnest(map_entries(counters)) AS entry FROM checked WHERE ledger_seq <= $seq)
GROUP BY counter
"""


# Calls and their cost.
_ByOrganization = dict[str, tuple[int, Decimal]]


class Verified(NamedTuple):
    """What was compared, by name, and every difference there is."""

    calls: int
    cost_usd: Decimal
    waiting: int  # calls in raw files that are in no table yet
    compared: list[str]
    differences: list[str]


def verify(lake: Lake, journal: Path | None = None) -> Verified:
    """Compares everything that can be. Raises StoreFault, LogGone, EngineFault."""
    hourly = lake.hourly.follow()
    now = pointer(lake.hourly, hourly)
    if now is None:
        waiting, fresh = _raw(lake, {}, State(), [])
        return Verified(0, Decimal(0), waiting, [], list(_ledger(lake, State(), fresh, journal, [])))
    events = lake.events.follow(now.events)
    names = absorbed(lake.events, events)
    compared: list[str] = []
    differences: list[str] = []
    totals = list(_days(lake, events, hourly, now.at, compared, differences))
    waiting, fresh = _raw(lake, names, events, differences)
    compared.append("raw files that are absorbed and still there: each of their calls is in events")
    differences += _ledger(lake, events, fresh, journal, compared)
    calls = sum(count for count, _ in totals)
    return Verified(calls, sum((cost for _, cost in totals), Decimal(0)), waiting, compared, differences)


def _days(
    lake: Lake, events: State, hourly: State, at: Mapping[str, int], compared: list[str], differences: list[str]
) -> Iterator[tuple[int, Decimal]]:
    """Calls and cost of each organization's day in `events`; rollups that say something else are differences."""
    states = {"hourly": hourly} | {
        name: lake.rollups[name].follow(at[name])
        for name in ("hourly_users", "daily", "daily_users", "daily_costs")
        if name in at
    }
    compared.append("organizations and request ids: each pair once in its day")
    compared += [f"{name} and events: calls and cost by organization and day" for name in states]
    compared.append("what is settled in hourly stands for calls that are gone; samples: as many as their weights say")
    dts = {file.dt for state in (events, *states.values()) for file in state.files.values()}
    for dt in sorted(dts):
        with engine() as database:
            counted = _totals(lake, database, lake.events, _of(events, dt, is_sampled, False), "count(*)")
            twice = (
                _scalar(database, "SELECT count(*) - count(DISTINCT (org_id, request_id)) FROM checked")
                if counted
                else 0
            )
            if twice:
                differences.append(f"events of {dt}: {twice} calls stand twice")
            settled = _totals(lake, database, lake.hourly, _of(hourly, dt, is_settled, True), "sum(calls)")
            exact = _added(counted, settled)
            differences += _oversampled(lake, database, events, dt, settled)
            for name, state in states.items():
                said = _totals(lake, database, lake.rollups[name], _of(state, dt), "sum(calls)")
                differences += [
                    f"{name} of {dt}, organization {org!r}: {said.get(org)}; in events: {exact.get(org)}"
                    for org in sorted(exact.keys() | said.keys())
                    if exact.get(org) != said.get(org)
                ]
        yield from exact.values()


def _of(state: State, dt: str, is_kind: Callable[[File], bool] | None = None, wanted: bool = True) -> list[File]:
    """The files of a day, of one kind."""
    files = [file for file in state.files.values() if file.dt == dt]
    return files if is_kind is None else [file for file in files if is_kind(file) is wanted]


def _added(one: Mapping[str, tuple[int, Decimal]], other: Mapping[str, tuple[int, Decimal]]) -> _ByOrganization:
    nothing = (0, Decimal(0))
    sides = {org: (one.get(org, nothing), other.get(org, nothing)) for org in one.keys() | other.keys()}
    return {org: (left[0] + right[0], left[1] + right[1]) for org, (left, right) in sides.items()}


def _oversampled(
    lake: Lake, database: Engine, events: State, dt: str, settled: Mapping[str, tuple[int, Decimal]]
) -> Iterator[str]:
    """A sample that stands for more calls than were settled; fewer it may, where others of the day are gone."""
    weighed = _totals(lake, database, lake.events, _of(events, dt, is_sampled, True), "sum(weight)")
    for org, (calls, _) in sorted(weighed.items()):
        if calls > settled.get(org, (0, Decimal(0)))[0]:
            yield f"samples of {dt}, organization {org!r}: stand for {calls} calls, of {settled.get(org)}"


def _totals(lake: Lake, database: Engine, table: Table, files: Sequence[File], calls: str) -> _ByOrganization:
    if not files:
        return {}
    database.view("checked", database.local(lake.store, table, files))
    return {org: (count, cost) for org, count, cost in database.fetch(_TOTALS.format(calls=calls))}


def _scalar(database: Engine, select: str) -> int:
    return database.fetch(select)[0][0]


def _raw(lake: Lake, names: Mapping[str, int], events: State, differences: list[str]) -> tuple[int, Any]:
    """How many calls wait in raw files, and what was charged for them; absorbed files are searched for in `events`."""
    waiting: list[Any] = []
    standing = orders(lake.events, events)
    differences += [f"{entry.key} was set aside: it is not to be trusted" for entry in lake.store.entries(ASIDE)]
    for entry in raw_files(lake.store):
        try:
            table = obey(standing, decode(entry.key, read_raw(lake.store, entry), lake.keyring))
        except Missing:
            continue
        except Unreadable as fault:
            differences.append(f"{entry.key} cannot be read ({fault})")
            continue
        if entry.key not in names:
            waiting.append(table.select(["ledger_seq", "counters"]))
        elif lost := _lost(lake, events, table):
            differences.append(f"{entry.key}: {lost} of its calls are not in events")
    fresh = pa.concat_tables([SCHEMA.empty_table().select(["ledger_seq", "counters"]), *waiting])
    return fresh.num_rows, fresh


def _lost(lake: Lake, events: State, table: Any) -> int:
    ids = pc.unique(identities(table))
    times = pc.min_max(table.column("ts"))
    for file in events.files.values():
        if len(ids) and file.from_us <= times["max"].value and file.to_us >= times["min"].value:
            ids = ids.filter(pc.invert(pc.is_in(ids, value_set=identities_in(lake, file).combine_chunks())))
    return len(ids)


def _ledger(lake: Lake, events: State, fresh: Any, journal: Path | None, compared: list[str]) -> Iterator[str]:
    """What one gateway's ledger has charged up to its checkpoint, and what the lake and the journal say of it.

    Numbers of settlements are a process's own, so a lake of several gateways cannot be compared with one's ledger.
    """
    directories = workers(journal) if journal is not None and journal.is_dir() else []
    if len(directories) != 1:
        return
    if orders(lake.events, events) != Orders():
        compared.append("not the ledger: retention or erasure took away what its counters are made of")
        return
    ledger = EmbeddedLedger()
    try:
        ledger.restore(journal_checkpoint.read(directories[0]))
    except (CheckpointDamaged, CheckpointUnusable, OSError) as fault:
        yield f"the ledger's checkpoint in {directories[0]} cannot be read: {fault}"
        return
    compared.append("the ledger's checkpoint: every counter's sum, with events, raw files and segments not landed yet")
    charged = _charged(lake, events, fresh, ledger.seq)
    for segment in sealed(directories[0]):
        _add_segment(segment, ledger.seq, charged)
    for counter, balance in sorted(ledger.counters().items()):
        if balance.settled != charged.get(counter, 0):
            yield f"counter {counter}: the ledger has {balance.settled}, the lake {charged.get(counter, 0)}"


def _charged(lake: Lake, events: State, fresh: Any, seq: int) -> dict[str, int]:
    charged: defaultdict[str, int] = defaultdict(int)
    with engine() as database:
        if events.files:
            database.view("checked", database.local(lake.store, lake.events, events.files.values()))
            charged.update(database.fetch(_CHARGED, {"seq": seq}))
    for number, counters in zip(*(fresh.column(name).to_pylist() for name in ("ledger_seq", "counters")), strict=True):
        if number and number <= seq:
            for counter, amount in counters or ():
                charged[counter] += amount
    return charged


def _add_segment(segment: Path, seq: int, charged: dict[str, int]) -> None:
    """What is not landed yet. A segment that is landed this moment may be counted twice: verify what stands still."""
    try:
        for _, payload in SegmentReader(segment).finals():
            record = decode_record(payload)
            if 0 < record.ledger_seq <= seq:
                for counter, amount in (record.counters or {}).items():
                    charged[counter] = charged.get(counter, 0) + amount
    except (OSError, SegmentTooNew, msgspec.MsgspecError):
        return
