"""Owns `python -m tests.e2e.soak`: half an hour of mixed traffic, and whether the gateway grew or kept anything."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.e2e.soak.harness import Soak, soak
from tests.e2e.soak.vitals import growth

MINUTES = 30.0


def main() -> int:
    """0 if memory did not grow and nothing was left, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default: {MINUTES:g})")
    parser.add_argument("--seed", type=int, default=1, help="of the calls (default: 1)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lensai-soak-") as directory:
        done = soak(Path(directory), arguments.minutes * 60, arguments.seed, lambda text: print(text, flush=True))
    print(report(done))
    return 0 if growth(done.samples).is_none and not done.left else 1


def report(done: Soak) -> str:
    """The findings, for a person."""
    grew = growth(done.samples)
    lines = [
        f"calls            {done.sent:9,}   and {done.slow:,} streams taken slowly",
        f"memory           {grew.median_bytes / 1e6:9.1f} MB in the middle of {len(done.samples)} samples",
        f"slope            {grew.bytes_per_hour / 1e6:9.2f} MB an hour; noise alone tilts it by"
        f" {grew.noise_bytes_per_hour / 1e6:.2f}",
        f"at rest, before  {_gauges(done.before.gauges)}",
        f"at rest, after   {_gauges(done.after.gauges)}",
    ]
    return "\n".join([*lines, f"left behind      {done.left or 'nothing'}"])


def _gauges(gauges: dict[str, float]) -> str:
    return ", ".join(
        f"{name.removeprefix('lensai_').removeprefix('process_')} {value:g}" for name, value in gauges.items()
    )


if __name__ == "__main__":
    sys.exit(main())
