from datetime import date
from pathlib import Path

import pytest

from control_plane.lake import snapshot as module
from control_plane.lake.curate import absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.snapshot import Backlog, Reader, take_snapshot
from gateway.lake.schema import SCHEMA
from gateway.lake.store import StoreFault
from tests.support.lakes import DAY_S, EVER, NOW_MS, call, calls, cost, cure, land, look, rolled, seen

TODAY = date(2025, 11, 25)


def test_a_lake_that_was_never_curated_is_all_fresh(tmp_path: Path) -> None:
    assert look(tmp_path).fresh.schema == SCHEMA
    land(tmp_path, "a", calls(range(10)))
    taken = take_snapshot(str(tmp_path), *EVER)
    assert (taken.version, taken.events, taken.fresh.num_rows) == (-1, (), 10)


def test_what_is_absorbed_and_not_rolled_up_is_still_fresh(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    absorb(open_tables(str(tmp_path)), NOW_MS)
    assert look(tmp_path).fresh.num_rows == 10
    cure(tmp_path)
    land(tmp_path, "b", calls(range(10, 15)))
    absorb(open_tables(str(tmp_path)), NOW_MS)
    taken = look(tmp_path)
    assert (rolled(taken), taken.fresh.num_rows, seen(taken)) == (cost(calls(range(10))), 5, cost(calls(range(15))))


def test_a_reader_follows_a_lake_that_is_curated_beside_it(tmp_path: Path) -> None:
    reader = Reader(open_tables(str(tmp_path)))
    lake = open_tables(str(tmp_path))
    for number in range(0, 60, 5):
        land(tmp_path, f"{number:02d}", calls(range(number, number + 5)))
        assert seen(reader.take(*EVER)) == cost(calls(range(number + 5)))
        cure(lake, NOW_MS + number * 60_000)
        taken = reader.take(*EVER)
        assert (taken.fresh.num_rows, seen(taken)) == (0, cost(calls(range(number + 5))))


def test_files_of_other_days_and_projects_are_left_out(tmp_path: Path) -> None:
    land(tmp_path, "a", [call(1), call(2, project_id="prj_b"), call(3, DAY_S - 86_400)])
    cure(tmp_path)
    assert len(look(tmp_path).events) == 3
    assert len(look(tmp_path, (TODAY, TODAY)).events) == 2
    assert len(look(tmp_path, (TODAY, TODAY)).hourly) == 1
    assert len(look(tmp_path, (TODAY, TODAY), "prj_b").events) == 1
    assert look(tmp_path, (date(2025, 1, 1), date(2025, 1, 31))).events == ()


def test_landed_files_of_days_before_are_not_even_read(tmp_path: Path) -> None:
    land(tmp_path, "a", [call(1, DAY_S - 86_400)], "2025-11-24")
    land(tmp_path, "b", [call(2)])
    assert look(tmp_path, (TODAY, TODAY)).fresh.num_rows == 1
    assert look(tmp_path, (date(2025, 11, 24), TODAY)).fresh.num_rows == 2


def test_a_call_that_is_sent_again_is_seen_once_before_it_is_absorbed(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(10)))
    cure(tmp_path)
    land(tmp_path, "b", calls(range(8, 12)))
    land(tmp_path, "c", calls(range(11, 13)))
    assert seen(look(tmp_path)) == cost(calls(range(13)))


def test_no_more_calls_are_searched_for_one_that_is_sent_again_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(tmp_path, "a", calls(range(10), project_id="prj_a"))
    land(tmp_path, "b", calls(range(10, 20), project_id="prj_b"))
    cure(tmp_path)
    land(tmp_path, "again", [*calls(range(8, 12))])
    assert look(tmp_path).fresh.num_rows == 0
    monkeypatch.setattr(module, "SEARCHED_ROWS_MAX", 10)
    assert look(tmp_path).fresh.num_rows == 2
    land(tmp_path, "new", [call(99, DAY_S + 15)])
    assert look(tmp_path).fresh.column("request_id").to_pylist()[-1] == "req_00000099"


def test_a_fresh_file_is_decoded_once(tmp_path: Path) -> None:
    reader = Reader(open_tables(str(tmp_path)))
    key = land(tmp_path, "a", calls(range(10)))
    first = reader.take(*EVER).fresh
    (tmp_path / key).write_bytes(b"nobody reads this")
    assert reader.take(*EVER).fresh is first
    land(tmp_path, "b", calls(range(10, 12)))
    assert reader.take(*EVER).fresh.num_rows == 12


def test_more_than_a_question_can_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_ROWS_MAX", 15)
    land(tmp_path, "a", calls(range(10)))
    reader = Reader(open_tables(str(tmp_path)))
    assert reader.take(*EVER).fresh.num_rows == 10
    land(tmp_path, "b", calls(range(10, 20)))
    with pytest.raises(Backlog, match="lensai lake curate"):
        reader.take(*EVER)
    cure(tmp_path)
    assert seen(reader.take(*EVER)) == cost(calls(range(20)))


def test_a_state_that_is_tidied_away_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = land(tmp_path, "a", calls(range(10)))
    reader = Reader(open_tables(str(tmp_path)))
    listed = module.raw_files

    def slow(store):
        found = listed(store)
        if (tmp_path / key).exists():
            cure(tmp_path)
            (tmp_path / key).unlink()
        return found

    monkeypatch.setattr(module, "raw_files", slow)
    taken = reader.take(*EVER)
    assert (taken.fresh.num_rows, seen(taken)) == (0, cost(calls(range(10))))


def test_a_lake_whose_log_is_gone_is_a_fault_that_says_what_to_do(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(3)))
    cure(tmp_path)
    open_tables(str(tmp_path)).events.checkpoint()
    (tmp_path / "events" / "_delta_log" / f"{0:020d}.json").unlink()
    with pytest.raises(StoreFault, match="lensai lake curate"):
        look(tmp_path)
