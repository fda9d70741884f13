"""Owns questions to ClickHouse: those of control_plane/analytics/sql by the same names, with the same parameters.

A question is written over relations that keep to a scope: its organization, project, time and filters. Here alone is
decided what those are; a question cannot reach around them.
"""

from collections.abc import Mapping
from typing import Any

from control_plane.lake.clickhouse.load import text
from control_plane.lake.clickhouse.server import Server, Value
from control_plane.lake.scope import HOUR_S, Relation, Scope

# Name -> the relation that it is asked of.
QUESTIONS: Mapping[str, Relation] = {
    "summary": "hourly",
    "costs": "hourly",
    "costs_by_tag": "hourly",
    "costs_by_user": "hourly_users",
    "timeseries": "hourly",
    "latency": "hourly_latency",
    "latency_series": "hourly_latency",
}
_ANY_OF: Mapping[str, str] = {
    "key_id": "has({key_id:Array(String)}, key_id)",
    "user_id": "has({user_id:Array(String)}, user_id)",
    "team": "has({team:Array(String)}, team)",
    "tag": "hasAny({tag:Array(String)}, tags)",
    "route": "has({route:Array(String)}, route)",
    "provider": "has({provider:Array(String)}, provider)",
    "model": "has({model:Array(String)}, model)",
    "status": "has({status:Array(String)}, toString(status))",
    "outcome": "has({outcome:Array(String)}, outcome)",
}


def ask(server: Server, name: str, scope: Scope, parameters: Mapping[str, Value]) -> list[dict[str, Any]]:
    """The rows of a question, as the lake's own DuckDB answers it. Raises ServerFault.

    What is no whole hour, or narrowed by what a rollup has no column for, is summed from events.
    """
    relation = QUESTIONS[name]
    statement = f"WITH {_relations(scope, relation)} {_following(text(f'questions/{name}'))}"
    rows: list[dict[str, Any]] = server.ask(statement, {**_values(scope), **parameters}).to_pylist()
    return rows


def _following(statement: str) -> str:
    """A statement behind relations that stand before its own."""
    stripped = statement.strip()
    return f", {stripped.removeprefix('WITH ')}" if stripped.startswith("WITH ") else stripped


def _relations(scope: Scope, relation: Relation) -> str:
    if scope.is_rolled_up(relation, HOUR_S):
        return f"{relation} AS (SELECT * FROM {relation}_rows WHERE {_only(scope, 'hour')})"  # noqa: S608
    events = f"events AS (SELECT * FROM event_rows WHERE {_only(scope, 'ts')})"  # noqa: S608
    return events if relation == "events" else f"{events}, {relation} AS ({text(relation)})"


def _only(scope: Scope, time_column: str) -> str:
    """The condition that every relation has: the only place where whose calls they are is decided."""
    conditions = [
        "org_id = {org_id:String}",
        f"{time_column} >= fromUnixTimestamp64Micro({{from_us:Int64}}, 'UTC')",
        f"{time_column} < fromUnixTimestamp64Micro({{to_us:Int64}}, 'UTC')",
        *(_ANY_OF[name] for name in scope.filters),
    ]
    if scope.project_id is not None:
        conditions.append("project_id = {project_id:String}")
    return " AND ".join(conditions)


def _values(scope: Scope) -> dict[str, Value]:
    given: dict[str, Value] = {name: list(values) for name, values in scope.filters.items()}
    given |= {"org_id": scope.org_id, "from_us": scope.from_s * 10**6, "to_us": scope.to_s * 10**6}
    return given if scope.project_id is None else given | {"project_id": scope.project_id}
