"""Owns `python -m tests.e2e.crash_lake`: kills landing and curation at every file operation, and compares the books."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.e2e.crash_lake.harness import Run, run

SHOWN_MAX = 20


def main() -> int:
    """0 if the provider's bill, the ledger and the lake agree, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.crash_lake", description=__doc__)
    parser.add_argument("--kills", type=int, help="so many operations, drawn by the seed, instead of every one")
    parser.add_argument("--among", type=int, default=120, help="the first operations these are drawn from (120)")
    parser.add_argument("--seed", type=int, default=1, help="of the operations and the calls (default: 1)")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    chosen = None if arguments.kills is None else drawn(arguments.seed, arguments.kills, arguments.among)
    with tempfile.TemporaryDirectory(prefix="lensai-crash-lake-") as directory:
        done = run(Path(directory), arguments.seed, chosen, say=lambda text: print(text, flush=True))
    print(report(done))
    print(f"seed {arguments.seed}, {time.monotonic() - began_s:.0f} s")
    return 0 if done.faultless else 1


def drawn(seed: int, count: int, among: int) -> list[int]:
    """Operations at which curation dies, in no order."""
    return Random(seed).sample(range(1, among + 1), count)


def report(done: Run) -> str:
    """The books of one run, for a person."""
    verdict = done.verdict
    lines = [
        f"landing killed   {done.deaths['landing']:7,}   at operations {sorted(set(done.steps['landing']))}",
        f"curation killed  {done.deaths['curation']:7,}   of {len(done.steps['curation'])} runs",
        f"calls attempted  {done.sent:7,}",
        f"calls billed     {verdict.billed:7,}",
        f"calls in events  {verdict.recorded:7,}",
    ]
    for name, found in (
        ("missing", verdict.missing),
        ("duplicate", verdict.duplicate),
        ("different", [*verdict.different, *done.differences]),
        ("budgets", done.budgets.faults),
    ):
        lines.append(f"{name:<17}{len(found):7,}")
        lines += [f"    {each}" for each in found[:SHOWN_MAX]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
