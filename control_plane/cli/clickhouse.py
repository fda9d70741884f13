"""Owns `lensai clickhouse`: tables in a ClickHouse, and days of the lake loaded into them."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from control_plane.cli.operator import CANNOT_START, told
from control_plane.clock import now_ms
from control_plane.lake.clickhouse.load import create, load
from control_plane.lake.clickhouse.server import Server, ServerFault
from control_plane.settings import SettingsError, load_settings
from gateway.lake.store import StoreFault

# In the environment, for it may hold a password.
URL = "CLICKHOUSE_URL"


def main(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """0: it is done; 1: it failed on the way, and may be run again; 2: the arguments or settings cannot be used."""
    arguments = _parser().parse_args(words)
    if not environ.get(URL):
        return told("clickhouse", f"set {URL} to http://user:password@host:8123/database")
    try:
        server, lake = Server(environ[URL]), load_settings(environ).lake
    except (SettingsError, ValueError) as fault:
        return told("clickhouse", fault)
    try:
        return _done(server, lake, arguments)
    except (ServerFault, StoreFault) as fault:
        print(f"lensai clickhouse: {fault}; what was loaded stands, run it again for the rest", file=sys.stderr)
        return 1
    finally:
        server.close()


def _done(server: Server, lake: str, arguments: argparse.Namespace) -> int:
    create(server)
    if arguments.action == "create":
        print("The tables are there.")
        return 0
    today = datetime.fromtimestamp(now_ms() / 1000, UTC).date()
    to_day: date = arguments.to or today
    from_day: date = arguments.from_day or to_day - timedelta(days=1)
    if from_day > to_day:
        told("clickhouse", f"{from_day} is later than {to_day}: nothing to load")
        return CANNOT_START
    rows = load(server, lake, from_day, to_day, _tell)
    print(f"{rows:,} calls of {(to_day - from_day).days + 1} days from {lake}")
    return 0


def _tell(day: date, rows: int) -> None:
    print(f"{day} {rows:>12,}", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai clickhouse",
        description=f"The lake's calls in the ClickHouse that {URL} names; the lake is that of LENSAI_CONTROL_*.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("create", help="make the tables that are not there")
    loading = actions.add_parser(
        "load", help="replace whole UTC days by what the lake has of them, as often as you like"
    )
    loading.add_argument(
        "--from", dest="from_day", type=_day, metavar="DAY", help="YYYY-MM-DD, the day before the last"
    )
    loading.add_argument("--to", type=_day, metavar="DAY", help="the last one, today")
    return parser


_day: Callable[[str], date] = date.fromisoformat
