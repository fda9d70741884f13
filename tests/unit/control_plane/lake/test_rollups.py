from pathlib import Path

import pytest

from control_plane.lake import rollups as module
from control_plane.lake.compact import FILES_OF_A_SIZE
from control_plane.lake.curate import Beaten, absorb
from control_plane.lake.curated import ROLLUPS, open_tables, statement
from control_plane.lake.rollups import Rolled, pointer, roll_up, settled
from control_plane.lake.table import Change
from tests.support.lakes import DAY, DAY_S, NOW_MS, call, calls, cost, cure, land, look, rolled, rows

HOUR_S = 3_600


def exact(lake: Path, name: str) -> list[tuple]:
    """A rollup's statement over all curated events."""
    files = look(lake).events
    return sorted(rows(files, f"WITH events AS (SELECT * FROM rows) SELECT * FROM ({statement(name)})"), key=str)


def kept(lake: Path, name: str) -> list[tuple]:
    table = open_tables(str(lake)).rollups[name]
    files = [table.location(file) for file in table.follow().files.values()]
    return sorted(rows(files, "SELECT * FROM rows"), key=str) if files else []


def by_day(lake: Path, name: str, hourly: str) -> list[tuple]:
    """A rollup of days, from the statement of its hours over all curated events."""
    hours = f"WITH events AS (SELECT * FROM rows), hours AS (SELECT * FROM ({statement(hourly)}))"
    return sorted(rows(look(lake).events, f"{hours} SELECT * FROM ({statement(name)})"), key=str)


DAYS = {"daily": "hourly", "daily_users": "hourly_users", "daily_sketches": "hourly_latency"}
HOURLY = ("hourly", "hourly_users", "hourly_latency")


def test_rollups_are_what_their_statements_say_whatever_comes_when(tmp_path: Path) -> None:
    for number, hours in enumerate(([0, 1, 2], [2, 3], [1], [30, 0], [-24])):
        records = [
            call(
                number * 100 + n, DAY_S + hour * HOUR_S + n, user_id=f"u{n % 3}", cost_nanousd=None if n % 5 == 0 else n
            )
            for hour in hours
            for n in range(20 * number, 20 * number + 20)
        ]
        land(tmp_path, str(number), records)
        cure(tmp_path, NOW_MS + 86_400_000)
        for name in HOURLY:
            assert kept(tmp_path, name) == exact(tmp_path, name)
        for name, hourly in DAYS.items():
            assert kept(tmp_path, name) == by_day(tmp_path, name, hourly)


def test_only_days_that_were_touched_are_written_again(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", [call(1), call(2, DAY_S - 86_400)])
    assert cure(lake)[0].days == 2
    before = {name: set(table.follow().files) for name, table in lake.rollups.items()}
    land(tmp_path, "b", [call(3, DAY_S + HOUR_S)])
    assert cure(lake)[0].days == 1
    for name, table in lake.rollups.items():
        same = before[name] & set(table.follow().files)
        assert [path.partition("/")[0] for path in same] == ["dt=2025-11-24"]


def test_a_second_run_does_nothing_and_a_run_of_everything_changes_no_row(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(50), every_s=700))
    cure(lake)
    assert roll_up(lake, NOW_MS) is None
    was = {name: kept(tmp_path, name) for name in ROLLUPS}
    assert roll_up(lake, NOW_MS, everything=True) == Rolled(1, lake.events.state.version)
    assert {name: kept(tmp_path, name) for name in ROLLUPS} == was


