from pathlib import Path

from control_plane.lake.curated import open_tables
from control_plane.lake.waiting import waiting
from tests.support.lakes import calls, cure, land


def test_files_wait_until_they_are_absorbed_though_they_stay_for_a_while(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    assert waiting(lake) == (0, None)
    keys = [land(tmp_path, name, calls(range(number * 5, number * 5 + 5))) for number, name in enumerate("ab")]
    found = waiting(lake)
    assert found == (2, min((tmp_path / key).stat().st_mtime for key in keys))
    cure(tmp_path)
    assert (tmp_path / keys[0]).exists()
    assert waiting(lake) == (0, None)
    land(tmp_path, "c", calls([20]))
    assert waiting(lake).files == 1
