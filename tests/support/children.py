"""Owns looking into a process's family: which children it has, what they run, and whether they are gone."""

import os
from pathlib import Path


def children(pid: int) -> dict[str, int]:
    """The living children of a process of ours: the words after `-m gateway` -> pid."""
    found: dict[str, int] = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")[:-1]
        except OSError:  # it has ended since it was listed
            continue
        if "gateway" in words:
            found[" ".join(words[words.index("gateway") + 1 :])] = int(child)
    return found


def alive(pid: int) -> bool:
    """Whether a process is there that has not ended; one that nobody waited for has ended."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
