import os
import time
from pathlib import Path

from control_plane.lake.curate import absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.rollups import roll_up
from control_plane.lake.table import CHECKPOINT_EVERY
from control_plane.lake.tidy import DRAFT_S, GRACE_S, checkpoint, delete_raw, vacuum
from tests.support.lakes import NOW_MS, calls, cost, cure, land, look, rolled, seen


def test_raw_files_go_once_they_were_rolled_up_a_grace_time_ago(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    key = land(tmp_path, "a", calls(range(5)))
    absorb(lake, NOW_MS)
    much_later_ms = NOW_MS + 86_400_000
    assert delete_raw(lake, much_later_ms) == 0, "no reader could see its rows yet"
    roll_up(lake, much_later_ms)
    assert delete_raw(lake, much_later_ms + GRACE_S * 1000 - 1) == 0
    land(tmp_path, "b", calls(range(5, 9)))
    assert delete_raw(lake, much_later_ms + GRACE_S * 1000) == 1
    assert not (tmp_path / key).exists()
    assert seen(look(tmp_path)) == cost(calls(range(9)))


def test_checkpoints_come_with_commits_and_old_files_and_commits_go(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    made = []
    for number in range(CHECKPOINT_EVERY + 3):
        land(tmp_path, f"{number:02d}", calls([number]))
        absorb(lake, NOW_MS + number)
        roll_up(lake, NOW_MS + number)
        made.append(checkpoint(lake))
    assert made.index(len(list(lake.every()))) in (0, CHECKPOINT_EVERY)
    logs = tmp_path / "events" / "_delta_log"
    for path in logs.iterdir():
        os.utime(path, (0, 0))
    (tmp_path / ".draft").mkdir(exist_ok=True)
    draft = tmp_path / ".draft" / "x.parquet.0123"
    draft.write_bytes(b"half")
    swept = vacuum(lake, int(time.time() * 1000))
    # All of it is of a clock that stood in 2025: replaced days of rollups are old enough.
    assert (swept.files > 0, swept.commits, swept.drafts, draft.exists()) == (True, 0, 0, True)
    assert vacuum(lake, int((time.time() + DRAFT_S * 2) * 1000)).drafts == 1
    assert not draft.exists()
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == cost(calls(range(CHECKPOINT_EVERY + 3)))


def test_commits_that_name_raw_files_stay_until_those_are_deleted(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    for number in range(CHECKPOINT_EVERY + 1):
        land(tmp_path, f"{number:02d}", calls([number]))
        cure(lake, NOW_MS)
    logs = tmp_path / "events" / "_delta_log"
    for path in logs.iterdir():
        os.utime(path, (0, 0))
    assert vacuum(lake, int(time.time() * 1000)).commits == 0
    cure(lake, NOW_MS + GRACE_S * 1000)
    land(tmp_path, "last", calls([99]))
    cure(lake, NOW_MS + GRACE_S * 1000)
    assert vacuum(lake, int(time.time() * 1000)).commits > 0
    assert seen(look(tmp_path)) == cost([*calls(range(CHECKPOINT_EVERY + 1)), *calls([99])])


def test_nothing_is_vacuumed_while_the_rollups_are_behind(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(5)))
    cure(lake)
    land(tmp_path, "b", calls(range(5, 9)))
    absorb(lake, NOW_MS)
    steps: list[str] = []
    vacuum(lake, NOW_MS, steps.append)
    assert steps == []
