import re
import sqlite3
from pathlib import Path

import pytest

from control_plane.cli.seed import main
from gateway.lake.landed import landed_files
from tests.support.lakes import look, rolled

WORDS = ["--rows", "3000", "--days", "6", "--seed", "3"]


def state(directory: Path) -> tuple[dict[str, bytes], list[tuple[str, int]]]:
    """All files of the lake, and how many rows each table has."""
    lake = {str(file): file.read_bytes() for file in sorted(directory.glob("lake/**/*")) if file.is_file()}
    with sqlite3.connect(directory / "control-plane.sqlite") as database:
        names = [
            name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        rows = [(name, database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in names]
    database.close()
    return lake, rows


def test_a_lake_and_a_database_show_one_world_and_a_second_time_changes_nothing(installed, capsys):
    assert main(WORDS) == 0
    told = capsys.readouterr().out
    assert re.search(r"^Wrote in \d+ s: 3,000 calls of 6 days, 6 files of \d MiB in ", told)
    assert re.search(r"^absorbed 3000 calls of 6 files \(0 sent twice.*\nCurated in \d+ s$", told, re.MULTILINE)
    assert rolled(look(installed / "lake")).calls == 3000
    assert "`lensai up`, then open http://127.0.0.1:8000" in told
    before = state(installed)

    assert main(WORDS) == 0
    assert capsys.readouterr().out.startswith("It was there already: 3,000 calls")
    assert state(installed) == before
    assert dict(before[1])["projects"] == 7


def test_what_cannot_be_curated_yet_is_written_all_the_same_and_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    (tmp_path / "lake" / "events").mkdir(parents=True)
    (tmp_path / "lake" / "events" / "_delta_log").write_text("no directory")
    assert main([*WORDS, "--org", "org_x"]) == 1
    assert "run lensai lake curate" in capsys.readouterr().err
    assert len(landed_files(tmp_path / "lake")) == 6


def test_another_world_in_the_same_lake_is_refused(installed, capsys):
    assert main(WORDS) == 0
    assert main(["--rows", "4000", "--days", "6", "--seed", "3"]) == 2
    assert "holds demo data of --rows 3000 --days 6 --seed 3" in capsys.readouterr().err


def test_a_lake_of_another_database_is_refused(installed, capsys):
    assert main(WORDS) == 0
    with sqlite3.connect(installed / "control-plane.sqlite") as database:
        database.execute("DELETE FROM projects WHERE name = 'Shop search'")
    database.close()

    assert main(WORDS) == 2
    assert "projects that this database does not have" in capsys.readouterr().err


def test_a_first_start_is_made_where_there_was_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path / "new"))

    assert main(WORDS) == 0
    assert "/sign-in#token=lml_" in capsys.readouterr().out


def test_a_lake_alone_needs_no_database(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))

    assert main([*WORDS, "--org", "org_x"]) == 0
    assert main([*WORDS, "--org", "org_x"]) == 0
    assert "It was there already" in capsys.readouterr().out
    assert len(landed_files(tmp_path / "lake")) == 6
    assert not (tmp_path / "control-plane.sqlite").exists()


@pytest.mark.parametrize("words", [["--rows", "9"], ["--days", "0"], ["--seed", "-1"], ["--rows", "many"]])
def test_numbers_out_of_bounds_are_told(words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert words[0] in capsys.readouterr().err
