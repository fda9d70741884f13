from pathlib import Path

import pytest

from control_plane.lake import cycle
from tests.support.lakes import calls, cost, cure, land, look, rolled, seen


def test_rounds_go_on_until_nothing_is_left_and_readers_see_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycle, "ROWS_OF_A_ROUND", 10)
    monkeypatch.setattr("control_plane.lake.curate.BATCH_ROWS", 5)
    for number in range(5):
        land(tmp_path, str(number), calls(range(number * 5, number * 5 + 5)))
    done = cure(tmp_path)
    assert [(one.absorbed.rows, one.more) for one in done] == [(10, True), (10, True), (5, False)]
    assert seen(look(tmp_path)) == rolled(look(tmp_path)) == cost(calls(range(25)))


def test_a_round_over_a_lake_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    assert [one.more for one in cure(tmp_path / "none")] == [False]
    assert not (tmp_path / "none").exists()


def test_steps_come_in_their_order(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(5)))
    steps: list[str] = []
    cure(tmp_path, step=steps.append)
    assert steps[:5] == ["look", "write", "commit", "committed", "look"]
    assert steps[5:8] == ["day", "commit hourly_users", "commit hourly_latency"]
