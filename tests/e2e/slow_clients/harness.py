"""Owns one comparison: the latency of healthy callers alone, among slow ones, and alone again.

The slow ones are measured once their provider rests. Until then it writes two gigabytes of streams into the buffers
between it and them, and on a small machine everybody waits for its processor: its cost, not that of holding slow
connections.
"""

import http.client
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from bench.cpu import cpu_time
from tests.support.gateways import Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import ROOT, Child, running, running_sandbox

HEALTHY = 4
BODY = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello."}]}'
# Between two calls of a healthy caller, so that they do not keep the machine busy by themselves.
THINK_S = 0.01
# Slow heads and bodies are ended by the timeouts of these names; half of the defaults, so that a short run sees it.
SETTINGS = {"LENSAI_HEADER_TIMEOUT_MS": "7500", "LENSAI_BODY_TIMEOUT_MS": "15000"}
READY_TIMEOUT_S = 60.0
# A provider rests when it uses less than this share of a processor.
RESTING_SHARE = 0.05
RESTING_LOOK_S = 0.5


@dataclass
class Compared:
    """Latencies in seconds, sorted; how often the gateway ended a slow client, by kind."""

    alone: list[float]
    among: list[float]
    ended: str
    failures: int

    @property
    def ratio(self) -> float:
        """Of the 99th percentiles."""
        return percentile(self.among, 0.99) / percentile(self.alone, 0.99)


def percentile(latencies: list[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


def compare(directory: Path, slow_each: int, seconds: float) -> Compared:
    """Starts a gateway and a sandbox; leaves nothing running."""
    with (
        running_sandbox() as sandbox,
        running((sys.executable, "-m", "gateway.sandbox", "--port", "0")) as slow_provider,
        gateway_on(directory / "data", _upstreams(sandbox, _origin(slow_provider)), SETTINGS) as gateway,
    ):
        token = gateway.add_key()
        gateway.start()
        _latencies(gateway, token, min(seconds, 2.0))
        before, failed_before = _latencies(gateway, token, seconds / 2)
        swarm = _swarm(gateway, token, slow_each)
        try:
            wait_until(lambda: _rests(slow_provider), lambda: "the slow provider still writes", READY_TIMEOUT_S)
            among, failed_among = _latencies(gateway, token, seconds)
            ended = swarm.communicate(timeout=READY_TIMEOUT_S)[0].strip()
        finally:
            swarm.kill()
            swarm.wait()
        _at_rest(gateway)
        after, failed_after = _latencies(gateway, token, seconds / 2)
        failures = failed_before + failed_among + failed_after
        return Compared(sorted(before + after), sorted(among), ended, failures)


def _origin(sandbox: Child) -> str:
    return sandbox.wait_for_output("listening on ").split()[-1]


def _rests(sandbox: Child) -> bool:
    before = cpu_time(sandbox.pid)
    time.sleep(RESTING_LOOK_S)
    return cpu_time(sandbox.pid).since(before).total_ns < RESTING_SHARE * RESTING_LOOK_S * 1e9


def _upstreams(sandbox: str, slow_sandbox: str) -> str:
    """The slow ones have a provider of their own, so that what is shared is the gateway."""
    slow = f'[upstreams.slow]\nprovider = "openai"\norigin = "{slow_sandbox}"\ncredential_id = "openai"'
    return f"{sandbox_upstreams(sandbox)}\n{slow}"


def _at_rest(gateway: Gateway) -> None:
    """Returns when what the slow ones left behind has been read to its end."""

    def rests() -> bool:
        return b"lensai_inflight_requests 0.0" in gateway.ask_admin("metrics")

    wait_until(rests, lambda: "calls are still under way", READY_TIMEOUT_S)


def _swarm(gateway: Gateway, token: str, slow_each: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.e2e.slow_clients.swarm", str(gateway.port), token, str(slow_each)]
    swarm = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert swarm.stdout is not None
    assert swarm.stdout.readline() == "ready\n"
    return swarm


def _latencies(gateway: Gateway, token: str, seconds: float) -> tuple[list[float], int]:
    """Of calls made by several callers, each on its own connection; and how many calls failed."""
    callers = [_Healthy(gateway.port, token, seconds) for _ in range(HEALTHY)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return [latency for caller in callers for latency in caller.latencies], sum(caller.failures for caller in callers)


class _Healthy(Thread):
    def __init__(self, port: int, token: str, seconds: float) -> None:
        super().__init__(daemon=True)
        self.latencies: list[float] = []
        self.failures = 0
        self._port, self._token, self._seconds = port, token, seconds

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        until = time.monotonic() + self._seconds
        while time.monotonic() < until:
            began = time.monotonic()
            try:
                connection.request("POST", "/openai/v1/chat/completions", BODY, headers)
                answer = connection.getresponse()
                answer.read()
                self.failures += answer.status != 200
            except (OSError, http.client.HTTPException):
                self.failures += 1
                connection.close()
            self.latencies.append(time.monotonic() - began)
            time.sleep(THINK_S)
        connection.close()
