from pathlib import Path

import pytest

from control_plane.cli.lake import main
from control_plane.lake.curate import absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.table import Change
from tests.support.lakes import NOW_MS, calls, cost, land, look, rolled


def test_a_lake_is_curated_rolled_up_and_found_to_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    land(lake, "a", calls(range(5)))
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    assert main(["curate"]) == 0
    assert "absorbed 5 calls of 1 files (0 sent twice, 0 of clocks that are wrong)" in capsys.readouterr().out
    assert rolled(look(lake)) == cost(calls(range(5)))
    assert main(["rollup"]) == 0
    assert "are of what is there" in capsys.readouterr().out
    assert main(["rollup", "--everything", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["verify", "--lake", str(lake)]) == 0
    assert "5 calls for 0.000000010 USD are curated, 0 calls wait for it" in capsys.readouterr().out


def test_a_lake_that_does_not_add_up_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    land(tmp_path, "a", calls(range(5)))
    main(["curate", "--lake", str(tmp_path)])
    hourly = open_tables(str(tmp_path)).hourly
    hourly.commit(hourly.follow(), Change("DELETE", (), list(hourly.state.files.values()), {}), NOW_MS)
    assert main(["verify", "--lake", str(tmp_path)]) == 1
    assert "DIFFERENT: hourly of 2025-11-25" in capsys.readouterr().out


def test_what_is_in_the_way_is_told_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", "--lake", "ftp://host/lake"]) == 2
    assert "not a store: ftp://host/lake" in capsys.readouterr().err

    land(tmp_path, "a", calls(range(5)))
    absorb(open_tables(str(tmp_path)), NOW_MS)
    log = tmp_path / "events" / "_delta_log" / f"{1:020d}.json"
    log.write_text("{half")
    assert main(["curate", "--lake", str(tmp_path)]) == 1
    assert "table events: DeltaError; nothing is lost, run it again" in capsys.readouterr().err
