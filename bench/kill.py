"""Owns the measurement of the kill switch: how soon live streams end once the policy that kills them is signalled.

Both ends of every stream are in this process: one clock, and a read that is late counts against the gateway.
`python -m bench.kill`; exits with 1 if a stream was left, ended otherwise, or was not settled.
"""

import argparse
import asyncio
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench import report, results, targets
from bench.cpu import machine
from bench.exchange import REQUEST_VARIANTS, stream_request
from bench.samples import Spread, Times
from bench.targets import HOST, METERED_TOKEN, POLICY_FILE, QUOTAS, Target
from bench.upstream import Provider
from gateway.contract.record import Record, decode_record
from gateway.journal.frame import FINAL
from gateway.journal.reader import SegmentReader, workers

_STREAMS, _ROUNDS = 500, 3
_INTERVAL_US = 100_000
# More than any round lasts: only the kill switch ends a stream.
_EVENTS = 100_000
# Ten events of each stream: connections, buffers and the collector have come to rest.
_LIVE_S = 1.0
# A hundred times what is aimed at; what has not ended by then is left.
_END_TIMEOUT_S = 5.0
# The error event, the last chunk, and what may stand before them in one read.
_TAIL_BYTES = 4096
_LAST_CHUNK = b"\r\n0\r\n\r\n"

KILL_SWITCH = """
[[kill_switches]]
id = "bench"
scope = { project = "bench" }
reason = "measured"
"""


class Client(asyncio.Protocol):
    """The client's end of one stream. `last_ns` is when the last bytes so far were read."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._request = request
        self.last_ns = 0
        self.tail = b""
        self.live: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.last_ns = time.monotonic_ns()
        self.tail = (self.tail + data)[-_TAIL_BYTES:]
        if not self.live.done():
            self.live.set_result(None)
        if self.tail.endswith(_LAST_CHUNK):  # the connection itself is kept: the answer was whole
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.gone.done():
            self.gone.set_result(None)

    @property
    def was_killed(self) -> bool:
        """Whether its body is complete, and ends with the error event of the kill switch."""
        *_, last = self.tail.removesuffix(_LAST_CHUNK).strip().split(b"\n\n")
        return self.tail.endswith(_LAST_CHUNK) and b'"code":"kill_switch"' in last


class WatchedProvider(Provider):
    """The provider's end of one stream; `lost_ns` is when it saw the connection closed."""

    def __init__(self, numbers: "itertools.count[int]") -> None:
        super().__init__(numbers)
        self.lost_ns = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_ns = time.monotonic_ns()
        super().connection_lost(exc)
        self.gone.set_result(None)


class Killed(msgspec.Struct, frozen=True):
    """What became of the streams of all rounds; the times count from just before the signal."""

    streams: int
    ended: int  # with the error event of the kill switch, in a complete body
    left: int  # at either end, when we gave up
    settled: int  # finals in the journal that say so, and what was charged
    client: Spread | None
    provider: Spread | None

    @property
    def whole(self) -> bool:
        """Whether every stream ended as it should, at both ends and in the journal."""
        return self.ended == self.settled == self.streams and not self.left


class Run(msgspec.Struct, frozen=True):
    """What bench/out/ holds of it."""

    started: str  # UTC, ISO 8601
    machine: dict[str, str]
    killed: Killed


class Round(msgspec.Struct):
    """The streams of one gateway, once they have ended or were given up, and what its journal says of them."""

    began_ns: int
    clients: Sequence[Client]
    providers: Sequence[WatchedProvider]
    finals: Sequence[Record]


def killed(rounds: Sequence[Round]) -> Killed:
    """All rounds as one."""
    client, provider = Times(), Times()
    for one in rounds:
        for end in one.clients:
            if end.was_killed:
                client.add(end.last_ns - one.began_ns)
        for end in one.providers:
            if end.gone.done():
                provider.add(end.lost_ns - one.began_ns)
    ends = [end for one in rounds for end in (*one.clients, *one.providers)]
    return Killed(
        streams=sum(len(one.clients) for one in rounds),
        ended=len(client),
        left=sum(not end.gone.done() for end in ends),
        settled=sum(_is_settled(final) for one in rounds for final in one.finals),
        client=client.spread(),
        provider=provider.spread(),
    )


def _is_settled(final: Record) -> bool:
    """Whether a record says that the kill switch ended it, and that each of its quotas was charged, by a number."""
    ended = (final.outcome, final.refusal_code) == ("cancelled", "kill_switch")
    return ended and final.ledger_seq > 0 and len(final.counters or ()) == QUOTAS.count("[[quotas]]")


