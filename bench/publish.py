"""Owns the measurement of changes that a control plane publishes: how soon a gateway obeys, and how soon streams end.

A real control plane on SQLite and a gateway that obeys it. Each round opens streams, triggers a kill switch by the API
and releases it again. `python -m bench.publish`; exits with 1 if a stream was left or ended otherwise.
"""

import argparse
import asyncio
import itertools
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import uvloop
from sqlalchemy import select

from bench import report, results, targets
from bench.cpu import machine
from bench.exchange import REQUEST_VARIANTS, json_request, stream_request
from bench.kill import Client, WatchedProvider
from bench.samples import Spread, Times
from bench.targets import HOST, Target
from control_plane.auth.tables import GatewayToken, Organization, ServiceToken
from control_plane.auth.tokens import new_token
from control_plane.db.engine import EVERY_ORG, Database
from control_plane.db.ids import new_id
from control_plane.keyring import new_key
from control_plane.serve import make_ready
from control_plane.settings import Settings, load_settings

_ROUNDS, _STREAMS = 200, 5
_INTERVAL_US, _EVENTS = 20_000, 100_000
# Forty times what is aimed at; what has not happened by then is a fault.
_TIMEOUT_S = 10.0


class Installation(NamedTuple):
    """A control plane's environment, and who may speak to it."""

    environ: dict[str, str]
    port: int
    owner_token: str
    gateway_token: str


class Measured(msgspec.Struct, frozen=True):
    """All rounds; times in microseconds, from just before the request to the API."""

    rounds: int
    streams: int
    killed: int  # with the error event of the kill switch, in a complete body
    said: Spread | None  # the API has answered that streams are to end
    kill: Spread | None  # a stream's last byte at its client
    publish: Spread | None  # a call is let through again: the gateway obeys the release

    @property
    def whole(self) -> bool:
        return self.killed == self.streams > 0


class Run(msgspec.Struct, frozen=True):
    """What bench/out/ holds of it."""

    started: str
    machine: dict[str, str]
    measured: Measured


async def prepare(directory: Path) -> Installation:
    """A migrated database with an owner's and a gateway's token."""
    port = targets.free_port()
    environ = {
        "LENSAI_CONTROL_DATA_DIR": str(directory),
        "LENSAI_CONTROL_LISTEN_PORT": str(port),
        "LENSAI_CONTROL_SECRET_KEYS": new_key("bench"),
        "LENSAI_CONTROL_POLICY_KEYS": new_key("bench"),
        "LENSAI_CONTROL_LOG_LEVEL": "warning",
        "LENSAI_CONTROL_REQUESTS_PER_MINUTE": "1000000",
    }
    settings = load_settings(environ)
    await make_ready(settings)
    return Installation(environ, port, *await _tokens(settings, int(time.time() * 1000)))


async def _tokens(settings: Settings, now_ms: int) -> tuple[str, str]:
    owner, gateway = new_token("lst_"), new_token("lgw_")
    database = Database(settings.database)
    async with database.writing(EVERY_ORG) as session:
        session.info["now_ms"] = now_ms
        org_id = (await session.execute(select(Organization.id))).scalars().one()
        told = {"name": "bench", "created_at_ms": now_ms}
        session.add(
            ServiceToken(
                id=new_id("tok", now_ms), org_id=org_id, prefix=owner.prefix, sha256=owner.sha256, role="owner",
                created_by="bench", **told,
            )
        )  # fmt: skip
        session.add(GatewayToken(id=new_id("gwt", now_ms), prefix=gateway.prefix, sha256=gateway.sha256, **told))
    await database.close()
    return owner.secret, gateway.secret


class Stage:
    """The API, a gateway that obeys it, a key and its project."""

    def __init__(self, api: httpx.AsyncClient, target: Target, project_id: str, key: str) -> None:
        self._api, self._target, self._project_id, self._key = api, target, project_id, key
        self.said, self.kill, self.publish = Times(), Times(), Times()
        self.killed = self.streams = 0

    async def round(self, streams: int) -> None:
        """Opens streams, ends them by the API and waits until calls go through again."""
        loop = asyncio.get_running_loop()
        opened = [
            (await loop.create_connection(lambda n=n: Client(self._stream(n)), HOST, self._target.port))[1]
            for n in range(streams)
        ]
        async with asyncio.timeout(_TIMEOUT_S):
            await asyncio.gather(*(client.live for client in opened))
        began_ns = time.monotonic_ns()
        await self._post("trigger", reason="measured")
        self.said.add(time.monotonic_ns() - began_ns)
        await asyncio.wait([client.gone for client in opened], timeout=_TIMEOUT_S)
        for client in opened:
            self.streams += 1
            client.transport.abort()
            if client.was_killed:
                self.killed += 1
                self.kill.add(client.last_ns - began_ns)
        began_ns = time.monotonic_ns()
        asked = asyncio.create_task(self._post("release"))
        await self.until_let_through()
        self.publish.add(time.monotonic_ns() - began_ns)
        await asked

    async def until_let_through(self) -> None:
        """Calls one after the other, on one connection, until one is answered."""
        reader, writer = await asyncio.open_connection(HOST, self._target.port)
        request = json_request(f"{HOST}:{self._target.port}", self._target.json_path, self._key)
        async with asyncio.timeout(_TIMEOUT_S):
            while True:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:] if line)
                await reader.readexactly(int(fields[b"content-length"]))
                if head.startswith(b"HTTP/1.1 200"):
                    break
        writer.close()
        await writer.wait_closed()

    async def close(self) -> None:
        await self._api.aclose()

    async def _post(self, verb: str, **more: str) -> None:
        answer = await self._api.post(f"/v1/kill-switch/{verb}", json={"project_id": self._project_id, **more})
        answer.raise_for_status()

    def _stream(self, number: int) -> bytes:
        host, path = f"{HOST}:{self._target.port}", self._target.stream_path
        return stream_request(
            host, path, self._key, number % REQUEST_VARIANTS, events=_EVENTS, interval_us=_INTERVAL_US, ask_usage=False
        )

    def measured(self, rounds: int) -> Measured:
        spreads = (times.spread() for times in (self.said, self.kill, self.publish))
        return Measured(rounds, self.streams, self.killed, *spreads)


