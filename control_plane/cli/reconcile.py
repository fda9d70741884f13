"""Owns `lensai reconcile`: exports of providers compared with the calls of a lake, without a control plane."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import msgspec

from control_plane.cli.operator import CANNOT_START, told
from control_plane.lake.query import Unanswered
from control_plane.reconciliation import ours, rendered
from control_plane.reconciliation.compare import compare
from control_plane.reconciliation.lines import Account, Unreadable
from control_plane.reconciliation.service import coverage, covered_days, read, span
from control_plane.reconciliation.sources import SOURCE_NAMES, SourceName
from pricing.catalog import Catalog

NAME = "reconcile"
# Something differs by more than our own number may be off.
DIFFERS = 1
_ALARMING = frozenset({"bypass_suspected", "overcounted"})


def main(words: Sequence[str], environ: Mapping[str, str] = os.environ, now_s: int | None = None) -> int:
    """0: nothing differs by more than it may; 1: something does; 2: a file or the lake cannot be used."""
    arguments = _parser().parse_args(words)
    taken_at_ms = (int(time.time()) if now_s is None else now_s) * 1000
    try:
        accounts: list[tuple[SourceName, Account]] = [
            (source, _account(source, file)) for source, file in _files(arguments.export)
        ]
        from_day = min(account.from_day for _, account in accounts)
        to_day = max(account.to_day for _, account in accounts)
        lake = arguments.lake or environ.get("LENSAI_LAKE_URL") or ".lensai/lake"
        counted = ours.days(lake, arguments.org, from_day - ours.ONE_DAY, to_day)
    except (Unreadable, Unanswered, OSError) as fault:
        return told(NAME, fault)
    taken = _taken(accounts, taken_at_ms)
    lines = [line for _, account in accounts for line in account.lines]
    mapped = dict(pair.rpartition("=")[::2] for pair in arguments.mapped)
    comparison = compare(counted, lines, coverage(taken), from_day, to_day, Catalog.load(), mapped)
    report = rendered.report(comparison, from_day, to_day, covered_days(taken))
    shown = {
        "text": lambda: rendered.as_text(report),
        "json": lambda: msgspec.json.encode(report).decode() + "\n",
        "csv": lambda: rendered.as_csv(report.rows),
    }
    sys.stdout.write(shown[arguments.form]())
    return DIFFERS if _ALARMING & report.verdicts.keys() else 0


def _files(exports: Sequence[str]) -> Sequence[tuple[SourceName, Path]]:
    """Raises Unreadable for a source that there is not, and for one that is named twice."""
    known: dict[str, SourceName] = {name: name for name in SOURCE_NAMES}
    found: dict[SourceName, Path] = {}
    for text in exports:
        source, _, file = text.partition("=")
        name = known.get(source)
        if name is None or not file:
            raise Unreadable(f"{text}: write SOURCE=FILE, with one of {', '.join(SOURCE_NAMES)}")
        if name in found:
            raise Unreadable(f"{text}: {source} is named twice; put its pages into one file, one a line")
        found[name] = Path(file)
    return list(found.items())


def _taken(accounts: Sequence[tuple[SourceName, Account]], at_ms: int) -> Mapping[tuple[SourceName, date], int]:
    taken: dict[tuple[SourceName, date], int] = {}
    for source, account in accounts:
        taken |= dict.fromkeys(((source, day) for day in span(account)), at_ms)
    return taken


def _account(source: SourceName, file: Path) -> Account:
    try:
        return read(source, file.read_bytes())
    except Unreadable as fault:
        raise Unreadable(f"{file}: {fault}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lensai reconcile",
        description="Compares what the gateways counted with providers' own exports, by day and model.",
        epilog=f"Exit code {DIFFERS}: something differs by more than it may; {CANNOT_START}: a file cannot be used.",
    )
    parser.add_argument("export", nargs="+", metavar="SOURCE=FILE", help=f"SOURCE is one of {', '.join(SOURCE_NAMES)}")
    parser.add_argument("--lake", metavar="URL", help="directory or bucket; without, LENSAI_LAKE_URL or .lensai/lake")
    parser.add_argument("--org", default="default", metavar="ID", help="whose calls; the policy file's are `default`")
    parser.add_argument(
        "--map", dest="mapped", action="append", default=[], metavar="BILLED=MODEL",
        help="the model that a name on the bill means, where it is not recognised",
    )  # fmt: skip
    parser.add_argument("--form", choices=("text", "json", "csv"), default="text")
    return parser
