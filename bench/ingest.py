"""Owns the measurement of `POST /v1/events`: signed batches at a steady rate into a real control plane and its lake.

`python -m bench.ingest`; exits with 1 if an answer was not 200, or the lake has not exactly what was accepted.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import uvloop
from sqlalchemy import select

from bench import report, results
from bench.cpu import cpu_time, machine
from bench.load import Fleet
from bench.samples import Spread
from control_plane.auth.tables import Organization
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.ingest.landed import read_records
from control_plane.ingest.signature import sign
from control_plane.ingest.tables import IngestKey
from control_plane.keyring import Keyring, new_key, read_ring
from control_plane.projects.tables import Project
from control_plane.serve import make_ready
from control_plane.settings import load_settings

_HOST = "127.0.0.1"
_RATE, _DURATION_S, _EVENTS, _CONNECTIONS, _SEED = 1000, 10.0, 1, 64, 1
_WARM_S = 2.0
_READY_S = 20.0
# More than anybody here reports.
_EVENTS_PER_S = 100_000
_SECRET = "lis_of-the-bench-0123456789abcdef"


class Installation(msgspec.Struct, frozen=True):
    """A control plane's directory and environment, with one ingest key in its database."""

    environ: dict[str, str]
    port: int
    key_id: str
    lake: Path
    ring: dict[str, bytes]


class Measured(msgspec.Struct, frozen=True):
    """One run. `landed` are the distinct events in the lake's files when the process had stopped."""

    rate: int
    events: int  # in each batch
    calls: int
    errors: int
    accepted: int
    landed: int
    cpu_us: float  # of each call, landing included
    total: Spread | None

    @property
    def whole(self) -> bool:
        return not self.errors and self.accepted == self.landed


class Run(msgspec.Struct, frozen=True):
    """What bench/out/ holds of it."""

    started: str
    machine: dict[str, str]
    measured: Measured


async def prepare(directory: Path) -> Installation:
    """A migrated database, a project and a key that may report for it."""
    port, secret_keys = _free_port(), new_key("bench")
    environ = {
        "LENSAI_CONTROL_DATA_DIR": str(directory),
        "LENSAI_CONTROL_LISTEN_PORT": str(port),
        "LENSAI_CONTROL_SECRET_KEYS": secret_keys,
        "LENSAI_CONTROL_POLICY_KEYS": new_key("bench"),
        "LENSAI_CONTROL_LOG_LEVEL": "warning",
    }
    settings = load_settings(environ)
    await make_ready(settings)
    ring = read_ring(secret_keys)
    database = Database(settings.database)
    key_id = await _add_key(database, Keyring(ring), int(time.time() * 1000))
    await database.close()
    return Installation(environ, port, key_id, Path(settings.lake), ring)


async def _add_key(database: Database, keyring: Keyring, now_ms: int) -> str:
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        org_id = (await session.execute(select(Organization.id))).scalars().first()
        project_id, key_id = new_id("prj", now_ms), new_id("igk", now_ms)
        times = {"created_at_ms": now_ms, "updated_at_ms": now_ms, "version": 1}
        project = Project(id=project_id, org_id=org_id, owner_id="bench", name="bench", archived_at_ms=None, **times)
        session.add(project)
        await session.flush()
        sealed = keyring.seal(_SECRET, f"ingest_keys:{key_id}")
        session.add(
            IngestKey(
                id=key_id, org_id=org_id, project_id=project_id, name="bench", prefix="lis_", sealed=sealed,
                previous_until_ms=None, events_per_s=_EVENTS_PER_S, created_by="bench", revoked_at_ms=None, **times,
            )
        )  # fmt: skip
    return key_id


def requests(there: Installation, first: int, count: int, events: int, now_s: int) -> Iterator[bytes]:
    """So many signed requests, each with events that none before it had."""
    ts = datetime.fromtimestamp(now_s, UTC).isoformat()
    for number in range(first, first + count):
        body = json.dumps([_event(f"{number}-{place}", ts) for place in range(events)]).encode()
        at = b"%d" % now_s
        head = (
            f"POST /v1/events HTTP/1.1\r\nHost: {_HOST}:{there.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Lensai-Key-Id: {there.key_id}\r\nX-Lensai-Timestamp: {now_s}\r\n"
            f"X-Lensai-Signature: {sign(_SECRET.encode(), at, body).decode()}\r\n\r\n"
        )
        yield head.encode() + body


