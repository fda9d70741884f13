import pytest

from control_plane.api.problems import Problem
from control_plane.reconciliation.lines import Unreadable
from control_plane.reconciliation.service import DAYS_MAX, days, read

NOW_S = 1_795_600_000


def test_a_report_is_of_the_last_thirty_days_or_of_those_that_are_named():
    first, last = days(None, None, NOW_S)
    assert (last.isoformat(), (last - first).days) == ("2026-11-25", 29)
    assert [day.isoformat() for day in days("2026-10-01", "2026-10-02", NOW_S)] == ["2026-10-01", "2026-10-02"]


@pytest.mark.parametrize("span", [("2026-10-02", "2026-10-01"), ("2025-01-01", "2026-01-01"), ("x", None)])
def test_days_in_disorder_and_too_many_are_refused(span):
    with pytest.raises(Problem) as fault:
        days(*span, NOW_S)
    assert fault.value.status == 400
    assert DAYS_MAX > 90


def test_a_file_with_one_page_of_many_is_refused():
    page = b'{"data":[{"start_time":0,"end_time":86400,"results":[]}],"has_more":true,"next_page":"x"}'
    with pytest.raises(Unreadable, match="all of its pages"):
        read("openai_usage", page)
