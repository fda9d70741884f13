import pytest

from control_plane.alerts.notice import describe
from control_plane.alerts.schema import (
    KillSwitchReleased,
    KillSwitchThrown,
    ModelCost,
    Named,
    SpendAnomaly,
    Trial,
)
from tests.support.alert_stage import START_S, threshold

PROJECT = Named("prj_1", "Shop")


def test_a_threshold_says_project_spend_limit_percent_window_and_models():
    notice = describe(threshold(), "https://lens.test")
    assert notice.title == "Budget at 90 %"
    assert dict(notice.facts) == {
        "Project": "Shop",
        "Budget": "Month",
        "Spent": "$90.50",
        "Limit": "$100.00",
        "Percent": "90 %",
        "Window": "month, 2026-09-21 00:00 UTC to 2026-10-21 00:00 UTC",
    }
    assert notice.models == "gpt-5 $80.25, gpt-5-mini $1.00"
    assert notice.url == "https://lens.test/projects/prj_1"
    assert notice.summary.startswith("Budget at 90 % — Project: Shop, Budget: Month, Spent: $90.50")


def test_models_that_nobody_knows_are_said_to_be_unknown():
    assert describe(threshold(top_models=None), "https://l").models == "unknown"
    assert describe(threshold(top_models=[ModelCost("", "1.00")]), "https://l").models == "unknown $1.00"
    late = describe(threshold(top_models=[ModelCost("a", "1.00")], models_since_s=START_S), "https://l")
    assert late.models == "since 2026-09-21 00:00 UTC: a $1.00"


def test_a_quota_counts_in_its_unit_and_by_its_dimensions():
    event = threshold(unit="tokens", spent="900", limit="1000", dimensions={"user": "ada"}, window="total")
    facts = dict(describe(event, "https://l").facts)
    assert facts["Used"] == "900 tokens"
    assert facts["Limit"] == "1000 tokens"
    assert facts["User"] == "ada"
    assert facts["Window"] == "total"


def test_what_is_of_the_whole_organization_says_so():
    notice = describe(threshold(project=None), "https://l")
    assert notice.facts[0] == ("Project", "All projects")
    assert notice.url == "https://l/"


@pytest.mark.parametrize(
    ("event", "title", "fact"),
    [
        (
            KillSwitchThrown(project=PROJECT, at_ms=1, kill_switch_id="k", reason="loop", by="user:usr_1"),
            "Kill switch thrown",
            ("Reason", "loop"),
        ),
        (
            KillSwitchReleased(project=None, at_ms=1, kill_switch_id="k", reason="", by="a", scope={"model": "m"}),
            "Kill switch released",
            ("Model", "m"),
        ),
        (Trial(project=None, at_ms=1, rule=Named("arl_1", "Tell")), "Test message", ("Rule", "Tell")),
    ],
)
def test_events_without_models_name_none(event, title, fact):
    notice = describe(event, "https://l")
    assert (notice.title, notice.models) == (title, "")
    assert fact in notice.facts


def test_an_anomaly_says_what_is_usual_and_how_that_is_known():
    event = SpendAnomaly(
        project=PROJECT, at_ms=1, spent_usd="9.00", usual_usd="1.00", compared_hours=7, factor=3.0,
        starts_at_s=START_S, ends_at_s=START_S + 3600,
    )  # fmt: skip
    facts = dict(describe(event, "https://l").facts)
    assert facts["This hour"] == "$9.00"
    assert facts["Usual"] == "$1.00 an hour, mean of 7 hours"
    assert facts["Alerts at"] == "3 times the usual"
