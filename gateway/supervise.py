"""Owns a small family of processes: starts them, passes signals on, restarts what dies, ends them in order."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType

# What a command exits with if it cannot start and has said why. Python's own failures exit with 1.
CANNOT_START = 2
# A child that dies at once is not restarted in a tight loop.
RESTART_DELAY_S = 1.0
# Between two looks at the children: a death is noticed well within the delay above.
POLL_S = 0.1

# Name -> the words after `python -m gateway`.
Stage = Mapping[str, Sequence[str]]


class Supervisor:
    """Runs `python -m gateway …` children by name. `run` blocks until SIGTERM, SIGINT or a child that cannot start.

    `stages` says in which order they end: nothing of a stage is told to before all of the stage before it has
    ended, or has been killed `stop_timeout_s` after it was told.
    """

    def __init__(
        self, stages: Sequence[Stage], environ: Mapping[str, str], logger: logging.Logger, *, stop_timeout_s: float
    ) -> None:
        self._stages = [[_Child(name, words, environ) for name, words in stage.items()] for stage in stages]
        self._logger = logger
        self._stop_timeout_s = stop_timeout_s
        self._stopping = False

    def run(self) -> int:
        """The exit code for the parent: 0 after an orderly stop, CANNOT_START after a child's, else 1."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)
        for child in self._children():
            self._start(child)
        code = 0
        while not code and not self._stopping:
            code = self._restart_dead(time.monotonic())
            time.sleep(POLL_S)
        orderly = self._end()
        return code or (0 if orderly else 1)

    def _children(self) -> Iterator["_Child"]:
        for stage in self._stages:
            yield from stage

    def _start(self, child: "_Child") -> None:
        """Tries again later where the machine has no room for another process: the others must not be left alone."""
        try:
            child.start()
        except OSError:
            self._logger.exception("process_not_started", extra={"child": child.name})
            child.restart_at_s = time.monotonic() + RESTART_DELAY_S

    def _restart_dead(self, now_s: float) -> int:
        """CANNOT_START where a child could not at its first start: its own message says why. Else 0."""
        for child in self._children():
            if child.restart_at_s is not None and now_s >= child.restart_at_s:
                self._start(child)
            elif child.restart_at_s is None and (code := child.process.poll()) is not None:
                # What could start once has met something new, which may pass: the others go on meanwhile.
                if code == CANNOT_START and child.starts == 1:
                    return code
                self._logger.error("process_died", extra={"child": child.name, "code": code})
                child.restart_at_s = now_s + RESTART_DELAY_S
        return 0

    def _end(self) -> bool:
        """Ends the stages one after the other; whether all ended as they should."""
        orderly = True
        for stage in self._stages:
            started = [child for child in stage if child.starts]
            for child in started:
                child.process.terminate()
            deadline_s = time.monotonic() + self._stop_timeout_s
            for child in started:
                code = child.end_by(deadline_s)
                # The signal itself ends a child that has not come so far as to handle it.
                if child.restart_at_s is None and code not in (0, -signal.SIGTERM, CANNOT_START):
                    self._logger.error("process_not_stopped", extra={"child": child.name, "code": code})
                    orderly = False
        return orderly

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _on_hangup(self, number: int, frame: FrameType | None) -> None:
        for child in self._children():
            if child.starts:
                child.process.send_signal(number)


class _Child:
    """One command and its current process."""

    process: subprocess.Popen[bytes]  # from the first start on

    def __init__(self, name: str, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        self.starts = 0
        self.restart_at_s: float | None = None  # dead until then
        self._command = [sys.executable, "-m", "gateway", *words]
        self._environ = dict(environ)

    def start(self) -> None:
        # A session of its own: the terminal's Ctrl-C reaches the parent alone, which then stops all in order.
        self.process = subprocess.Popen(  # noqa: S603
            self._command, env=self._environ, start_new_session=True, preexec_fn=_ignore_hangups
        )
        self.starts += 1
        self.restart_at_s = None

    def end_by(self, deadline_s: float) -> int:
        """Waits for its end, and kills it at the deadline; its exit code, negative for a signal."""
        try:
            return self.process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def _ignore_hangups() -> None:
    """A child that has not come so far as to handle one would die of it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
