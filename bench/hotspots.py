"""Owns the answer to "where does the gateway's time go": CPU µs per call by Python function.

Two passes over one load: without a profiler the CPU clock gives the microseconds of a call, with py-spy its samples
give the shares. A sample in C code or in the kernel is charged to the Python function that called it.
"""

import asyncio
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import msgspec

from bench.scenarios import Scenario, measure
from bench.targets import Target

_DURATION_S = 5.0
# Often enough for a few thousand samples in a pass; py-spy stops the process for each, so not more.
_SAMPLES_PER_S = 400
_ROWS_MAX = 40
# py-spy writes "function (module.py:line)" for Python, "symbol (library.so)" or "symbol (source.c:line)" for C.
_PYTHON_FRAME = re.compile(r"\.py:\d+\)$")
_LINE = re.compile(r":\d+\)$")


class Hotspots(msgspec.Struct, frozen=True):
    """Samples by the innermost Python function, by the line it was at, and by the innermost frame of any kind."""

    samples: int
    by_function: Counter[str]
    by_line: Counter[str]
    by_leaf: Counter[str]


async def profile(target: Target, scenario: Scenario, directory: Path) -> str:
    """The report, as Markdown. Raises RuntimeError if py-spy is not installed or may not trace."""
    assert target.pid is not None
    plain, _ = await measure(target, scenario, _DURATION_S, seed=0)
    unit_us = plain.cpu_us(scenario.per)
    stacks = directory / "stacks"
    tracer = await asyncio.create_subprocess_exec(*_command(target.pid, stacks), stdout=asyncio.subprocess.DEVNULL)
    await measure(target, scenario, _DURATION_S + 1, seed=0)
    if await tracer.wait() != 0:
        raise RuntimeError("py-spy could not trace the gateway; it needs root or ptrace_scope 0")
    spots = read_stacks(stacks.read_text())
    head = f"{scenario.name}: {unit_us:.1f} µs of CPU per {scenario.per}, {spots.samples} samples"
    counts = {"Python function": spots.by_function, "Python line": spots.by_line, "frame": spots.by_leaf}
    return "\n\n".join((head, *(_table(name, spots.samples, count, unit_us) for name, count in counts.items())))


def _command(pid: int, stacks: Path) -> list[str]:
    tracer = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if tracer is None:
        raise RuntimeError("py-spy is not installed: pip install py-spy")
    rate, duration = str(_SAMPLES_PER_S), str(int(_DURATION_S))
    form = ["--format", "raw", "--native", "--gil", "--rate", rate, "--duration", duration]
    return [tracer, "record", "--pid", str(pid), "--output", str(stacks), *form]


def read_stacks(text: str) -> Hotspots:
    """Of py-spy's collapsed stacks, a line each: frames outermost first by `;`, a space, the number of samples."""
    by_function, by_line, by_leaf = Counter[str](), Counter[str](), Counter[str]()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        python = next((frame for frame in reversed(frames) if _PYTHON_FRAME.search(frame)), frames[0])
        by_line[python] += int(count)
        by_function[_LINE.sub(")", python)] += int(count)
        by_leaf[_LINE.sub(")", frames[-1])] += int(count)
    return Hotspots(by_leaf.total(), by_function, by_line, by_leaf)


def _table(head: str, samples: int, counts: Counter[str], unit_us: float) -> str:
    rows = [
        f"| {count / samples * unit_us:.2f} | {count / samples:.1%} | `{frame}` |"
        for frame, count in counts.most_common(_ROWS_MAX)
    ]
    return "\n".join((f"| µs | share | {head} |", "| ---: | ---: | --- |", *rows))
