"""Owns `lensai lake query`: the named questions of the API, asked at a shell, with the statements' own parameters."""

import argparse
import asyncio
import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from control_plane.analytics.period import Period, edges, period, zone_of
from control_plane.analytics.service import SQL
from control_plane.api.problems import Problem
from control_plane.cli.operator import told
from control_plane.clock import now_ms
from control_plane.lake import query
from control_plane.lake.curated import Lake
from control_plane.lake.query import Question, Row, Unanswered
from control_plane.lake.scope import FILTERS, HOUR_S, Relation, Scope, grain_of
from control_plane.lake.snapshot import take_snapshot

# The lake did not answer.
UNANSWERED = 1
# Beside the answer, which a program may read.
_ESTIMATED = "an estimate: of some of these days a sample of the calls is kept"


class Named(NamedTuple):
    """Which relation a statement is about, and its parameters as they are where nobody says otherwise."""

    relation: Relation
    defaults: Mapping[str, object] = {}


_RANKED: Mapping[str, object] = {"sort": "cost", "limit": 20, "first": []}
_MEASURED: Mapping[str, object] = {"measure": "latency_ms", "percents": [50.0, 95.0, 99.0]}
QUESTIONS: Mapping[str, Named] = {
    "call": Named("events", {"request_id": ""}),
    "calls": Named("events", {"sort": "at", "limit": 20, "before_us": None, "before_id": None}),
    "changes": Named("hourly", {"by": "model", "edge_us": 0, "limit": 20}),
    "changes_by_tag": Named("hourly", {"edge_us": 0, "limit": 20}),
    "changes_by_user": Named("hourly_users", {"edge_us": 0, "limit": 20}),
    "costs": Named("hourly", {"by": "model", **_RANKED}),
    "costs_by_tag": Named("hourly", _RANKED),
    "costs_by_user": Named("hourly_users", _RANKED),
    "errors": Named("hourly", {"limit": 20}),
    "export_calls": Named("events"),
    "focus": Named("hourly"),
    "hours": Named("hourly"),
    "latency": Named("hourly_latency", {"by": "model", "limit": 20} | _MEASURED),
    "latency_series": Named("hourly_latency", {"bucket": "day"} | _MEASURED),
    "summary": Named("hourly"),
    "timeseries": Named("hourly", {"by": None, "limit": 5, "bucket": "day"}),
    "tokens": Named("hourly"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Asks a named question of the lake; without a name, lists them with their parameters."
    parser.add_argument("name", nargs="?", choices=sorted(QUESTIONS), metavar="NAME", help="which question")
    parser.add_argument(
        "parameters",
        nargs="*",
        metavar="PARAMETER=VALUE",
        help=f"the question's own, or a filter: {', '.join(FILTERS)}",
    )
    parser.add_argument("--lake", metavar="URL", help="a directory or a store's URL instead of the settings'")
    parser.add_argument("--org", default="default", metavar="ID", help="whose calls; the policy file's are `default`")
    parser.add_argument("--project", metavar="ID", help="one project's calls")
    parser.add_argument("--from", dest="from_", metavar="WHEN", help="the first moment: a date in --tz, or RFC 3339")
    parser.add_argument("--to", metavar="WHEN", help="the moment after the last; without it now")
    parser.add_argument("--range", dest="range_", metavar="LENGTH", help="instead: 24h, 7d (the default), month …")
    parser.add_argument("--tz", default="UTC", metavar="ZONE", help="IANA time zone of dates and days")
    parser.add_argument("--form", choices=sorted(_FORMS), default="table")


def run(lake: Lake, arguments: argparse.Namespace) -> int:
    """0: answered; 1: the lake did not answer; 2: the question cannot be asked so."""
    if arguments.name is None:
        for name, named in sorted(QUESTIONS.items()):
            print(f"{name:<16}{' '.join(f'{key}={_shown(value)}' for key, value in named.defaults.items())}".rstrip())
        return 0
    try:
        during = period(arguments.from_, arguments.to, arguments.range_, zone_of(arguments.tz), now_ms() // 1000)
        question = _question(QUESTIONS[arguments.name], arguments, during)
    except (Problem, ValueError) as fault:
        return told("lake query", fault)
    try:
        rows, estimated = asyncio.run(_ask(lake, question))
    except Unanswered as fault:
        print(f"lensai lake query: {fault}", file=sys.stderr)
        return UNANSWERED
    sys.stdout.write(_FORMS[arguments.form](rows))
    if estimated:
        print(f"lensai lake query: {_ESTIMATED}", file=sys.stderr)
    return 0


def _question(named: Named, arguments: argparse.Namespace, during: Period) -> Question:
    """Raises ValueError, Problem."""
    given = dict(named.defaults)
    filters: dict[str, tuple[str, ...]] = {}
    for text in arguments.parameters:
        name, found, value = text.partition("=")
        if not found or (name not in given and name not in FILTERS):
            raise ValueError(f"{text}: write PARAMETER=VALUE with one of {', '.join((*given, *FILTERS))}")
        if name in given:
            given[name] = _read(value, given[name])
        else:
            filters[name] = (*filters.get(name, ()), value)
    grain_s = HOUR_S
    if "bucket" in given:
        begins = edges(during, str(given.pop("bucket")))
        given["edges"], grain_s = list(begins), grain_of(begins)
    if given.get("edge_us") == 0:  # one half of the time beside the other
        given["edge_us"] = (during.from_s + during.to_s) // 2 // HOUR_S * HOUR_S * 10**6
    scope = Scope(arguments.org, during.from_s, during.to_s, arguments.project, filters)
    return Question(SQL[arguments.name], named.relation, scope, given, grain_s)


def _read(value: str, was: object) -> object:
    """In the type that the parameter has, an empty list is of texts; raises ValueError."""
    if isinstance(was, int):
        return int(value)
    if isinstance(was, list):
        return [float(part) for part in value.split(",")] if was else value.split(",")
    return value or None


async def _ask(lake: Lake, question: Question) -> tuple[Sequence[Row], bool]:
    """All rows, and whether they are an estimate. Raises Unanswered."""
    asked = query.Lake(lake.url, take=partial(take_snapshot, keyring=lake.keyring))
    try:
        # By way of Arrow: DuckDB itself makes times with a library that is not installed.
        parts = [part async for part in asked.parts(question)]
        return [row for part in parts for row in part.rows.to_pylist()], any(part.estimated for part in parts)
    finally:
        await asyncio.to_thread(asked.close)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ";".join(map(_shown, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "no rows\n"
    lines = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "".join(f"{line}\n" for line in padded)


def _csv(rows: Sequence[Row]) -> str:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    writer.writerows([_shown(value) for value in row.values()] for row in rows)
    return written.getvalue()


def _json(rows: Sequence[Row]) -> str:
    return json.dumps(list(rows), default=_plain, ensure_ascii=False, indent=2) + "\n"


def _plain(value: Any) -> str:
    """Money stays a decimal, as text."""
    return _shown(value)


_FORMS: Mapping[str, Callable[[Sequence[Row]], str]] = {"table": _table, "csv": _csv, "json": _json}