def markdown(run: Run) -> str:
    """The whole report."""
    facts = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    rows = [
        [says, *(f"{us / 1000:.1f}" for us in (spread.p50_us, spread.p99_us, spread.max_us))]
        for says, spread in (("the client's last byte", run.killed.client), ("the provider's end", run.killed.provider))
        if spread is not None
    ]
    found = run.killed
    counts = (
        f"{found.streams} streams: {found.ended} ended with the kill switch's error event, {found.left} were left, "
        f"{found.settled} were settled."
    )
    verdict = "" if found.whole else "**Invalid: every stream must have ended so and be settled.**"
    table = report.table(("from the signal, ms, to", "p50", "p99", "max"), rows, words=1)
    return "\n\n".join(part for part in (f"{run.started}, {facts}", table, counts, verdict) if part)


async def _round(target: Target, policy: Path, providers: list[WatchedProvider], streams: int) -> Round:
    """Opens the streams, lets them flow, kills them and waits for their ends; the journal is still to be read."""
    loop = asyncio.get_running_loop()
    requests = itertools.cycle(_requests(target))
    clients = [
        (await loop.create_connection(lambda: Client(next(requests)), HOST, target.port))[1] for _ in range(streams)
    ]
    await asyncio.wait_for(asyncio.gather(*(client.live for client in clients)), _END_TIMEOUT_S)
    await asyncio.sleep(_LIVE_S)
    assert target.pid is not None, "a gateway has a process"
    policy.write_text(policy.read_text() + KILL_SWITCH)  # noqa: ASYNC240 - before the clock starts
    began_ns = time.monotonic_ns()
    os.kill(target.pid, signal.SIGHUP)
    ends = (*clients, *providers)
    await asyncio.wait([end.gone for end in ends], timeout=_END_TIMEOUT_S)
    for client in clients:
        client.transport.abort()
    return Round(began_ns, clients, providers, ())


def _requests(target: Target) -> Iterable[bytes]:
    host = f"{HOST}:{target.port}"
    return [
        stream_request(
            host, target.stream_path, METERED_TOKEN, variant, events=_EVENTS, interval_us=_INTERVAL_US, ask_usage=False
        )
        for variant in range(REQUEST_VARIANTS)
    ]


async def _measure(directory: Path, streams: int) -> Round:
    """One round, with a provider and a gateway of its own."""
    providers: list[WatchedProvider] = []
    numbers = itertools.count()

    def accept() -> WatchedProvider:
        providers.append(WatchedProvider(numbers))
        return providers[-1]

    upstream = await asyncio.get_running_loop().create_server(accept, HOST, 0, backlog=1024)
    async with upstream:
        port = upstream.sockets[0].getsockname()[1]
        # The gateway is started and stopped by blocking; nothing flows meanwhile.
        with targets.gateway(port, directory, "kill", quotas=QUOTAS) as target:
            measured = await _round(target, directory / "kill" / POLICY_FILE, providers, streams)
    measured.finals = _finals(directory / "kill")
    return measured


def _finals(home: Path) -> list[Record]:
    """How every call ended, as the journal of a gateway that has stopped says."""
    segments = sorted(path for worker in workers(home / "journal") for path in worker.glob("*-*-*.*"))
    frames = (frame for path in segments for frame in SegmentReader(path).frames())
    return [decode_record(frame.payload) for frame in frames if frame.kind == FINAL]


def main(arguments: Sequence[str]) -> int:
    """The exit status; the report is on standard output."""
    options = argparse.ArgumentParser(prog="python -m bench.kill", description="How soon a kill switch ends streams.")
    options.add_argument("--streams", type=int, default=_STREAMS, help=f"streams at a time (default: {_STREAMS})")
    options.add_argument("--rounds", type=int, default=_ROUNDS, help=f"gateways, one by one (default: {_ROUNDS})")
    asked = options.parse_args(arguments)
    # A SIGTERM must unwind the blocks as Ctrl-C does, or the gateway outlives us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, facts, rounds = results.now(), machine(), list[Round]()
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory(prefix="lensai-bench-") as directory:
            rounds.append(uvloop.run(_measure(Path(directory), asked.streams)))
    run = Run(started, facts, killed(rounds))
    print(markdown(run))
    print(f"Written to {results.save(run, started, prefix='kill-')}", file=sys.stderr)
    return 0 if run.killed.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
