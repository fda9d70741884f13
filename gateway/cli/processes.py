"""Owns other `lensai` commands run beside this one: started, waited for until they say they are ready, stopped."""

import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# An interpreter on a busy machine needs a few seconds to import everything.
READY_TIMEOUT_S = 20.0
# A process that was told to stop and drains; beyond this it is killed.
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.02
# Of a process that failed, the end of what it said.
_SAID_BYTES_MAX = 2_000


class ProcessFault(Exception):
    """A process ended or stayed silent; the message has what it said last."""


class Process:
    """A context: the command runs while it is entered. What it prints goes to a file."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self._name = arguments[0]
        self._log = log
        command = [sys.executable, "-m", "gateway", *arguments]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, named arguments
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # The terminal's Ctrl-C reaches the parent alone, which stops the others in order.
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ready(self, pattern: str) -> str:
        """The first group of the pattern, once the process has printed it. Raises ProcessFault."""
        polls = int(READY_TIMEOUT_S / _POLL_S)
        tick = threading.Event()
        for _ in range(polls):
            code = self._process.poll()
            found = re.search(pattern, self._said())
            if found:
                return found[1]
            if code is not None:
                raise ProcessFault(f"lensai {self._name} ended with code {code}:\n{self._said()[-_SAID_BYTES_MAX:]}")
            tick.wait(_POLL_S)
        raise ProcessFault(f"lensai {self._name} is not ready after {READY_TIMEOUT_S:.0f} s:\n{self._said()}")

    def stop(self) -> int:
        """Asks it to end, and sees that it does. Returns its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _said(self) -> str:
        return self._log.read_text("utf-8", "replace")
