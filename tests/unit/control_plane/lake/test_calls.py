import pytest

from control_plane.lake import snapshot
from control_plane.lake.calls import over_calls
from control_plane.lake.query import NotCurated, Unanswered
from tests.support.written_calls import ORG, call, land

NOON_S = 1_795_521_600
ASK = "SELECT list(request_id ORDER BY request_id) FROM events"


def test_events_are_one_organizations_of_one_time_and_project(tmp_path):
    lake = land(
        tmp_path,
        [
            call("in", NOON_S),
            call("before", NOON_S - 0.000001),
            call("after", NOON_S + 60),
            call("theirs", NOON_S, org_id="org_b"),
            call("beside", NOON_S, project_id="prj_b"),
        ],
    )
    with over_calls(lake, ORG, NOON_S, NOON_S + 60) as connection:
        assert connection.execute(ASK).fetchall() == [(["beside", "in"],)]
    with over_calls(lake, ORG, NOON_S, NOON_S + 60, "prj_b") as connection:
        assert connection.execute(ASK).fetchall() == [(["beside"],)]


def test_a_lake_that_nothing_was_landed_in_is_empty(tmp_path):
    with over_calls(str(tmp_path / "none"), ORG, 0, 1) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_a_question_that_takes_too_long_is_ended(tmp_path):
    lake = land(tmp_path, [call("in", NOON_S)])
    endless = "SELECT count(*) FROM range(10000000000) a, range(10000000000) b WHERE a.range * b.range = 7"
    with pytest.raises(Unanswered), over_calls(lake, ORG, 0, NOON_S * 2, within_s=0.2) as connection:
        connection.execute(endless).fetchall()


def test_a_lake_that_nobody_curates_is_unanswered_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "FRESH_ROWS_MAX", 1)
    lake = land(tmp_path, [call("a", NOON_S), call("b", NOON_S)])
    with pytest.raises(NotCurated, match="lensai lake curate"), over_calls(lake, ORG, 0, NOON_S * 2):
        pass
