"""Owns `python -m tests.e2e.crash`: kills a gateway under load as often as asked, and tells what the books say."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.crash.harness import Run, run

KILLS = 200
# Of each kind of difference, so many are shown.
SHOWN_MAX = 20


def main() -> int:
    """0 if bill and records agree, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help=f"how often (default: {KILLS})")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and the calls (default: 1)")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lensai-crash-") as directory:
        done = run(Path(directory), arguments.kills, arguments.seed, say=lambda text: print(text, flush=True))
    print(report(done))
    print(f"seed {arguments.seed}, {time.monotonic() - began_s:.0f} s")
    return 0 if done.verdict.faultless and not done.budgets.faults else 1


def report(done: Run) -> str:
    """The books of one run, for a person."""
    verdict = done.verdict
    kills = done.kills
    lines = [
        f"gateway killed   {kills['in service'] + kills['during its start']:7,}"
        f"   {kills['in service']} in service, {kills['during its start']} during its start; the lake {kills['lake']}",
        f"calls attempted  {done.sent:7,}",
        f"calls billed     {verdict.billed:7,}   {_counts(done.states)}",
        f"  recorded as              {_counts(verdict.of_billed)}",
        f"records          {verdict.recorded:7,}   of calls not billed: {_counts(verdict.of_unbilled)}",
    ]
    for name, found in (
        ("missing", verdict.missing),
        ("duplicate", verdict.duplicate),
        ("different", verdict.different),
        ("budgets", done.budgets.faults),
    ):
        lines.append(f"{name:<17}{len(found):7,}")
        lines += [f"    {each}" for each in found[:SHOWN_MAX]]
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"


if __name__ == "__main__":
    sys.exit(main())
