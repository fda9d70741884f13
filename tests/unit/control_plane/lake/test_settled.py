from pathlib import Path

from control_plane.lake.curated import open_tables
from control_plane.lake.retain import Policy, Tier, retain
from control_plane.lake.rollups import roll_up
from control_plane.lake.settled import is_settled, is_settled_path, settled_by, settles
from tests.support.lakes import DAY, DAY_S, NOW_MS, calls, cost, cure, land, look, rolled

LATER_MS = NOW_MS + 10 * 86_400_000
FIVE_DAYS = Policy(Tier(5))


def test_a_commit_says_whose_days_are_kept_as_they_are() -> None:
    assert settles([(DAY, ("org_b", "")), (DAY, ("org_a", "prj_a"))]) == {
        "settles": [[DAY, "org_a", "prj_a"], [DAY, "org_b", ""]]
    }


def test_rows_of_who_is_gone_are_settled_and_others_are_computed(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", [*calls(range(10)), *calls(range(10, 15), org_id="org_b", project_id="prj_b")])
    cure(lake)
    retain(lake, Policy(Tier(), {"org_a": Tier(5)}), LATER_MS)
    state = lake.hourly.follow()
    assert [is_settled(file) for file in sorted(state.files.values())] == [False, True]
    assert settled_by(lake.events, 0, lake.events.state.version) == {DAY: frozenset({("org_a", "prj_a")})}
    assert rolled(look(tmp_path)) == cost([*calls(range(10)), *calls(range(10, 15), org_id="org_b")])


def test_every_hour_made_anew_keeps_what_is_settled(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    land(tmp_path, "a", calls(range(10)))
    cure(lake)
    retain(lake, FIVE_DAYS, LATER_MS)
    roll_up(lake, LATER_MS, everything=True)
    assert rolled(look(tmp_path)) == cost(calls(range(10)))


def test_a_call_of_a_settled_day_that_comes_late_is_added_and_settled_in_its_turn(tmp_path: Path) -> None:
    lake = open_tables(str(tmp_path))
    policy = Policy(Tier(one_of=4))
    expected = calls(range(10))
    land(tmp_path, "a", expected)
    cure(lake)
    for number in range(10, 13):
        retain(lake, policy, LATER_MS)
        late = calls([number])
        expected += late
        land(tmp_path, f"late-{number}", late)
        cure(lake, LATER_MS)
        assert rolled(look(tmp_path)) == cost(expected)
    files = [path for path in look(tmp_path).hourly if is_settled_path(path)]
    assert rolled(look(tmp_path), files) == cost(expected[:-1])
    assert DAY_S
