"""Owns `python -m tests.fuzz`: every target under atheris, one after the other, each in a process of its own.

What breaks a target is kept in tests/fuzz/crashes, and `--replay FILE` runs it again. Ends with 1 if anything broke.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS

CRASHES = Path(__file__).parent / "crashes"
ROOT = Path(__file__).parents[2]
# An input of a few KB that takes seconds is a finding, and so is one that takes a gigabyte.
INPUT_BYTES_MAX = 16 * 1024
INPUT_TIMEOUT_S = 10
RSS_MIB_MAX = 2048
# What a broken target says: its traceback, or libFuzzer's complaint of time or memory; and where the input is kept.
_TRACEBACK = "=== Uncaught Python exception: ==="
_COMPLAINT = re.compile(r"(?m)^==\d+== ERROR.*$")
_KEPT = re.compile(r"(?m)Test unit written to (\S+)")
_EXECUTIONS = re.compile(r"(?m)^(?:stat::number_of_executed_units:\s*|#)(\d+)")


def fuzz(name: str, seconds: int, seed: int) -> tuple[int, str]:
    """Runs one target; how many inputs it was given, and what it said if one broke it."""
    CRASHES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for index, data in enumerate(TARGETS[name].seeds()):
            (Path(corpus) / f"seed-{index}").write_bytes(data)
        options = {
            "max_total_time": seconds,
            "seed": seed,
            "max_len": INPUT_BYTES_MAX,
            "timeout": INPUT_TIMEOUT_S,
            "rss_limit_mb": RSS_MIB_MAX,
            "artifact_prefix": f"{CRASHES}/{name}-",
            "print_final_stats": 1,
        }
        arguments = [f"-{option}={value}" for option, value in options.items()]
        command = [sys.executable, "-B", "-m", "tests.fuzz.guided", name, *arguments, corpus]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace")
    executions = max(map(int, _EXECUTIONS.findall(done.stderr)), default=0)
    return executions, "" if done.returncode == 0 else _told(done.stdout, done.stderr)


def _told(stdout: str, stderr: str) -> str:
    traceback = stdout.partition(_TRACEBACK)[2].strip()
    complaint, kept = _COMPLAINT.search(stderr), _KEPT.search(stderr)
    said = traceback or (complaint[0] if complaint else stderr)
    return f"{said}\nkept: {kept[1] if kept else 'nothing'}"


def replay(path: Path) -> None:
    """Runs what broke a target, whose name is in the file's."""
    name = next(name for name in sorted(TARGETS, key=len, reverse=True) if path.name.startswith(name + "-"))
    TARGETS[name].run(path.read_bytes())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=int, default=120, help="for each target (default: 120)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same inputs (default: 1)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one kept input instead")
    options = parser.parse_args()
    if options.replay:
        replay(options.replay)
        return 0
    broken = 0
    for name in options.target or TARGETS:
        executions, said = fuzz(name, options.seconds, options.seed)
        print(f"{name:20} {executions:12,d} executions  {'BROKEN' if said else 'ok'}", flush=True)
        if said:
            broken += 1
            print(said, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
