"""Owns the answer to "where does the gateway's time go": CPU µs per call by Python function.

Two passes over one load: without a profiler the CPU clock gives the microseconds of a call, with py-spy its samples
give the shares. C code is charged to the Python function that called it. py-spy samples by the wall clock, and a
system call that wakes its peer often loses the processor there: so the kernel's time, which the CPU clock knows, is
shared among the samples in system calls, and the program's among the others.
"""

import asyncio
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import msgspec

from bench.scenarios import Measurement, Scenario, measure
from bench.targets import Target

_DURATION_S = 5.0
# Before the samples begin and after they end; the warm-up and py-spy's own start are over by then.
_MARGIN_S = 1.5
# Often enough for a few thousand samples in a pass; py-spy stops the process for each, so not more.
_SAMPLES_PER_S = 400
_ROWS_MAX = 40
# py-spy writes "function (module.py:line)" for Python, "symbol (library.so)" or "symbol (source.c:line)" for C.
_PYTHON_FRAME = re.compile(r"\.py:\d+\)$")
_LINE = re.compile(r":\d+\)$")
# What uvloop and the journal call; a frame of libc without a name is one of its system call stubs.
_SYSTEM_CALL = re.compile(
    r"^(?:0x[0-9a-f]+|p?read(?:64)?|p?write(?:v|64)?|send|recv|epoll_\w+|f(?:data)?sync|syscall) \(libc"
)


class Hotspots(msgspec.Struct, frozen=True):
    """Samples in the program by innermost Python function, and by its line; those in the kernel by function."""

    functions: Counter[str]
    lines: Counter[str]
    system_calls: Counter[str]


async def profile(target: Target, scenario: Scenario, directory: Path) -> str:
    """The report, as Markdown. Raises RuntimeError if py-spy is not installed or may not trace."""
    assert target.pid is not None
    plain, _ = await measure(target, scenario, _DURATION_S, seed=0)
    stacks = directory / "stacks"
    load = asyncio.create_task(measure(target, scenario, _DURATION_S + 2 * _MARGIN_S, seed=0))
    await asyncio.sleep(_MARGIN_S)
    tracer = await asyncio.create_subprocess_exec(*_command(target.pid, stacks), stdout=asyncio.subprocess.DEVNULL)
    await load
    if await tracer.wait() != 0:
        raise RuntimeError("py-spy could not trace the gateway; it needs root or ptrace_scope 0")
    return _report(scenario, plain, read_stacks(stacks.read_text()))


def _report(scenario: Scenario, plain: Measurement, spots: Hotspots) -> str:
    whole_us = plain.cpu_us(scenario.per)
    kernel_us = whole_us * plain.system_ticks / max(1, plain.user_ticks + plain.system_ticks)
    program_us = whole_us - kernel_us
    return "\n\n".join(
        (
            f"{scenario.name}: {whole_us:.1f} µs of CPU per {scenario.per}, {kernel_us:.1f} of them in the kernel",
            _table("Python function", spots.functions, program_us),
            _table("Python line", spots.lines, program_us),
            _table("system calls of", spots.system_calls, kernel_us),
        )
    )


def _command(pid: int, stacks: Path) -> list[str]:
    tracer = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if tracer is None:
        raise RuntimeError("py-spy is not installed: pip install py-spy")
    rate, duration = str(_SAMPLES_PER_S), str(int(_DURATION_S))
    form = ["--format", "raw", "--native", "--gil", "--rate", rate, "--duration", duration]
    return [tracer, "record", "--pid", str(pid), "--output", str(stacks), *form]


def read_stacks(text: str) -> Hotspots:
    """Of py-spy's collapsed stacks, a line each: frames outermost first by `;`, a space, the number of samples."""
    functions, lines, system_calls = Counter[str](), Counter[str](), Counter[str]()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        python = next((frame for frame in reversed(frames) if _PYTHON_FRAME.search(frame)), frames[0])
        function = _LINE.sub(")", python)
        if _SYSTEM_CALL.match(frames[-1]):
            system_calls[function] += int(count)
        else:
            functions[function] += int(count)
            lines[python] += int(count)
    return Hotspots(functions, lines, system_calls)


def _table(head: str, counts: Counter[str], total_us: float) -> str:
    """The rows share `total_us` by their counts."""
    samples = max(1, counts.total())
    rows = [
        f"| {count / samples * total_us:.2f} | {count} | `{name}` |" for name, count in counts.most_common(_ROWS_MAX)
    ]
    return "\n".join((f"| µs | samples | {head} |", "| ---: | ---: | --- |", *rows))
