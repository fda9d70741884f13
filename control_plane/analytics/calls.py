"""Owns questions about single calls: lists of them, and one with its bill."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control_plane.analytics.asked import Asked
from control_plane.analytics.bill import Bill, bill
from control_plane.analytics.period import DAY_S, HOUR_S, Period, rfc3339
from control_plane.analytics.schema import Call, CallDetail, Calls
from control_plane.analytics.service import SQL
from control_plane.analytics.totals import nanousd
from control_plane.api.money import usd
from control_plane.api.paging import opaque, plain
from control_plane.api.problems import invalid, not_found
from control_plane.lake.query import Answer, Lake, Question, Row
from gateway.lake.schema import BUCKETS
from pricing.catalog import Catalog

# A page of newest calls is mostly in the last hour: older files are opened if it does not suffice.
_LOOKED_AT_S = (HOUR_S, DAY_S, 8 * DAY_S)
BY_TIME = "at"


async def calls(lake: Lake, asked: Asked, sort: str, limit: int, cursor: str | None) -> Calls:
    """A page, by time or the largest by a number; only one by time has others behind it. Raises Problem 400."""
    before_us, before_id = _before(cursor, sort)
    given = {"sort": sort, "limit": limit + 1, "before_us": before_us, "before_id": before_id}
    answer = await _newest(lake, asked, given) if sort == BY_TIME else await _ask(lake, asked, given)
    shown = answer.rows[:limit]
    more = sort == BY_TIME and len(answer.rows) > limit
    return Calls(
        about=asked.about(answer),
        items=[call(row) for row in shown],
        next_cursor=opaque(f"{shown[-1]['ts_us']}.{shown[-1]['request_id']}") if more else None,
    )


async def detail(lake: Lake, asked: Asked, request_id: str, catalog: Catalog) -> CallDetail:
    """One call. Raises Problem 404."""
    answer = await _find(lake, asked, request_id)
    row = answer.rows[0]
    return render_detail(row, bill(row, catalog), answer.as_of_ms)


def call(row: Row) -> Call:
    """A row of calls.sql."""
    at_us = row["ts_us"]
    return Call(
        at=rfc3339_ms(at_us),
        at_ms=at_us // 1000,
        cost_usd=_usd_or_none(row),
        output_tokens_per_s=_speed(row),
        **{name: row[name] for name in _SHOWN},
    )


def rfc3339_ms(at_us: int) -> str:
    return f"{rfc3339(at_us // 10**6)[:-1]}.{at_us // 1000 % 1000:03}Z"


def render_detail(row: Row, billed: Bill, as_of_ms: int) -> CallDetail:
    known = row | {"cache_read_tokens": None if row["input_text"] is None else _cache_read(row)}
    return CallDetail(
        call=call(known),
        buckets=billed.buckets,
        explained=billed.total_nanousd is not None and billed.total_nanousd == _nanousd_or_none(row),
        price_model=billed.model,
        refused=row["refusal_code"] or None if row["outcome"] == "refused" else None,
        counters=None if row["counters"] is None else dict(row["counters"]),
        as_of=rfc3339(as_of_ms // 1000),
        **{name: row[name] for name in _DETAILED},
    )


_SHOWN = (
    "request_id", "project_id", "key_id", "user_id", "team", "tags", "route", "provider", "upstream", "endpoint",
    "model", "model_requested", "stream", "outcome", "status", "refusal_code", "provenance", "price_match",
    "tokens_in", "tokens_out", "cache_read_tokens", "latency_ms", "ttft_ms", "flags",
    "weight",
)  # fmt: skip
_DETAILED = (
    "price_version", "service_tier", "mode", "upstream_status", "upstream_request_id", "bytes_in", "bytes_out",
    "metadata", "work_id",
)  # fmt: skip


async def _newest(lake: Lake, asked: Asked, given: Mapping[str, Any]) -> Answer:
    """Looks further back only where what is near does not fill the page."""
    before_us, period = given["before_us"], asked.period
    end_s = period.to_s if before_us is None else min(period.to_s, before_us // 10**6 + 1)
    for length_s in _LOOKED_AT_S:
        if end_s - length_s <= period.from_s:
            break
        answer = await _ask(lake, asked.during(Period(end_s - length_s, end_s, period.zone)), given)
        if len(answer.rows) >= given["limit"]:
            return answer
    return await _ask(lake, asked.during(Period(period.from_s, max(end_s, period.from_s), period.zone)), given)


async def _ask(lake: Lake, asked: Asked, given: Mapping[str, Any]) -> Answer:
    return await lake.ask(Question(SQL["calls"], "events", asked.scope, given))


async def _find(lake: Lake, asked: Asked, request_id: str) -> Answer:
    """Ids say no time: the last days are looked at first. The filters of a list are no part of what a call is."""
    to_s, scope = asked.period.to_s, replace(asked.scope, filters={})
    for length_s in (DAY_S, 8 * DAY_S, to_s - asked.period.from_s):
        from_s = max(asked.period.from_s, to_s - length_s)
        near = replace(scope, from_s=from_s, to_s=to_s)
        answer = await lake.ask(Question(SQL["call"], "events", near, {"request_id": request_id}))
        if answer.rows:
            return answer
        if from_s == asked.period.from_s:
            break
    raise not_found("call in this period")


def _before(cursor: str | None, sort: str) -> tuple[int | None, str]:
    if cursor is None:
        return None, ""
    at_us, dot, request_id = plain(cursor).partition(".")
    if sort != BY_TIME or not dot or not (at_us.isascii() and at_us.isdecimal()) or len(at_us) > 18:
        raise invalid("query/cursor", "take it from next_cursor of the page before, unchanged")
    return int(at_us), request_id


def _cache_read(row: Row) -> int:
    return sum(row[name] for name in BUCKETS if name.startswith("cache_read"))


def _nanousd_or_none(row: Row) -> int | None:
    return None if row["cost_usd"] is None else nanousd(row["cost_usd"])


def _usd_or_none(row: Row) -> str | None:
    amount = _nanousd_or_none(row)
    return None if amount is None else usd(amount)


def _speed(row: Row) -> float | None:
    """Of a stream that ended well, after its first byte; as the rollup has it."""
    took_ms = (row["latency_ms"] or 0) - (row["ttft_ms"] or 0)
    if row["outcome"] != "ok" or not row["stream"] or row["ttft_ms"] is None or not row["tokens_out"] or took_ms <= 0:
        return None
    return round(row["tokens_out"] * 1000 / took_ms, 3)
