"""Owns curation and retention while a control plane runs: every so often, in a process of its own.

What it holds in memory is gone with it, and the API's loop never waits for it. Of several control planes one has its
turn; where two curate all the same, the second one's commits are refused and nothing is lost.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from control_plane.jobs.runner import Job

# A process that hangs on a store must not keep others from their turn for good.
CURATION_S_MAX = 3_600
COMMAND = (sys.executable, "-m", "control_plane.cli.lake")

_log = logging.getLogger("lensai.control_plane.lake")


class CurationFailed(Exception):
    """It is tried again at the next turn; what the process said is in the log."""


def curating(lake: str, every_s: int, variables: Mapping[str, str] | None = None) -> Job:
    """The job that curates a lake; `variables` are added to the environment, such as where its keys are."""
    return _job("curate_lake", (*COMMAND, "curate", "--quiet"), lake, every_s, variables)


def retaining(lake: str, every_s: int, variables: Mapping[str, str]) -> Job:
    """The job that deletes what is past its time, samples and erases; `variables` say where the database is."""
    return _job("retain_lake", (*COMMAND, "retain", "--quiet"), lake, every_s, variables)


def _job(name: str, command: Sequence[str], lake: str, every_s: int, variables: Mapping[str, str] | None) -> Job:
    environ = os.environ | dict(variables or {})

    async def run(_now_ms: int) -> None:
        if not await asyncio.to_thread(_there, lake):
            return  # no gateway has landed anything yet
        process = await asyncio.create_subprocess_exec(
            *command,
            "--lake",
            lake,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
        )
        try:
            async with asyncio.timeout(CURATION_S_MAX):
                _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            text = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
            # An exception is logged without its words.
            _log.error("curation_failed", extra={"job": name, "code": process.returncode, "line": text})
            raise CurationFailed(f"exit {process.returncode}: {text}")
        for line in said.decode("utf-8", "replace").splitlines():
            _log.warning("curation_said", extra={"line": line})

    return Job(name, float(every_s), run)


def _there(lake: str) -> bool:
    return "://" in lake or Path(lake).is_dir()
