"""Owns `lensai demo`: everything running on this machine for ten seconds, and the proof that its numbers agree.

Sends a mix of calls through a gateway to a sandbox, shows them as they end, and lays the sandbox's bill beside
what was recorded and what landed in Parquet.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType

import msgspec
from rich.console import Console
from rich.text import Text

from gateway.cli.board import PLAIN_WIDTH, Board
from gateway.cli.demo_calls import Call, demo_calls, send
from gateway.cli.demo_report import Landed, report
from gateway.cli.demo_stage import HOST, Stage, stage
from gateway.cli.demo_verdict import Bill, judge
from gateway.cli.processes import ProcessFault
from gateway.contract.record import Record, decode_record
from gateway.journal.reader import Tail
from gateway.lake.landed import landed_files, landed_ids

# So many that calls overlap, so few that each is seen to end.
CLIENTS = 4
# The mix takes four seconds on an idle machine.
CALLS_TIMEOUT_S = 30.0
# The answer that its client left is read on for a second before it is recorded.
RECORDS_TIMEOUT_S = 8.0
# A segment is sealed after one second and landed a quarter of a second later.
LANDING_TIMEOUT_S = 10.0
_BILL_TIMEOUT_S = 5.0
_POLL_S = 0.05
_ABOUT = (
    "Everything running on this machine for some seconds, and the proof that its numbers agree. Sends a mix of calls"
    " through a gateway to a sandbox, shows them as they end, and lays the sandbox's bill beside what was recorded and"
    " what landed in Parquet."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo. 0 if every number agrees, 1 if one does not or something did not start."""
    parser = argparse.ArgumentParser(prog="lensai demo", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("--keep", action="store_true", help="leave the directory, with its journal and Parquet files")
    arguments = parser.parse_args(argv)
    # What was started must be stopped, so a SIGTERM ends this like an exception.
    signal.signal(signal.SIGTERM, _leave)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    directory = Path(tempfile.mkdtemp(prefix="lensai-demo-"))
    try:
        return run_demo(directory, console, os.environ)
    except ProcessFault as fault:
        console.print(Text(str(fault), style="red"))
        return 1
    finally:
        if arguments.keep:
            console.print(Text(f"\n{directory} is kept.", style="dim"))
        else:
            shutil.rmtree(directory)
            console.print(Text(f"\n{directory} is removed; --keep would leave it.", style="dim"))


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def run_demo(directory: Path, console: Console, environ: Mapping[str, str]) -> int:
    """The demo in an empty directory; returns the exit code. Raises ProcessFault."""
    calls = {f"call-{number:02}": call for number, call in enumerate(demo_calls(), 1)}
    with contextlib.ExitStack() as running:
        with console.status("Starting a sandbox provider, a gateway and a lake …"):
            running_stage = running.enter_context(stage(directory, environ))
        console.print(Text(f"{len(calls)} calls through http://{HOST}:{running_stage.port} to a sandbox provider\n"))
        records, unexpected = _perform(running_stage, calls, console)
        with console.status("Waiting for the Parquet file …"):
            landed, astray = _await_landing(running_stage, records)
        verdict = judge(list(calls), records, _fetch_bill(running_stage).lines)
        verdict.differences += unexpected + astray
        console.print()
        report(console, verdict, len(calls), landed)
    return 1 if verdict.differences else 0


def _perform(running: Stage, calls: Mapping[str, Call], console: Console) -> tuple[list[Record], list[str]]:
    """Sends the calls and shows their records; and what clients saw that they should not have, as sentences."""
    records: list[Record] = []
    with contextlib.closing(Tail(running.journal)) as tail, ThreadPoolExecutor(CLIENTS) as clients:
        replies = {
            mark: clients.submit(send, call, mark, HOST, running.port, running.token) for mark, call in calls.items()
        }
        with Board(console, time.monotonic) as board:

            def look() -> bool:
                """Shows what has ended since the last look; True once every call has."""
                for _, payload in tail.poll():
                    records.append(decode_record(payload))
                    board.show(records[-1])
                board.refresh()
                return len(records) >= len(calls)

            _poll(CALLS_TIMEOUT_S, lambda: look() or all(reply.done() for reply in replies.values()))
            _poll(RECORDS_TIMEOUT_S, look)
        clients.shutdown(wait=False, cancel_futures=True)
    return records, [fault for mark, call in calls.items() if (fault := _fault(mark, call, replies[mark]))]


def _fault(mark: str, call: Call, reply: Future[int]) -> str:
    """What was wrong with a reply, or empty."""
    try:
        status = reply.result()
    except (OSError, HTTPException, CancelledError) as error:
        return f"{mark}: its client saw {type(error).__name__}"
    return "" if status == call.expected_status else f"{mark}: status {status} instead of {call.expected_status}"


def _await_landing(running: Stage, records: Sequence[Record]) -> tuple[Landed, list[str]]:
    """Waits until as many rows are in Parquet as were recorded; and which are missing or too many, as sentences."""
    started_s = time.monotonic()

    def request_ids() -> list[str]:
        return [request_id for file in landed_files(running.lake) for request_id in landed_ids(file)]

    _poll(LANDING_TIMEOUT_S, lambda: len(request_ids()) >= len(records))
    rows = request_ids()
    landed = Landed(running.lake, landed_files(running.lake), len(rows), time.monotonic() - started_s)
    missing = Counter(record.request_id for record in records)
    missing.subtract(rows)
    return landed, [
        f"{request_id} is {'missing in' if count > 0 else 'too often in'} Parquet"
        for request_id, count in missing.items()
        if count
    ]


def _fetch_bill(running: Stage) -> Bill:
    connection = HTTPConnection(HOST, running.sandbox_port, timeout=_BILL_TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request("GET", "/_sandbox/bill")
        return msgspec.json.decode(connection.getresponse().read(), type=Bill)


def _poll(timeout_s: float, done: Callable[[], bool]) -> None:
    """Asks at once and then each _POLL_S, until it is done or the time is up."""
    deadline_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not done() and time.monotonic() < deadline_s:
        pause.wait(_POLL_S)
