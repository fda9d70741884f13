"""Owns `python -m tests.simulation`: many schedules, each from a seed of its own. Ends with 1 if a promise was broken.

`--replay SEED` runs one again, with a traceback and a debugger's patience.
"""

import argparse
import multiprocessing
import os
import sys
import time

from tests.simulation.schedule import Broken, run

# Each lot goes to one process; small enough for progress to be seen.
LOT = 250


def failures(seeds: range) -> list[tuple[int, str]]:
    """Runs these seeds; those that broke a promise, and what they said."""
    found: list[tuple[int, str]] = []
    for seed in seeds:
        try:
            run(seed)
        except Broken as broken:
            found.append((seed, str(broken)))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="Simulate the leases of budgets.")
    parser.add_argument("--schedules", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule; the others follow")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--replay", type=int, metavar="SEED", help="run this one alone")
    options = parser.parse_args()
    if options.replay is not None:
        print(run(options.replay).plan)
        return 0
    end = options.seed + options.schedules
    lots = [range(start, min(start + LOT, end)) for start in range(options.seed, end, LOT)]
    broken = 0
    began_s = time.monotonic()
    with multiprocessing.Pool(options.jobs) as pool:
        for done, found in enumerate(pool.imap_unordered(failures, lots), 1):
            broken += len(found)
            for seed, said in found:
                print(f"seed {seed}: {said}", flush=True)
            if done % 40 == 0:
                print(f"{done * LOT} schedules, {broken} broken, {time.monotonic() - began_s:.0f} s", flush=True)
    print(f"{options.schedules} schedules from seed {options.seed}: {broken} broken a promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
