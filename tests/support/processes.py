"""Owns child processes of tests: started on free ports, awaited by what they print or open, ended by their pid.

Nothing here sleeps a fixed time: every wait ends as soon as it can, at a deadline at the latest, and at once
when the child dies, with what it printed in the error.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A cold start with all imports takes about a second on a busy two-core machine; ten of those is a hang.
READY_TIMEOUT_S = 15.0
# A drain ends within a second when nothing is in flight.
STOP_TIMEOUT_S = 10.0
# Between two looks at a child; short beside a start, long beside the look.
POLL_S = 0.005
# Of what a child printed, in an error message.
OUTPUT_SHOWN_BYTES = 4_000


class NotReady(AssertionError):
    """The child died or its deadline passed before it was ready; the message ends with what it printed."""


class Child:
    """One running process of ours. Its standard output and error go to one file, in order."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> None:
        self.argv = tuple(argv)
        self._output = tempfile.NamedTemporaryFile(prefix="lensai-test-", suffix=".log")  # noqa: SIM115
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        return Path(self._output.name).read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns once `ready()` is true. Raises NotReady when the child ends first or time runs out."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._ended_within(POLL_S):
                raise NotReady(f"{self.argv[0]} ended with {self.returncode} before {what}:\n{self._shown()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.argv[0]} was not {what} within {timeout_s} s:\n{self._shown()}")

    def wait_for_output(self, text: str, timeout_s: float = READY_TIMEOUT_S) -> str:
        """The first line with that text in it, once it is whole."""
        self.wait_until(lambda: self._line_with(text) is not None, f"heard to say {text!r}", timeout_s)
        line = self._line_with(text)
        assert line is not None
        return line

    def wait_for_port(self, port: int, host: str = "127.0.0.1", timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns once the port accepts a connection."""
        self.wait_until(lambda: accepts(port, host), f"accepting on {host}:{port}", timeout_s)

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """The exit status, once the child has ended by itself."""
        return self._process.wait(timeout_s)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, then the exit status. A child that does not end in time is killed and fails the test."""
        self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f"{self.argv[0]} ignored SIGTERM for {timeout_s} s:\n{self._shown()}") from error

    def kill(self) -> None:
        """SIGKILL; returns when the child is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Whatever still runs is killed, and the output forgotten."""
        if self.returncode is None:
            self.kill()
        self._output.close()

    def _line_with(self, text: str) -> str | None:
        lines = self.output().split("\n")[:-1]
        return next((line for line in lines if text in line), None)

    def _ended_within(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _shown(self) -> str:
        return self.output()[-OUTPUT_SHOWN_BYTES:]


@contextmanager
def running(argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Iterator[Child]:
    """A child that is gone when the block ends, however it ends. It may not be ready yet: wait for it."""
    child = Child(argv, env, cwd)
    try:
        yield child
    finally:
        child.close()


@contextmanager
def running_sandbox(*options: str) -> Iterator[str]:
    """A provider simulator on a free port; gives its base URL."""
    with running((sys.executable, "-m", "gateway.sandbox", "--port", "0", *options)) as child:
        yield child.wait_for_output("listening on ").split()[-1]


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on now. Prefer a child that takes port 0 and says which it got."""
    with socket.socket() as listener:
        listener.bind((host, 0))
        return listener.getsockname()[1]
