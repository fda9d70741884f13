"""Owns one soak: mixed traffic at moderate load for a given time, and what was left behind when it ended."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.e2e.crash.load import Client, Target
from tests.e2e.soak.vitals import Vitals, take
from tests.support.gateways import Gateway, gateway_on, sandbox_upstreams, wait_until
from tests.support.processes import running_sandbox

# Callers beside those who read slowly; about half of a small machine.
CLIENTS = 6
SLOW_READERS = 4
# What one of them takes at a time, and how long it then takes nothing.
SLOW_BYTES, SLOW_PAUSE_S = 2_000, 0.05
# Between two looks at the process.
SAMPLE_S = 2.0
# For connections that wait to be noticed and closed: the idle timeouts below, and a sweep.
SETTLE_S = 20.0
SETTINGS = {
    "LENSAI_IDLE_TIMEOUT_MS": "2000",
    "LENSAI_UPSTREAM_IDLE_TIMEOUT_MS": "2000",
    "LENSAI_DRAIN_TIMEOUT_MS": "2000",
}

Say = Callable[[str], None]


@dataclass
class Soak:
    """What was seen. `before` and `after` are the process at rest."""

    before: Vitals
    after: Vitals
    samples: list[Vitals] = field(default_factory=list[Vitals])
    sent: int = 0
    slow: int = 0

    @property
    def left(self) -> dict[str, tuple[float, float]]:
        """What is more at rest afterwards than it was before, by gauge."""
        pairs = {name: (self.before.gauges[name], value) for name, value in self.after.gauges.items()}
        return {name: pair for name, pair in pairs.items() if pair[1] > pair[0]}


class SlowReader(threading.Thread):
    """Asks for long streams and takes them bit by bit; sometimes it leaves in the middle of one."""

    def __init__(self, target: Target, seed: str) -> None:
        super().__init__(daemon=True)
        self.read = 0
        self._target = target
        self._random = Random(seed)

    def run(self) -> None:
        while not self._target.stopped.is_set():
            with socket.create_connection(("127.0.0.1", self._target.port), timeout=10) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.sendall(self._request())
                self._take(connection, pieces=self._random.randint(5, 60))
            self.read += 1

    def _request(self) -> bytes:
        body = b'{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"Count."}]}'
        return (
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\nx-sandbox-tokens: 2000\r\ncontent-length: %d\r\n\r\n%b"
        ) % (self._target.token.encode(), len(body), body)

    def _take(self, connection: socket.socket, pieces: int) -> None:
        for _ in range(pieces):
            if self._target.stopped.wait(SLOW_PAUSE_S) or not connection.recv(SLOW_BYTES):
                return


def soak(directory: Path, seconds: float, seed: int, say: Say) -> Soak:
    """Loads a gateway for so long. Leaves nothing running."""
    with (
        running_sandbox() as sandbox,
        gateway_on(directory / "data", sandbox_upstreams(sandbox), SETTINGS) as gateway,
    ):
        target = Target(gateway.add_key())
        child = gateway.spawn()
        gateway.listening(child)
        gateway.start_lake()
        target.port = gateway.port
        target.up.set()
        _warm(target)
        before = _at_rest(gateway, child.pid, None)
        callers = [Client(target, f"c{number}", f"{seed}/{number}") for number in range(CLIENTS)]
        slow = [SlowReader(target, f"{seed}/slow/{number}") for number in range(SLOW_READERS)]
        samples = _loaded(gateway, child.pid, target, [*callers, *slow], seconds, say)
        assert not [caller.fault for caller in callers if caller.fault is not None]
        after = _at_rest(gateway, child.pid, before)
        return Soak(before, after, samples, sum(caller.sent for caller in callers), sum(one.read for one in slow))


def _warm(target: Target) -> None:
    """One call of each kind by one caller, so that what is loaded once is loaded."""
    caller = Client(target, "warm", "warm")
    caller.start()
    wait_until(lambda: caller.sent > 60, lambda: f"{caller.sent} calls")
    target.stopped.set()
    caller.join()
    target.stopped.clear()


def _loaded(
    gateway: Gateway, pid: int, target: Target, callers: list[threading.Thread], seconds: float, say: Say
) -> list[Vitals]:
    samples: list[Vitals] = []
    began_s = time.monotonic()
    for caller in callers:
        caller.start()
    while (at_s := time.monotonic() - began_s) < seconds:
        samples.append(take(gateway, pid, at_s))
        if len(samples) % 30 == 0:
            say(f"{at_s / 60:5.1f} min  {samples[-1].rss_bytes / 1e6:7.1f} MB  {samples[-1].gauges}")
        time.sleep(SAMPLE_S)
    target.stopped.set()
    for caller in callers:
        caller.join()
    return samples


def _at_rest(gateway: Gateway, pid: int, before: Vitals | None) -> Vitals:
    """The process once its idle connections are closed; as it is after `SETTLE_S` if something is left."""
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        now = take(gateway, pid, 0.0)
        wanted = before.gauges if before else {"lensai_connections": 0.0, "lensai_upstream_connections": 0.0}
        if all(now.gauges[name] <= value for name, value in wanted.items()) or time.monotonic() > deadline_s:
            return now
        time.sleep(0.2)
