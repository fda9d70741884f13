"""A short run of the lake's crash harness (`make crash-lake` is the long one), and curation on a disk that is full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from control_plane.lake.curated import open_tables
from control_plane.lake.verify import verify
from tests.e2e.crash_lake.__main__ import drawn, report
from tests.e2e.crash_lake.harness import DYING, run
from tests.support.lakes import calls, cost, land, look, rolled, seen

KILLS = int(os.environ.get("TESTS_CRASH_LAKE_KILLS", "3"))
SEED = int(os.environ.get("TESTS_CRASH_LAKE_SEED", "1"))


def test_bill_ledger_and_lake_agree_however_often_landing_and_curation_are_killed(tmp_path: Path) -> None:
    done = run(tmp_path, SEED, drawn(SEED, KILLS, 40), say=lambda _: None)

    assert done.faultless, report(done)
    assert done.verdict.recorded >= done.verdict.billed > 0
    assert done.deaths["landing"] > 0
    assert done.deaths["curation"] > 0


@pytest.mark.parametrize("last", [1, 6, 14])
def test_a_full_disk_ends_a_round_and_loses_nothing(tmp_path: Path, last: int) -> None:
    for name in "ab":
        land(tmp_path, name, calls(range(ord(name), ord(name) + 5)))
    expected = cost([*calls(range(97, 102)), *calls(range(98, 103))])
    words = ["control_plane.cli.lake", "curate", "--lake", str(tmp_path)]
    full = subprocess.run(
        [sys.executable, "-m", DYING, "full", str(last), str(tmp_path), *words],
        check=False,
        capture_output=True,
        text=True,
    )
    assert full.returncode == 1, full.stderr
    assert "No space left on device; nothing is lost, run it again" in full.stderr
    assert seen(look(tmp_path)) == expected
    assert subprocess.run([sys.executable, "-m", *words], check=False, capture_output=True).returncode == 0
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == expected
    assert verify(open_tables(str(tmp_path))).differences == []
