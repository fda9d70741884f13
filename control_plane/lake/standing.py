"""Owns what stands for every row that comes late: what is past its keeping stays away, who was erased stays erased.

The commit that deletes or erases says so itself, and every later one says which commit that was: whoever absorbs
obeys, or is beaten by that commit.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import reduce
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from control_plane.lake.absorbed import SINCE
from control_plane.lake.table import State, Table, us
from gateway.contract.counter_names import escaped

STANDING = "standing"
ORDERS = "orders"
EVERYBODY = "*"
# What stands where a user's name stood. All who were erased are one.
ERASED = "(erased)"
# Where a caller or a provider may have named a person; cleared as a whole.
_CLEARED = ("metadata", "upstream_request_id")
_NEVER_US = -(2**62)
_log = logging.getLogger("lensai.lake")


class Erasure(msgspec.Struct, frozen=True):
    """Somebody whose calls of before `until_us` are nobody's; None while it goes on. Of the name there is a hash."""

    id: str
    org_id: str
    salt: str
    sha256: str
    until_us: int | None = None

    def means(self, user_id: str) -> bool:
        return digest(self.salt, self.org_id, user_id) == self.sha256


class Orders(msgspec.Struct, frozen=True):
    """`gone`: the first UTC day that is kept, by `org`, `org/project` or `*` for all others; "" where all are."""

    gone: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    erased: tuple[Erasure, ...] = ()

    def kept_from(self, org_id: str, project_id: str) -> str:
        """The first day of a project's calls that is kept; "" if none was deleted."""
        return kept_from(self.gone, org_id, project_id)


def kept_from(gone: Mapping[str, str], org_id: str, project_id: str) -> str:
    for name in (f"{org_id}/{project_id}", org_id, EVERYBODY):
        if name in gone:
            return gone[name]
    return ""


def digest(salt: str, org_id: str, user_id: str) -> str:
    return hashlib.sha256(f"{salt}\0{org_id}\0{user_id}".encode()).hexdigest()


def orders(events: Table, at: State) -> Orders:
    """What stands at a state. Where somebody else cleared the log, nothing, until retention says it again.

    Raises StoreFault.
    """
    version = _version(events, at)
    if version is None:
        return Orders()
    commit = events.commit_at(version)
    if commit is None:
        _log.error("lake_orders_gone", extra={"version": version})
        return Orders()
    return msgspec.convert(commit.ours[ORDERS], Orders)


def ordered(base: State, given: Orders) -> dict[str, object]:
    """What a commit on `base` says that gives orders."""
    return {STANDING: base.version + 1, ORDERS: msgspec.to_builtins(given)}


def carried(events: Table, base: State) -> dict[str, object]:
    """What any other commit says, so that orders stand. Raises StoreFault."""
    version = _version(events, base)
    return {} if version is None else {STANDING: version}


def needed(events: Table, at: State) -> int:
    """The oldest commit that orders are read from; the present one if there are none. Raises StoreFault."""
    version = _version(events, at)
    return at.version if version is None else version


def _version(events: Table, at: State) -> int | None:
    # Every commit of this project says `since`; one of somebody else says nothing, and the one before it holds.
    last = events.latest(SINCE, at)
    return last[0].ours.get(STANDING) if last else None


def obey(given: Orders, rows: Any) -> Any:
    """The rows of a table in SCHEMA that may stay, without who was erased."""
    if rows.num_rows and given.gone:
        rows = rows.filter(pc.invert(_gone(given, rows)))
    return erase(given.erased, rows) if rows.num_rows else rows


def _gone(given: Orders, rows: Any) -> Any:
    """Which rows are past their keeping."""
    owners = pa.table({name: pc.fill_null(rows.column(name), "") for name in ("org_id", "project_id")})
    found = owners.group_by(owners.column_names).aggregate([]).to_pylist()
    table = pa.table(
        {
            "org_id": [one["org_id"] for one in found],
            "project_id": [one["project_id"] for one in found],
            "from_us": [_us(given.kept_from(**one)) for one in found],
        },
        schema=pa.schema([("org_id", pa.string()), ("project_id", pa.string()), ("from_us", pa.int64())]),
    )
    numbered = owners.append_column("number", pa.array(range(rows.num_rows), pa.int64()))
    joined = numbered.join(table, ["org_id", "project_id"]).sort_by("number")
    return pc.less(rows.column("ts").cast(pa.int64()), joined.column("from_us"))


def _us(day: str) -> int:
    if not day:
        return _NEVER_US
    first = date.fromisoformat(day)
    return us(datetime(first.year, first.month, first.day, tzinfo=UTC))


def erase(erased: Iterable[Erasure], rows: Any) -> Any:
    """The rows, all of them, by time where any is changed; those of somebody who was erased name nobody."""
    theirs = [meant for one in erased if (meant := _meant(one, rows)) is not None]
    if not theirs:
        return rows
    meant = reduce(pc.or_, theirs)
    blanked = _blanked(rows.filter(meant))
    both = pa.concat_tables([rows.filter(pc.invert(meant)).cast(blanked.schema), blanked])
    return both.take(pc.sort_indices(both.column("ts")))


def of_somebody(erased: Iterable[Erasure], rows: Any) -> bool:
    """Whether a row of a table with org_id, user_id and ts is of somebody who was erased."""
    return any(_meant(one, rows) is not None for one in erased)


def _meant(one: Erasure, rows: Any) -> Any | None:
    """Which rows are that person's; None if none is."""
    ours = pc.equal(pc.fill_null(rows.column("org_id"), ""), one.org_id)
    users = pc.unique(rows.column("user_id").filter(ours)).to_pylist()
    names = [user for user in users if user is not None and one.means(user)]
    if not names:
        return None
    meant = pc.and_(ours, pc.fill_null(pc.is_in(rows.column("user_id"), pa.array(names, pa.string())), False))
    if one.until_us is not None:
        meant = pc.and_(meant, pc.less(rows.column("ts").cast(pa.int64()), one.until_us))
    return meant if pc.any(meant).as_py() else None


def _blanked(rows: Any) -> Any:
    counters = [
        None if held is None else [(_without(counter, name), amount) for counter, amount in held]
        for held, name in zip(*(rows.column(name).to_pylist() for name in ("counters", "user_id")), strict=True)
    ]
    values: dict[str, Any] = {name: pa.nulls(rows.num_rows, pa.string()) for name in _CLEARED}
    values["user_id"] = pa.array([ERASED] * rows.num_rows, pa.string())
    values["counters"] = pa.array(counters, rows.schema.field("counters").type)
    for name, value in values.items():
        # DuckDB declares a column of which it wrote no null to have none.
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name).with_nullable(True), value)
    return rows


def _without(counter: str, user_id: str) -> str:
    """A budget's counter without the name: `total|user=zoe|tag=a` counts by user. Names of before are not escaped."""
    written = "|".join(map(re.escape, (escaped(user_id), user_id)))
    return re.sub(rf"\|user=(?:{written})(?=\||$)", f"|user={ERASED}", counter)


def still_stand(erased: Iterable[Erasure], oldest_us: int) -> Iterator[Erasure]:
    """Those of which a late call may still come."""
    return (one for one in erased if one.until_us is None or one.until_us > oldest_us)