def _event(request_id: str, ts: str) -> dict[str, object]:
    return {
        "request_id": request_id, "ts": ts, "user_id": "user-1234", "team": "search", "route": "checkout",
        "tags": ["nightly", "eu"], "metadata": {"job": "summaries", "try": 1}, "provider": "openai",
        "model": "gpt-4o-mini", "endpoint": "chat.completions", "status": 200, "latency_ms": 812.5, "ttft_ms": 240.25,
        "buckets": {"input_text": 1024, "cache_read_text": 512, "output_text": 130},
    }  # fmt: skip


@contextlib.contextmanager
def serving(environ: Mapping[str, str], port: int) -> Iterator[int]:
    """A control plane of that environment; gives its pid, and stops it with SIGTERM."""
    child = subprocess.Popen((sys.executable, "-m", "gateway", "control-plane"), env={**os.environ, **environ})
    try:
        _wait_for(port, child)
        yield child.pid
    finally:
        child.terminate()
        child.wait()


def _wait_for(port: int, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_S
    while child.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((_HOST, port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError("the control plane did not start")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((_HOST, 0))
        return one.getsockname()[1]


async def measure(directory: Path, rate: int, duration_s: float, events: int) -> Measured:
    """One process from its start to its end; the first seconds are not counted."""
    there = await prepare(directory)
    # Poisson arrivals may be some more than rate times duration.
    warm, counted = (int(1.1 * rate * seconds) + 100 for seconds in (_WARM_S, duration_s))
    now_s = int(time.time())
    made = list(requests(there, 0, warm + counted, events, now_s))
    with serving(there.environ, there.port) as pid:
        async with Fleet(_HOST, there.port, connections=_CONNECTIONS) as fleet:
            warmed = await fleet.open_loop(made[:warm], rate=rate, duration_s=_WARM_S, seed=_SEED)
            before = cpu_time(pid)
            samples = await fleet.open_loop(made[warm:], rate=rate, duration_s=duration_s, seed=_SEED)
            cpu = cpu_time(pid).since(before)
    return Measured(
        rate=rate,
        events=events,
        calls=samples.calls,
        errors=samples.errors + warmed.errors,
        accepted=(samples.calls + warmed.calls) * events,
        landed=_landed(there),
        cpu_us=cpu.total_ns / 1000 / max(1, samples.calls),
        total=samples.total.spread(),
    )


def _landed(there: Installation) -> int:
    files = there.lake.glob("ingest/dt=*/project_id=*/*.ndjson")
    return len({one.request_id for file in files for one in read_records(file.read_bytes(), Keyring(there.ring))})


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    found = run.measured
    spread = found.total
    latency = [f"{us / 1000:.1f}" for us in (spread.p50_us, spread.p99_us, spread.max_us)] if spread else ["-"] * 3
    row = [str(found.rate), str(found.events), str(found.calls), *latency, f"{found.cpu_us:.0f}"]
    heads = ("calls/s", "events each", "calls", "p50 ms", "p99 ms", "max ms", "CPU µs a call")
    counts = f"{found.accepted} events accepted, {found.landed} in the lake, {found.errors} errors."
    verdict = "" if found.whole else "**Invalid: all must be answered 200, and what was accepted must be there.**"
    table = report.table(heads, [row], words=0)
    return "\n\n".join(part for part in (f"{run.started}, {facts}", table, counts, verdict) if part)


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output."""
    options = argparse.ArgumentParser(prog="python -m bench.ingest", description="What reporting events costs.")
    options.add_argument("--rate", type=int, default=_RATE, help=f"calls a second (default: {_RATE})")
    options.add_argument("--seconds", type=float, default=_DURATION_S, help=f"how long (default: {_DURATION_S:g})")
    options.add_argument("--events", type=int, default=_EVENTS, help=f"events in each batch (default: {_EVENTS})")
    asked = options.parse_args(arguments)
    # A SIGTERM must unwind the blocks as Ctrl-C does, or the control plane outlives us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, facts = results.now(), machine()
    with tempfile.TemporaryDirectory(prefix="lensai-bench-") as directory:
        measured = uvloop.run(measure(Path(directory), asked.rate, asked.seconds, asked.events))
    run = Run(started, facts, measured)
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='ingest-')}", file=sys.stderr)
    return 0 if measured.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
