"""Owns `lensai backtest`: a limit or other prices held against the calls of a lake, without a control plane."""

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from control_plane.api.problems import Problem
from control_plane.backtest import service
from control_plane.backtest.history import backtest
from control_plane.backtest.rendered import as_text, rendered
from control_plane.backtest.schema import BacktestAsk, Prices
from control_plane.cli.operator import CANNOT_START, told
from control_plane.lake.query import Unanswered
from pricing.catalog import Catalog

NAME = "backtest"


def main(words: Sequence[str], environ: Mapping[str, str] = os.environ, now_s: int | None = None) -> int:
    """0: told; 2: the arguments or the lake cannot be used."""
    arguments = _parser().parse_args(words)
    now_s = int(time.time()) if now_s is None else now_s
    try:
        wanted = _wanted(arguments, now_s)
        proposed, (from_s, to_s) = service.proposal(wanted), service.span(wanted, now_s)
        lake = arguments.lake or environ.get("LENSAI_LAKE_URL") or ".lensai/lake"
        outcome = backtest(lake, arguments.org, proposed, Catalog.load(proposed.prices), from_s, to_s)
    except (Problem, Unanswered, OSError, ValueError) as fault:
        return told(NAME, fault)
    out = rendered(outcome, proposed, from_s, to_s)
    sys.stdout.write(msgspec.json.encode(out).decode() + "\n" if arguments.json else as_text(out))
    return 0


def _wanted(arguments: argparse.Namespace, now_s: int) -> BacktestAsk:
    """Raises ValueError (msgspec's errors are some) and OSError for a file of prices that cannot be read."""
    prices: list[Prices] = []
    if arguments.prices:
        with open(arguments.prices, "rb") as opened:
            prices = msgspec.json.decode(opened.read(), type=list[Prices])
    scope = dict(_pair(text) for text in arguments.scope)
    limit: object = arguments.limit
    if limit is not None and arguments.unit != "usd":
        limit = json.loads(arguments.limit)
    asked = {
        "unit": arguments.unit,
        "limit": limit,
        "window": arguments.window,
        "scope": scope,
        "time_zone": arguments.time_zone,
        "ceiling_usd": arguments.ceiling,
        "from_s": _second(arguments.from_day, 0, None),
        "to_s": _second(arguments.to_day, 1, now_s),
    }
    return msgspec.structs.replace(msgspec.convert(asked, BacktestAsk), prices=prices)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--scope {text}: write dimension=value, such as user=* or model=gpt-4o")
    return name, value


def _second(text: str | None, days_later: int, otherwise: int | None) -> int | None:
    if text is None:
        return otherwise
    day = date.fromisoformat(text) + timedelta(days=days_later)
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai backtest",
        description="What a limit, or other prices, would have refused of the calls in a lake.",
        epilog=f"Exit code {CANNOT_START}: the arguments or the lake cannot be used.",
    )
    parser.add_argument("--lake", metavar="URL", help="directory or bucket; without, LENSAI_LAKE_URL or .lensai/lake")
    parser.add_argument("--org", default="default", metavar="ID", help="whose calls; the policy file's are `default`")
    parser.add_argument("--unit", default="usd", help="usd, tokens_in, tokens_out, tokens or requests")
    parser.add_argument("--limit", metavar="N", help="dollars or a count; without, what was spent is shown")
    parser.add_argument("--window", default="month", help="minute, hour, day, week, month or total")
    parser.add_argument("--scope", action="append", default=[], metavar="D=V", help="such as model=gpt-4o or user=*")
    parser.add_argument("--time-zone", default="UTC", metavar="NAME", help="whose calendar the windows are of")
    parser.add_argument("--ceiling", metavar="USD", help="held for a call without a price, instead of refusing it")
    parser.add_argument("--prices", metavar="FILE", help="a JSON list of upstream, model, rates or multiplier")
    parser.add_argument("--from", dest="from_day", metavar="DAY", help="the first UTC day; without, 30 days ago")
    parser.add_argument("--to", dest="to_day", metavar="DAY", help="the last UTC day, included; without, now")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    return parser
