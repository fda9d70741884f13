"""Owns questions to ClickHouse: any question that DuckDB is asked of the lake, with the same answer.

Whose calls it is about, its filters and its time are decided in control_plane/lake/scope.py, for both engines.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from control_plane.lake.clickhouse.server import Server, Value
from control_plane.lake.clickhouse.words import SETTINGS, in_clickhouse, without_remarks
from control_plane.lake.query import Question, following
from control_plane.lake.scope import only, rollup_sql


def ask(server: Server, question: Question) -> Any:
    """The rows as a pyarrow Table. Raises ServerFault.

    What is no whole hour, or narrowed by what a rollup has no column for, is summed from the calls.
    """
    statement = f"WITH {', '.join(_relations(question))} {following(question.sql)}"
    given = {**question.parameters, **question.scope.variables()}
    return server.ask(f"{in_clickhouse(statement)}\n{SETTINGS}", cast("Mapping[str, Value]", given))


def _relations(question: Question) -> Iterator[str]:
    scope, relation, grain_s = question.scope, question.relation, question.grain_s
    if scope.is_rolled_up(relation, grain_s):
        yield f"{relation} AS (SELECT * FROM {relation}_rows WHERE {only(scope, 'hour')})"  # noqa: S608
        return
    if relation == "events":  # a list of calls has each row once
        yield f"events AS (SELECT * FROM event_rows WHERE {only(scope, 'ts')})"  # noqa: S608
        return
    # The rows of a sample as often as they stand for a call, and then for one.
    each = f"SELECT *, arrayJoin(range(weight)) AS nth FROM event_rows WHERE {only(scope, 'ts')}"  # noqa: S608
    yield f"events AS (SELECT * EXCEPT (weight, nth), CAST(1 AS BIGINT) AS weight FROM ({each}))"  # noqa: S608
    yield f"{relation} AS ({without_remarks(rollup_sql(relation, grain_s))})"
