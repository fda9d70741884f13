"""Owns the questions about sums: what calls cost and used, by what, when, and how fast they were."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from control_plane.analytics.asked import Asked
from control_plane.analytics.period import DAY_S, Period, bucket_for, edges, rfc3339
from control_plane.analytics.schema import (
    CostRow,
    Costs,
    Latency,
    LatencyPoint,
    LatencyRow,
    Percentile,
    Point,
    Previous,
    Series,
    Summary,
    Timeseries,
    Totals,
)
from control_plane.analytics.totals import NOTHING, added, change, less, nanousd, share, totals
from control_plane.api.money import usd
from control_plane.api.problems import invalid
from control_plane.lake.query import Answer, Lake, Question, Row, named
from control_plane.lake.scope import Relation, grain_of
from gateway.lake.schema import BUCKETS

_BUCKETS = ",\n    ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in BUCKETS)
SQL = named(Path(__file__).parent / "sql", buckets=_BUCKETS)
CHANGE = "change"
PERCENTS = (50.0, 95.0, 99.0)
PERCENTS_MAX = 10
# Of a percentile that was read from a sketch; control_plane/lake/sql/hourly_latency.sql.
SKETCH_ERROR_SHARE = 0.01

# Which statements sum by a dimension; all others are costs.sql and changes.sql over the hours.
SUMMED_BY: dict[str, tuple[str, Relation]] = {
    "user": ("costs_by_user", "hourly_users"),
    "tag": ("costs_by_tag", "hourly"),
}


def percents(given: Sequence[float] | None) -> list[float]:
    """Raises Problem 400."""
    chosen = sorted(set(given or PERCENTS))
    if len(chosen) > PERCENTS_MAX or not all(0 < one <= 100 for one in chosen):
        raise invalid("query/p", f"write up to {PERCENTS_MAX} numbers above 0 and up to 100, such as p=50&p=95")
    return chosen


async def ask_together(lake: Lake, questions: Sequence[Question]) -> list[Answer]:
    """Answers in the questions' order."""
    return list(await asyncio.gather(*(lake.ask(question) for question in questions)))


