from pathlib import Path

import pyarrow as pa
import pytest

from control_plane.lake.curate import absorb
from control_plane.lake.curated import open_tables
from control_plane.lake.erase import order
from control_plane.lake.standing import (
    ERASED,
    Erasure,
    Orders,
    carried,
    digest,
    erase,
    kept_from,
    needed,
    obey,
    of_somebody,
    ordered,
    orders,
    still_stand,
)
from control_plane.lake.table import State
from gateway.contract.record import Record
from gateway.lake.batch import to_table
from tests.support.lakes import DAY_S, NOW_MS, call, calls, land


def erasure(user_id: str, org_id: str = "org_a", until_us: int | None = None) -> Erasure:
    return Erasure(f"era_{user_id}", org_id, "salt", digest("salt", org_id, user_id), until_us)


def users(table: object) -> list[str | None]:
    assert isinstance(table, pa.Table)
    return table.column("user_id").to_pylist()


def rows(*records: Record) -> object:
    return to_table(records)


def test_the_narrowest_name_says_from_when_calls_are_kept() -> None:
    gone = {"*": "2025-11-20", "org_a": "2025-10-01", "org_a/prj_held": ""}
    assert kept_from(gone, "org_b", "prj_x") == "2025-11-20"
    assert kept_from(gone, "org_a", "prj_x") == "2025-10-01"
    assert kept_from(gone, "org_a", "prj_held") == ""
    assert kept_from({}, "org_a", "") == ""


def test_calls_of_before_the_first_kept_day_do_not_come_back() -> None:
    given = Orders({"org_a": "2025-11-25", "org_a/prj_held": ""})
    late, held, other = (
        call(1, DAY_S - 1),
        call(2, DAY_S - 1, project_id="prj_held"),
        call(3, DAY_S - 1, org_id="org_b"),
    )
    kept = obey(given, rows(late, call(4, DAY_S), held, other, call(5, DAY_S - 1, project_id="")))
    assert sorted(kept.column("request_id").to_pylist()) == [f"req_{number:08d}" for number in (2, 3, 4)]


def test_who_was_erased_is_nobody_and_costs_what_it_cost() -> None:
    counters = {"users@total|user=zoe": 7, "users@total|user=zoe|tag=a": 8, "users@total|user=zoey": 9, "shop@total": 1}
    theirs = call(1, user_id="zoe", metadata='{"name":"Zoe"}', upstream_request_id="up_1", counters=counters)
    others = call(2, DAY_S + 1, user_id="ann", metadata='{"a":1}'), call(3, DAY_S + 2)
    found = obey(Orders(erased=(erasure("zoe"),)), rows(others[0], theirs, others[1]))
    assert users(found) == [ERASED, "ann", ""]
    assert found.column("metadata").to_pylist() == [None, '{"a":1}', None]
    assert found.column("upstream_request_id").to_pylist()[0] is None
    assert [int(cost.scaleb(9)) for cost in found.column("cost_usd").to_pylist()] == [1, 2, 3]
    assert dict(found.column("counters").to_pylist()[0]) == {
        f"users@total|user={ERASED}": 7,
        f"users@total|user={ERASED}|tag=a": 8,
        "users@total|user=zoey": 9,
        "shop@total": 1,
    }


@pytest.mark.parametrize("written", ["a%7Cb%3Dc", "a|b=c"])
def test_who_was_erased_stands_in_no_counter_s_name_however_it_is_written(written: str) -> None:
    one = call(1, user_id="a|b=c", counters={f"users@total|user={written}|tag=a": 8})
    found = obey(Orders(erased=(erasure("a|b=c"),)), rows(one))
    assert dict(found.column("counters").to_pylist()[0]) == {f"users@total|user={ERASED}|tag=a": 8}


def test_somebody_of_that_name_elsewhere_or_later_is_not_meant() -> None:
    table = rows(call(1, user_id="zoe", org_id="org_b"), call(2, DAY_S + 10, user_id="zoe"))
    assert users(erase([erasure("zoe", until_us=(DAY_S + 10) * 10**6)], table)) == ["zoe", "zoe"]
    assert not of_somebody([erasure("zoe", until_us=(DAY_S + 10) * 10**6)], table)
    assert users(erase([erasure("zoe", until_us=(DAY_S + 11) * 10**6)], table)) == ["zoe", ERASED]
    assert of_somebody([erasure("zoe")], table)


def test_orders_stand_through_later_commits(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    assert orders(lake.events, State()) == Orders()
    land(tmp_path, "a", calls(range(3)))
    absorb(lake, NOW_MS)
    assert carried(lake.events, lake.events.state) == {}
    order(lake, [erasure("zoe")], NOW_MS)
    for name in "bc":
        land(tmp_path, name, [call(ord(name), user_id="zoe")])
        absorb(lake, NOW_MS)
    state = lake.events.follow()
    assert (state.version, needed(lake.events, state)) == (3, 1)
    assert orders(open_tables(str(tmp_path)).events, state).erased == (erasure("zoe"),)


def test_a_log_that_somebody_else_cleared_says_nothing(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    order(lake, [erasure("zoe")], NOW_MS)
    land(tmp_path, "a", calls(range(3)))
    absorb(lake, NOW_MS)
    (tmp_path / "events/_delta_log" / f"{0:020d}.json").unlink()
    assert orders(open_tables(str(tmp_path)).events, lake.events.state) == Orders()


def test_a_commit_names_itself_as_the_one_that_orders() -> None:
    assert ordered(State(4), Orders({"*": "2025-01-01"}))["standing"] == 5


def test_an_erasure_stands_as_long_as_late_calls_may_come() -> None:
    going_on, old, young = erasure("a"), erasure("b", until_us=5), erasure("c", until_us=15)
    assert list(still_stand([going_on, old, young], 10)) == [going_on, young]