def test_rearranged_events_move_the_rollups_on_without_work(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    for number in range(FILES_OF_A_SIZE - 1):
        land(tmp_path, str(number), calls([number]))
        absorb(lake, NOW_MS)
    roll_up(lake, NOW_MS)
    files = dict(lake.hourly.state.files)
    land(tmp_path, "last", calls([7]))
    done = cure(lake)[0]
    assert (done.merged, done.days) == (FILES_OF_A_SIZE, 1)
    lake.events.commit(lake.events.follow(), Change("OPTIMIZE", (), (), {}, rearranged=True), NOW_MS)
    files = dict(lake.hourly.follow().files)
    assert roll_up(lake, NOW_MS) == Rolled(0, lake.events.state.version)
    assert lake.hourly.follow().files == files


def test_rows_that_were_removed_from_events_leave_the_rollups(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", [*calls(range(5)), call(9, project_id="prj_b"), call(10, DAY_S - 86_400)])
    cure(lake)
    for gone in [file for file in lake.events.state.files.values() if file.project_id == "prj_b" or file.dt != DAY]:
        lake.events.commit(lake.events.follow(), Change("DELETE", (), [gone], {}), NOW_MS)
    assert roll_up(lake, NOW_MS) == Rolled(2, lake.events.state.version)
    assert rolled(look(tmp_path)) == cost(calls(range(5)))
    assert {file.dt for table in lake.rollups.values() for file in table.follow().files.values()} == {DAY}


def test_a_statement_that_is_another_one_makes_all_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", [call(1), call(2, DAY_S - 86_400)])
    cure(lake)
    monkeypatch.setattr(module, "_sql_digest", lambda: "another")
    assert roll_up(lake, NOW_MS) == Rolled(2, 0)
    assert roll_up(lake, NOW_MS) is None


def test_readers_see_all_rollups_at_once_or_none(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(5)))
    cure(lake)
    land(tmp_path, "b", calls(range(5, 9)))
    absorb(lake, NOW_MS)
    seen_at: dict[str, tuple[int, int]] = {}

    def watch(step: str) -> None:
        taken = look(tmp_path)
        users = rows(taken.hourly_users, "SELECT sum(calls) FROM rows")[0][0]
        seen_at[step] = rolled(taken).calls, int(users)

    roll_up(lake, NOW_MS, watch)
    assert list(seen_at) == ["day", *(f"commit {name}" for name in ROLLUPS), "committed"]
    assert set(list(seen_at.values())[:-1]) == {(5, 5)}
    assert seen_at["committed"] == (9, 9)


def test_of_two_who_roll_up_at_once_the_second_is_refused_and_all_adds_up(tmp_path: Path) -> None:
    land(tmp_path, "a", calls(range(5)))
    for number, place in enumerate(f"commit {name}" for name in ROLLUPS):
        land(tmp_path, place.replace(" ", "-"), calls([100 + number]))
        first, second = open_tables(str(tmp_path)), open_tables(str(tmp_path))
        absorb(first, NOW_MS)

        def meanwhile(step: str, place: str = place, first=first) -> None:
            if step == place:
                roll_up(first, NOW_MS)

        with pytest.raises(Beaten):
            roll_up(second, NOW_MS, meanwhile)
        roll_up(second, NOW_MS)
        for name in HOURLY:
            assert kept(tmp_path, name) == exact(tmp_path, name)


def test_days_have_costs_and_percentiles_within_a_hundredth(tmp_path: Path) -> None:
    records = [call(n, DAY_S + n, latency_us=1000 * (n + 1), route="r") for n in range(1000)]
    records.append(call(1000, route="r", outcome="refused", latency_us=10**9, cost_nanousd=None))
    land(tmp_path, "a", records)
    cure(tmp_path)
    ((_, *costs),) = kept(tmp_path, "daily_costs")
    total = cost(records).cost_usd
    assert costs == ["prj_a", "openai", "gpt-5", "r", total, 1001, "org_a"]
    ((_, _, _, p50, p95, p99, _),) = kept(tmp_path, "daily_latency")
    assert (p50, p95, p99) == pytest.approx((500, 950, 990), rel=0.011)


def test_a_version_is_settled_once_its_rollups_are_old_enough(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    for number in range(3):
        land(tmp_path, str(number), calls([number]))
        cure(lake, NOW_MS + number * 1000)
    hourly = lake.hourly.follow()
    assert [settled(lake.hourly, hourly, NOW_MS + ms) for ms in (-1, 0, 999, 1000, 9000)] == [-1, 0, 0, 1, 2]
    now = pointer(lake.hourly, hourly)
    assert now is not None
    assert (now.events, set(now.at)) == (2, set(ROLLUPS) - {"hourly"})


def test_numbers_whose_sum_has_no_room_stop_nobodys_rollups(tmp_path: Path) -> None:
    most = 2**63 - 1
    made_up = [call(n, org_id="org_b", tokens_in=most, tokens_out=most, buckets={"input_text": most}) for n in range(3)]
    land(tmp_path, "a", [*made_up, call(4)])
    cure(tmp_path)
    for name in ("hourly", "hourly_users", "daily", "daily_users"):
        table = open_tables(str(tmp_path)).rollups[name]
        files = [table.location(file) for file in table.follow().files.values()]
        sums = rows(files, "SELECT org_id, sum(calls), max(tokens_in), max(tokens_out) FROM rows GROUP BY 1 ORDER BY 1")
        assert sums == [("org_a", 1, 10, 5), ("org_b", 3, None, None)]
