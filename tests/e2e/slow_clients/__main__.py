"""Owns `python -m tests.e2e.slow_clients`: what thousands of slow clients do to the latency of healthy ones."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.slow_clients.harness import Compared, compare, percentile

SLOW_EACH = 2000
SECONDS = 40.0


def main() -> int:
    """0 if no healthy call failed, else 1. The ratio is for a person to judge: machines differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.slow_clients", description=__doc__)
    parser.add_argument("--each", type=int, default=SLOW_EACH, help=f"slow clients of each kind (default: {SLOW_EACH})")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"of each part (default: {SECONDS:g})")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lensai-slow-") as directory:
        done = compare(Path(directory), arguments.each, arguments.seconds)
    print(report(done, arguments.each))
    return 1 if done.failures else 0


def report(done: Compared, each: int) -> str:
    """The findings, for a person."""
    rows = [
        f"{name:<28}{len(latencies):>7} calls   p50 {percentile(latencies, 0.5) * 1e3:7.2f} ms"
        f"   p99 {percentile(latencies, 0.99) * 1e3:7.2f} ms"
        for name, latencies in (("alone", done.alone), (f"among {each:,} of each kind", done.among))
    ]
    return "\n".join([*rows, f"p99 x {done.ratio:.2f}; failed calls {done.failures}; slow clients ended: {done.ended}"])


if __name__ == "__main__":
    sys.exit(main())
