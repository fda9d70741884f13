"""Runs a program of ours until its last file operation: `python -m tests.e2e.crash_lake.dying HOW LAST PLACE MODULE …`.

Every opening, linking, renaming, removing and making of files below PLACE is numbered, from 1, just before the system
is asked for it. HOW is `kill`: at the number LAST the process is killed; or `full`: from it on the disk has no room,
and whatever would take some fails with ENOSPC. A number that is never reached lets it end by itself.
"""

import errno
import os
import runpy
import signal
import sys
from typing import Any

_NUMBERED = frozenset(("open", "os.link", "os.rename", "os.remove", "os.mkdir"))
_TAKING = frozenset(("os.link", "os.mkdir"))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main(how: str, last: int, place: str, module: str, arguments: list[str]) -> None:
    done = 0

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal done
        if event not in _NUMBERED or not _is_below(place, given[0]):
            return
        done += 1
        if done < last:
            return
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if event in _TAKING or (event == "open" and given[2] & _WRITING):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.argv = [module, *arguments]
    sys.addaudithook(hook)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _is_below(place: str, path: object) -> bool:
    return isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(place)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