async def summary(lake: Lake, asked: Asked, *, compared: bool) -> Summary:
    now, before = await _now_and_before(lake, asked, compared=compared)
    row = now.rows[0]
    total = totals(row)
    reached = total.calls - total.refused
    return Summary(
        about=asked.about(now, *([] if before is None else [before])),
        total=total,
        cost_per_call_usd=usd(nanousd(row["cost_usd"]) // row["priced_calls"]) if row["priced_calls"] else None,
        error_share=share(total.errors, reached),
        previous=None if before is None else _previous(asked, row, before.rows[0]),
    )


async def costs(lake: Lake, asked: Asked, by: str, sort: str, limit: int, *, compared: bool) -> Costs:
    """Rows by a dimension. `compared` adds the period before, of which sort `change` is the largest difference."""
    first = await _most_changed(lake, asked, by, limit) if sort == CHANGE else []
    ranked = {"sort": "cost" if sort == CHANGE else sort, "limit": len(first) if sort == CHANGE else limit}
    now = await lake.ask(_by(asked, by, "costs", ranked | {"first": first}))
    total, found = now.rows[0], {row["value"]: row for row in now.rows[1:]}
    values = first if sort == CHANGE else list(found)
    rows = [found.get(value, NOTHING | {"value": value}) for value in values]
    if not compared:
        before, earlier = None, dict[str, Row]()
    else:
        before = await lake.ask(_by(asked.before, by, "costs", ranked | {"limit": len(values), "first": values}))
        earlier = {row["value"]: row for row in before.rows[1:]}
    return Costs(
        about=asked.about(now, *([] if before is None else [before])),
        by=by,
        rows=[_cost_row(row, total, None if before is None else earlier.get(row["value"], NOTHING)) for row in rows],
        others=None if by == "tag" else _others(total, rows),
        total=totals(total),
        previous=None if before is None else _previous(asked, total, before.rows[0]),
    )


async def _most_changed(lake: Lake, asked: Asked, by: str, limit: int) -> list[str]:
    """The values of either period whose costs differ most; what is gone counts nothing now."""
    before, now = asked.before.period, asked.period
    both = asked.during(Period(before.from_s, now.to_s, now.zone))
    grain_s = grain_of((before.from_s, now.from_s, now.to_s))
    given: dict[str, object] = {"edge_us": now.from_s * 10**6, "limit": limit}
    return [row["value"] for row in (await lake.ask(_by(both, by, "changes", given, grain_s))).rows]


def _by(asked: Asked, by: str, sql: str, given: Mapping[str, object], grain_s: int = DAY_S) -> Question:
    """A question by a dimension: `sql` is costs or changes."""
    summed, relation = SUMMED_BY.get(by, ("costs", "hourly"))
    parameters = {**given, "by": by} if summed == "costs" else given
    return Question(SQL[summed.replace("costs", sql)], relation, asked.scope, parameters, grain_s)


async def timeseries(
    lake: Lake, asked: Asked, by: str | None, bucket: str | None, limit: int, *, compared: bool
) -> Timeseries:
    """Totals by bucket of time, of the dearest values by a dimension each, and of all others together."""
    bucket = bucket or bucket_for(asked.period)
    both = (asked, asked.before) if compared else (asked,)
    answers = await asyncio.gather(*(_by_time(lake, one, by, bucket, limit) for one in both))
    return Timeseries(
        about=asked.about(*(answer for answer, _ in answers)),
        bucket=bucket,
        by=by,
        series=_series(*answers[0], asked),
        previous=_series(*answers[1], asked) if compared else None,
    )


async def _by_time(lake: Lake, asked: Asked, by: str | None, bucket: str, limit: int) -> tuple[Answer, tuple[int, ...]]:
    begins = edges(asked.period, bucket)
    given = {"by": by, "limit": limit if by else 0, "edges": list(begins)}
    question = Question(SQL["timeseries"], "hourly", asked.scope, given, grain_s=grain_of(begins))
    return await lake.ask(question), begins


def _series(answer: Answer, begins: Sequence[int], asked: Asked) -> list[Series]:
    """Every series with a point for each bucket; the dearest first, all others last."""
    by_value: dict[str | None, dict[int, Row]] = {} if answer.rows else {None: {}}
    for row in answer.rows:
        by_value.setdefault(row["value"], {})[row["at_s"]] = row
    whole = {value: added(list(points.values())) for value, points in by_value.items()}
    order = sorted(by_value, key=lambda value: (value is None, -nanousd(whole[value]["cost_usd"]), value or ""))
    return [
        Series(value=value, total=totals(whole[value]), points=_points(by_value[value], begins, asked))
        for value in order
    ]


def _points(rows: dict[int, Row], begins: Sequence[int], asked: Asked) -> list[Point]:
    zone = asked.period.zone
    return [Point(at=rfc3339(at, zone), at_ms=at * 1000, total=totals(rows.get(at, NOTHING))) for at in begins]


async def latency(
    lake: Lake, asked: Asked, measure: str, percents: Sequence[float], by: str | None, bucket: str | None, limit: int
) -> Latency:
    """Percentiles by a dimension and of all; by time too, if there is a bucket."""
    given: dict[str, object] = {"measure": measure, "percents": list(percents)}
    whole, by_time = await asyncio.gather(
        lake.ask(Question(SQL["latency"], "hourly_latency", asked.scope, given | {"by": by, "limit": limit})),
        _latency_points(lake, asked, given, bucket),
    )
    rows = _latency_rows(whole.rows)
    return Latency(
        about=asked.about(whole),
        measure=measure,
        error_share=SKETCH_ERROR_SHARE,
        by=by,
        total=rows.pop((True, ""), LatencyRow(value="", calls=0, percentiles=[])),
        rows=list(rows.values()),
        bucket=bucket,
        points=by_time,
    )


async def _latency_points(
    lake: Lake, asked: Asked, given: dict[str, object], bucket: str | None
) -> list[LatencyPoint] | None:
    if bucket is None:
        return None
    begins = edges(asked.period, bucket)
    given = given | {"edges": list(begins)}
    question = Question(SQL["latency_series"], "hourly_latency", asked.scope, given, grain_s=grain_of(begins))
    found: dict[int, list[Row]] = {}
    for row in (await lake.ask(question)).rows:
        found.setdefault(row["at_s"], []).append(row)
    return [
        LatencyPoint(
            at=rfc3339(at, asked.period.zone),
            at_ms=at * 1000,
            calls=found[at][0]["calls"] if at in found else 0,
            percentiles=_percentiles(found.get(at, ())),
        )
        for at in begins
    ]


def _latency_rows(rows: Sequence[Row]) -> dict[tuple[bool, str], LatencyRow]:
    found: dict[tuple[bool, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["is_total"], row["value"]), []).append(row)
    return {
        key: LatencyRow(value=key[1], calls=of_key[0]["calls"], percentiles=_percentiles(of_key))
        for key, of_key in found.items()
    }


def _percentiles(rows: Sequence[Row]) -> list[Percentile]:
    return [Percentile(p=row["p"], value=round(row["at_most"], 3)) for row in rows]


async def _now_and_before(lake: Lake, asked: Asked, *, compared: bool) -> tuple[Answer, Answer | None]:
    if not compared:
        return await lake.ask(Question(SQL["summary"], "hourly", asked.scope)), None
    now, before = await ask_together(
        lake, [Question(SQL["summary"], "hourly", one.scope) for one in (asked, asked.before)]
    )
    return now, before


def _previous(asked: Asked, row: Row, before: Row) -> Previous:
    period = asked.before.period
    return Previous(
        from_=rfc3339(period.from_s, period.zone),
        to=rfc3339(period.to_s, period.zone),
        total=totals(before),
        change=change(row, before),
    )


def _cost_row(row: Row, total: Row, before: Row | None) -> CostRow:
    return CostRow(
        value=row["value"],
        total=totals(row),
        cost_share=share(nanousd(row["cost_usd"]), nanousd(total["cost_usd"])),
        previous=None if before is None else totals(before),
        change=None if before is None else change(row, before),
    )


def _others(total: Row, rows: Sequence[Row]) -> Totals | None:
    rest = less(total, rows)
    return totals(rest) if rest["calls"] else None