async def measure(directory: Path, rounds: int, streams: int) -> Measured:
    """The processes are started and stopped by blocking; nothing flows meanwhile."""
    home = directory / "control-plane"
    there = await prepare(home)
    numbers, providers = itertools.count(), list[WatchedProvider]()

    def accept() -> WatchedProvider:
        providers.append(WatchedProvider(numbers))
        return providers[-1]

    upstream = await asyncio.get_running_loop().create_server(accept, HOST, 0, backlog=1024)
    command = (sys.executable, "-m", "gateway", "control-plane")
    policy = targets.policy_text(upstream.sockets[0].getsockname()[1])
    obeying = {
        "LENSAI_CONTROL_PLANE_URL": f"http://{HOST}:{there.port}",
        "LENSAI_CONTROL_PLANE_TOKEN": there.gateway_token,
        "LENSAI_POLICY_KEYS": there.environ["LENSAI_CONTROL_POLICY_KEYS"],
    }
    async with upstream:
        with (
            targets.running(command, there.port, directory / "control-plane.log", there.environ),
            targets.gateway_of(policy, directory, "obeying", environ=obeying) as target,
        ):
            stage = await _stage(there, target)
            for _ in range(rounds):
                await stage.round(streams)
            await stage.close()
        await asyncio.wait([end.gone for end in providers], timeout=_TIMEOUT_S)
    return stage.measured(rounds)


async def _stage(there: Installation, target: Target) -> Stage:
    headers = {"authorization": f"Bearer {there.owner_token}"}
    api = httpx.AsyncClient(base_url=f"http://{HOST}:{there.port}", headers=headers, timeout=_TIMEOUT_S)
    project = (await api.post("/v1/projects", json={"name": "bench"})).raise_for_status().json()["id"]
    made = await api.post("/v1/keys", json={"project_id": project, "name": "bench", "mode": "metered"})
    stage = Stage(api, target, project, made.raise_for_status().json()["secret"])
    await stage.until_let_through()
    return stage


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    found = run.measured
    measured = (
        ("kill: the API has answered", found.said),
        ("kill: a stream's last byte", found.kill),
        ("publish: a call is let through", found.publish),
    )
    rows = [
        [
            says,
            str(spread.samples),
            *(f"{us / 1000:.1f}" for us in (spread.p50_us, spread.p90_us, spread.p99_us, spread.max_us)),
        ]
        for says, spread in measured
        if spread is not None
    ]
    table = report.table(("from the request, ms, to", "samples", "p50", "p90", "p99", "max"), rows, words=1)
    counts = f"{found.rounds} rounds, {found.streams} streams: {found.killed} ended with the kill switch's error event."
    verdict = "" if found.whole else "**Invalid: every stream must have ended so.**"
    return "\n\n".join(part for part in (f"{run.started}, {facts}", table, counts, verdict) if part)


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output."""
    options = argparse.ArgumentParser(
        prog="python -m bench.publish", description="How soon a gateway obeys what a control plane publishes."
    )
    options.add_argument("--rounds", type=int, default=_ROUNDS, help=f"default: {_ROUNDS}")
    options.add_argument("--streams", type=int, default=_STREAMS, help=f"of each round (default: {_STREAMS})")
    asked = options.parse_args(arguments)
    # A SIGTERM must unwind the blocks as Ctrl-C does, or the processes outlive us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, facts = results.now(), machine()
    with tempfile.TemporaryDirectory(prefix="lensai-bench-") as directory:
        run = Run(started, facts, uvloop.run(measure(Path(directory), asked.rounds, asked.streams)))
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='publish-')}", file=sys.stderr)
    return 0 if run.measured.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
