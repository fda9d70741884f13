"""Owns a small family of processes: starts them, passes signals on, restarts what dies, ends when told to."""

import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from types import FrameType

# A child that dies at once is not restarted in a tight loop.
RESTART_DELAY_S = 1.0
# A child that ends this soon after its first start never worked: its own message says why, and all stop.
EARLY_DEATH_S = 3.0


class Supervisor:
    """Runs `python -m gateway …` children by name. Blocks in `run` until SIGTERM, SIGINT or a child that cannot start."""

    def __init__(
        self, children: Mapping[str, Sequence[str]], environ: Mapping[str, str], logger: logging.Logger
    ) -> None:
        self._commands = dict(children)
        self._environ = dict(environ)
        self._logger = logger
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._born_s: dict[str, float] = {}
        self._stop = threading.Event()

    def run(self) -> int:
        """The exit code for the parent: 0 after an orderly stop, else that of the child that could not start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)
        for name in self._commands:
            self._start(name)
        failed = 0
        while not failed and not self._stop.wait(0.1):
            failed = self._restart_dead()
        return self._end() or failed

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "gateway", *self._commands[name]]
        # A session of its own: the terminal's Ctrl-C reaches the parent alone, which then stops all in order.
        self._running[name] = subprocess.Popen(command, env=self._environ, start_new_session=True)
        self._born_s.setdefault(name, time.monotonic())

    def _restart_dead(self) -> int:
        for name, child in list(self._running.items()):
            code = child.poll()
            if code is None:
                continue
            if time.monotonic() - self._born_s[name] < EARLY_DEATH_S:
                return code or 1
            self._logger.error("process died and is restarted", extra={"process": name, "code": code})
            if self._stop.wait(RESTART_DELAY_S):
                return 0
            self._start(name)
        return 0

    def _end(self) -> int:
        """Stops the children in the order of their names' listing: what produces first, what collects last."""
        worst = 0
        for child in self._running.values():
            if child.poll() is None:
                child.terminate()
                worst = max(worst, abs(child.wait()))
        return worst

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        for child in self._running.values():
            if child.poll() is None:
                child.send_signal(number)
