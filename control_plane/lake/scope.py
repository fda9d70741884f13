"""Owns Scope: whose calls a question is about, and the views that hold it to them. The one place that does.

Every question is written over views. They keep to one organization, one project, one time and the filters; a question
cannot reach around them. Values are variables of the connection; text comes from the tables here alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from gateway.lake.schema import COLUMNS

HOUR_S, DAY_S = 3600, 86_400
_SQL = Path(__file__).parent / "sql"

Relation = Literal["events", "hourly", "hourly_users", "hourly_latency"]
Variable = str | int | list[str] | None
# What a rollup is narrowed by: it has no other columns. A question that is narrowed by more reads events.
NARROWED_BY: Mapping[Relation, frozenset[str]] = {
    "events": frozenset(),
    "hourly": frozenset({"key_id", "team", "tag", "route", "provider", "model", "status", "outcome"}),
    "hourly_users": frozenset({"user_id", "provider", "model", "outcome"}),
    "hourly_latency": frozenset({"route", "provider", "model"}),
}
# Rollups of the same columns by whole UTC days, with some fifth of the rows.
DAILY: Mapping[Relation, str] = {"hourly": "daily", "hourly_users": "daily_users", "hourly_latency": "daily_sketches"}
_ANY_OF: Mapping[str, str] = {
    "key_id": "list_contains(getvariable('key_id'), key_id)",
    "user_id": "list_contains(getvariable('user_id'), user_id)",
    "team": "list_contains(getvariable('team'), team)",
    "tag": "list_has_any(getvariable('tag'), tags)",
    "route": "list_contains(getvariable('route'), route)",
    "provider": "list_contains(getvariable('provider'), provider)",
    "model": "list_contains(getvariable('model'), model)",
    "status": "list_contains(getvariable('status'), CAST(status AS VARCHAR))",
    "outcome": "list_contains(getvariable('outcome'), outcome)",
}
FILTERS = tuple(_ANY_OF)
# How finely events are summed where whole hours will not do.
_GRAINS: Mapping[int, str] = {
    DAY_S: "1 DAY",
    HOUR_S: "1 HOUR",
    900: "15 MINUTE",
    300: "5 MINUTE",
    60: "1 MINUTE",
    1: "1 SECOND",
}
_HOUR_OF_SQL = "INTERVAL 1 HOUR"
# For how many calls a row stands that is no sample.
_ONE = "CAST(1 AS BIGINT) AS weight"


@dataclass(frozen=True, slots=True)
class Scope:
    """Calls of an organization (and of one of its projects) that arrived in [from_s, to_s), seconds since the epoch.

    `filters` has the accepted values by a name of FILTERS; a call passes that has one of them, in each.
    """

    org_id: str
    from_s: int
    to_s: int
    project_id: str | None = None
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last UTC day with such calls."""
        last_s = max(self.from_s, self.to_s - 1)
        return datetime.fromtimestamp(self.from_s, UTC).date(), datetime.fromtimestamp(last_s, UTC).date()

    def is_rolled_up(self, relation: Relation, grain_s: int) -> bool:
        """Whether the rollup's files answer it: for whole hours, and narrowed by what they have columns for."""
        if relation == "events":
            return False
        whole = self.from_s % HOUR_S == 0 and self.to_s % HOUR_S == 0 and grain_s >= HOUR_S
        return whole and self.filters.keys() <= NARROWED_BY[relation]

    def whole_days(self, grain_s: int) -> tuple[int, int]:
        """Where the UTC days begin and end, in seconds, of which sums of days are fine enough; both the same: none."""
        first_s, end_s = -(-self.from_s // DAY_S) * DAY_S, self.to_s // DAY_S * DAY_S
        return (first_s, end_s) if grain_s >= DAY_S and first_s < end_s else (self.to_s, self.to_s)

    def variables(self) -> dict[str, Variable]:
        """What the views read by getvariable."""
        given: dict[str, Variable] = {name: list(values) for name, values in self.filters.items()}
        return given | {
            "org_id": self.org_id,
            "project_id": self.project_id,
            "from_us": self.from_s * 10**6,
            "to_us": self.to_s * 10**6,
        }


class Sources(NamedTuple):
    """What the views read: relations, or expressions that stand for one. None: there are no such rows.

    `sampled` has rows that stand for `weight` calls each, as often as they are to be there. `hours` has rows of the
    rollup that is asked for, `days` has those of its whole days [from, to), in seconds.
    """

    events: str | None = None
    sampled: str | None = None
    hours: str | None = None
    days: str | None = None
    between_s: tuple[int, int] = (0, 0)


def views(scope: Scope, relation: Relation, grain_s: int, sources: Sources) -> Iterator[tuple[str, str]]:
    """Names and SELECTs that stand before a question, the one it is about last; `fresh_rows` are among the sources."""
    yield "events", _events_view(scope, sources)
    if relation != "events":
        yield relation, _rollup_view(scope, relation, grain_s, sources)


def grain_of(edges_s: tuple[int, ...]) -> int:
    """The coarsest grain, in seconds, of which every edge is a multiple."""
    return next(grain for grain in _GRAINS if all(edge % grain == 0 for edge in edges_s))


def _events_view(scope: Scope, sources: Sources) -> str:
    # Where the partition is the project, the empty one's directory reads as null.
    columns = ", ".join("coalesce(project_id, '') AS project_id" if name == "project_id" else name for name in _NAMES)
    found = ((sources.events, _ONE), (sources.sampled, "weight"), ("fresh_rows", _ONE))
    return " UNION ALL ".join(
        f"SELECT {columns}, {weight} FROM {source} WHERE {only(scope, 'ts')}"  # noqa: S608
        for source, weight in found
        if source is not None
    )


def _rollup_view(scope: Scope, relation: Relation, grain_s: int, sources: Sources) -> str:
    of_events = rollup_sql(relation, grain_s)
    first, end = (f"make_timestamptz({at_s}000000)" for at_s in sources.between_s)
    in_days = f"hour >= {first} AND hour < {end}"
    found = [
        f"SELECT * FROM {source} WHERE {only(scope, 'hour')} AND {days}"  # noqa: S608
        for source, days in ((sources.hours, f"NOT ({in_days})"), (sources.days, in_days))
        if source is not None
    ]
    return " UNION ALL BY NAME ".join(f"({select})" for select in (*found, of_events))


def only(scope: Scope, time_column: str) -> str:
    """The condition that every view has, in each engine: the only place where whose calls they are is decided."""
    conditions = [
        "org_id = getvariable('org_id')",
        f"{time_column} >= make_timestamptz(getvariable('from_us'))",
        f"{time_column} < make_timestamptz(getvariable('to_us'))",
        *(_ANY_OF[name] for name in scope.filters),
    ]
    if scope.project_id is not None:
        conditions.append("project_id = getvariable('project_id')")
    return " AND ".join(conditions)


@cache
def rollup_sql(relation: Relation, grain_s: int = HOUR_S) -> str:
    """The SELECT of a rollup over a relation `events`, by hour or more finely."""
    text = (_SQL / f"{relation}.sql").read_text()
    return text.replace(_HOUR_OF_SQL, f"INTERVAL {_GRAINS[min(grain_s, HOUR_S)]}")


_NAMES = tuple(column.name for column in COLUMNS)
