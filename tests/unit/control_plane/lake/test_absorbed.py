from pathlib import Path

import pytest

from control_plane.lake.absorbed import LogGone, absorbed, since
from control_plane.lake.curated import open_tables
from control_plane.lake.table import State
from tests.support.lakes import NOW_MS, calls, cure, land

LATER_MS = NOW_MS + 600_000


def test_a_name_is_known_from_its_commit_until_its_file_is_deleted(tmp_path: Path) -> None:
    first = land(tmp_path, "a", calls(range(3)))
    cure(tmp_path)
    events = open_tables(str(tmp_path)).events
    assert absorbed(events, events.follow()) == {first: 0}

    cure(tmp_path, LATER_MS)
    assert not (tmp_path / first).exists()
    second = land(tmp_path, "b", calls(range(3, 6)))
    cure(tmp_path, LATER_MS)
    assert absorbed(events, events.follow()) == {second: 1}
    # A reader that is still at the version before sees what was true then.
    assert absorbed(events, events.follow(0)) == {first: 0}


def test_nothing_is_absorbed_before_the_first_commit(tmp_path: Path) -> None:
    events = open_tables(str(tmp_path)).events
    assert absorbed(events, events.follow()) == {}


def test_a_log_that_was_cleared_is_told_and_not_guessed(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(3)))
    cure(tmp_path)
    events = open_tables(str(tmp_path)).events
    events.checkpoint()
    (tmp_path / "events" / "_delta_log" / f"{0:020d}.json").unlink()
    with pytest.raises(LogGone):
        absorbed(events, events.follow())


def test_since_is_the_oldest_commit_whose_files_are_there() -> None:
    names = {"a": 3, "b": 5, "c": 6}
    assert since(names, ["b", "c", "new"], State(7)) == 5
    assert since(names, ["new"], State(7)) == 8
