"""Owns `lensai tail`: the calls of a machine's gateways as they end, read from their journals.

It only reads files, so it costs the gateways nothing and works while they are busy or down.
"""

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console

from gateway.cli.board import Board
from gateway.contract.record import Record, decode_record
from gateway.journal.frame import SegmentTooNew
from gateway.journal.reader import Tail

# Quick enough to look live, and far quicker than a segment can come and go.
POLL_S = 0.1

# Waits the given time; True ends the command.
Pause = Callable[[float], bool]


def main(argv: Sequence[str], data_dir: Path) -> int:
    """Reads the command's arguments and runs it; returns the exit code. `data_dir` is that of the settings."""
    parser = argparse.ArgumentParser(prog="lensai tail", description="The calls of this machine's gateways, live.")
    parser.add_argument("--project", action="append", default=[], metavar="ID", help="only this one; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON object a call, for jq and scripts")
    parser.add_argument("--data-dir", type=Path, default=data_dir, help=f"the gateway's data_dir (default: {data_dir})")
    arguments = parser.parse_args(argv)
    return run_tail(arguments.data_dir / "journal", projects=arguments.project, as_json=arguments.json)


def run_tail(
    journal: Path,
    *,
    projects: Collection[str] = (),
    as_json: bool = False,
    output: TextIO = sys.stdout,
    pause: Pause | None = None,
) -> int:
    """Shows calls that end from now on until interrupted; returns the exit code.

    `journal` holds the workers' directories and need not exist yet. `projects` are ids, none meaning all.
    As JSON, each call is one line with every field of its Record, integers in the units of their names.
    """
    try:
        with contextlib.closing(Tail(journal)) as tail:
            polls = _polls(tail, frozenset(projects), pause or threading.Event().wait)
            if as_json:
                _write_json(polls, output)
            else:
                _show(polls, Console(file=output, highlight=False), f"Waiting for calls in {journal} …")
    except SegmentTooNew as error:
        sys.stderr.write(f"lensai tail: {error}\n")
        return 1
    except BrokenPipeError:
        return 0  # the reader of a pipe, such as head, has seen enough
    except KeyboardInterrupt:
        return 0
    return 0


def _polls(tail: Tail, projects: Collection[str], pause: Pause) -> Iterator[Iterable[Record]]:
    """What each look at the journal found, for ever or until told to end."""
    while True:
        records = (decode_record(payload) for _, payload in tail.poll())
        yield (record for record in records if not projects or record.project_id in projects)
        if pause(POLL_S):
            return


def _write_json(polls: Iterator[Iterable[Record]], output: TextIO) -> None:
    for records in polls:
        for record in records:
            output.write(msgspec.json.encode(msgspec.structs.asdict(record)).decode() + "\n")
        output.flush()


def _show(polls: Iterator[Iterable[Record]], console: Console, waiting: str) -> None:
    with Board(console, time.monotonic, waiting=waiting) as board:
        for records in polls:
            for record in records:
                board.show(record)
            board.refresh()
