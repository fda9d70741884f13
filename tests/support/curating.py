"""Runs one round of curation until a step, and dies there: `python -m tests.support.curating LAKE NOW_MS STEP`.

STEP counts from 0; a number that is never reached lets it end by itself.
"""

import os
import signal
import sys

from control_plane.lake.curate import Beaten
from control_plane.lake.curated import open_tables
from control_plane.lake.cycle import curate


def main(lake: str, now_ms: int, last: int) -> None:
    left = last

    def step(_name: str) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    try:
        for _ in curate(open_tables(lake), now_ms, step):
            pass
    except Beaten:
        sys.exit(3)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
