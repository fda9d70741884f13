"""Owns the CPU clock of a process under test, and the facts of the machine it runs on. Reads /proc, Linux only.

CPU time is what a call costs; wall time on a shared machine is what the neighbours do. `schedstat` counts it in
nanoseconds, `stat` in ticks of 10 ms: the former measures, the latter only splits user from system.
"""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import msgspec


class CpuTime(msgspec.Struct, frozen=True):
    """CPU consumed so far by a process and its descendants, all threads; the split is coarse."""

    total_ns: int
    user_ticks: int
    system_ticks: int

    def since(self, start: "CpuTime") -> "CpuTime":
        return CpuTime(
            self.total_ns - start.total_ns,
            self.user_ticks - start.user_ticks,
            self.system_ticks - start.system_ticks,
        )


def cpu_time(pid: int) -> CpuTime:
    """Raises FileNotFoundError if the process is gone. Threads and children that ended meanwhile are not seen."""
    total_ns = user_ticks = system_ticks = 0
    for member in _family(pid):
        for schedstat in Path(f"/proc/{member}/task").glob("*/schedstat"):
            total_ns += int(schedstat.read_text().split()[0])
        # The fields after the command, which is in parentheses and may hold spaces; utime and stime are 14 and 15.
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        user_ticks += int(fields[11])
        system_ticks += int(fields[12])
    return CpuTime(total_ns, user_ticks, system_ticks)


def machine() -> dict[str, str]:
    """What a reader must know to compare numbers: processor, cores, kernel, Python, load average."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from _family(int(child))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
