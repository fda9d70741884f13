"""Owns `lensai lake curate | rollup | retain | verify | query`: what is done to the files that gateways landed.

`python -m control_plane.cli.lake curate` is the same, for a control plane that starts it as a process of its own.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from control_plane.cli import lake_query
from control_plane.cli.operator import CANNOT_START, told
from control_plane.clock import now_ms
from control_plane.db.engine import Database
from control_plane.key_file import load_ring, load_rings
from control_plane.keyring import KeyringError
from control_plane.lake.absorbed import LogGone
from control_plane.lake.curate import Beaten
from control_plane.lake.curated import Lake, open_tables
from control_plane.lake.cycle import Round, curate
from control_plane.lake.engine import EngineFault
from control_plane.lake.rollups import roll_up
from control_plane.lake.verify import verify
from control_plane.retention.run import Retaining
from control_plane.settings import Settings, SettingsError, load_settings
from gateway.lake.store import StoreFault

# What was begun is whole where it was; the next run goes on from there.
AGAIN = 1
# The lake does not add up.
DIFFERENT = 1


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words)
    name = f"lake {arguments.action}"
    try:
        settings = load_settings(os.environ)
        lake = open_tables(arguments.lake or settings.lake, load_ring(settings))
        if arguments.action == "retain":
            return asyncio.run(_retain(lake, settings, arguments))
        if arguments.action == "query":
            return lake_query.run(lake, arguments)
        return _ACTIONS[arguments.action](lake, arguments)
    except (SettingsError, KeyringError, ValueError, OSError) as fault:
        return told(name, fault)
    except DBAPIError as fault:
        return told(name, f"the database cannot be used: {fault.orig}")
    except Beaten:
        print(f"lensai {name}: somebody else does it at this moment; nothing is lost", file=sys.stderr)
        return AGAIN
    except LogGone:
        print(f"lensai {name}: commits of the table events are gone; run lensai lake curate", file=sys.stderr)
        return AGAIN
    except (StoreFault, EngineFault) as fault:
        print(f"lensai {name}: {fault}; nothing is lost, run it again", file=sys.stderr)
        return AGAIN


def _curate(lake: Lake, arguments: argparse.Namespace) -> int:
    curate_all(lake, quiet=arguments.quiet)
    return 0


def curate_all(lake: Lake, *, quiet: bool = False) -> None:
    """Curates until nothing is left, and says what it does. Raises StoreFault, EngineFault, Beaten."""
    for done in curate(lake, now_ms()):
        if not quiet:
            print(_told(done), flush=True)


def _told(done: Round) -> str:
    taken, swept = done.absorbed, done.vacuumed
    return (
        f"absorbed {taken.rows} calls of {taken.files} files ({taken.duplicates} sent twice, {taken.skewed} of clocks"
        f" that are wrong), set {taken.refused} files aside, merged {done.merged} files, rolled up {done.days} days,"
        f" deleted {done.deleted} raw and {swept.files} old files"
    ) + (f", left out {taken.expired} calls past their retention" if taken.expired else "")


async def _retain(lake: Lake, settings: Settings, arguments: argparse.Namespace) -> int:
    """As the database says: plans, an organization's own times, holds, erasures that were asked for."""
    database = Database(settings.database)
    try:
        keyring = lake.keyring or load_rings(settings).secrets
        run = Retaining(database, settings, keyring, lake, now_ms)
        done = await run.run(dry_run=arguments.dry_run)
    finally:
        await database.close()
    would = "would have " if arguments.dry_run else ""
    for org_id in sorted(done.deleted.keys() | done.dropped.keys() | done.rollup_rows.keys()):
        print(
            f"{org_id or '(none)'}: {would}deleted {done.deleted[org_id]} calls, sampled out {done.dropped[org_id]},"
            f" deleted {done.rollup_rows[org_id]} rows of rollups"
        )
    if not done.anything and not arguments.quiet:
        print("nothing is past its time")
    return 0


def _rollup(lake: Lake, arguments: argparse.Namespace) -> int:
    done = roll_up(lake, now_ms(), everything=arguments.everything)
    if not arguments.quiet:
        print(f"rolled up {done.days} days" if done else "the rollups are of what is there")
    return 0


def _verify(lake: Lake, arguments: argparse.Namespace) -> int:
    found = verify(lake, arguments.journal)
    print(f"{found.calls} calls for {found.cost_usd:f} USD are curated, {found.waiting} calls wait for it")
    for line in found.compared:
        print(f"compared: {line}")
    for line in found.differences:
        print(f"DIFFERENT: {line}")
    return DIFFERENT if found.differences else 0


_ACTIONS: dict[str, Callable[[Lake, argparse.Namespace], int]] = {
    "curate": _curate,
    "rollup": _rollup,
    "verify": _verify,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lensai lake", description="What is done to files that have landed.")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, what in (
        (
            "curate",
            "take landed files into the tables, roll up, compact, and delete what is elsewhere; until it is done",
        ),
        ("rollup", "bring the rollups up to date with the events"),
        ("retain", "delete and sample what is past its time, and erase whom the control plane was asked to"),
        ("verify", "compare the tables with each other, with raw files and with a gateway's ledger"),
    ):
        action = actions.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        action.add_argument("--lake", metavar="URL", help="a directory or a store's URL instead of the settings'")
        if name != "verify":
            action.add_argument("--quiet", action="store_true", help="say nothing where all went well")
        if name == "rollup":
            action.add_argument("--everything", action="store_true", help="compute every hour again")
        if name == "retain":
            action.add_argument("--dry-run", action="store_true", help="say what would go, and change nothing")
        if name == "verify":
            action.add_argument(
                "--journal", type=Path, metavar="DIR", help="the journal of the one gateway whose calls are in the lake"
            )
    lake_query.add_arguments(actions.add_parser("query", help="ask a named question, or list them"))
    return parser


__all__ = ["AGAIN", "CANNOT_START", "DIFFERENT", "curate_all", "main"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
