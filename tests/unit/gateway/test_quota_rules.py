from typing import Any

import pytest
from msgspec.structs import replace

from gateway import policy_rules
from gateway.contract.policy import Key, KillSwitch, Policy, Project, Quota, QuotaOverride, Upstream
from gateway.quota_rules import LIMIT_MAX, THRESHOLD_PERCENT_MAX, VALUES_MAX_MAX, faults_alone, problems

QUOTA = Quota("web-month", "usd", 25 * 10**9, scope={"project": "web", "user": "*"}, ceiling=10**9)
OVERRIDE = QuotaOverride("web-month", 1, 50 * 10**9)
SWITCH = KillSwitch("stop", {"provider": "groq"}, "the invoice is being looked at", ("models",))
GOOD = Policy(
    projects=(Project("web", org_id="acme"),),
    keys=(Key("ci", "web", "0" * 64),),
    upstreams=(Upstream("groq", "groq", "https://api.groq.com"),),
    quotas=(QUOTA,),
    quota_overrides=(OVERRIDE,),
    kill_switches=(SWITCH,),
)


def found(**changed: Any) -> dict[tuple[str | int, ...], str]:
    return dict(problems(replace(GOOD, **changed)))


def of_quota(**changed: Any) -> dict[str | int, str]:
    """What is wrong with the one quota, by field."""
    quota = replace(QUOTA, **changed)
    return {path[2]: message for path, message in found(quotas=(quota,)).items() if path[:2] == ("quotas", 0)}


def of_switch(**changed: Any) -> dict[str | int, str]:
    switch = replace(SWITCH, **changed)
    return {path[2]: message for path, message in found(kill_switches=(switch,)).items()}


def test_good_limits_have_no_problems():
    assert not found()
    assert not list(problems(Policy()))


def test_a_policy_is_judged_by_these_rules_too():
    wrong = replace(GOOD, quotas=(replace(QUOTA, limit=-1),))
    assert ("quotas", 0, "limit") in dict(policy_rules.problems(wrong))


@pytest.mark.parametrize("limit", [None, 0, 1, LIMIT_MAX])
def test_limits_may_be_nothing_anything_exact_and_unlimited(limit: int | None):
    assert not of_quota(limit=limit)
    assert not found(quota_overrides=(replace(OVERRIDE, limit=limit),))


@pytest.mark.parametrize(("limit", "said"), [(-1, "use 0 to refuse every call"), (LIMIT_MAX + 1, "counted exactly")])
def test_limits_are_neither_negative_nor_beyond_what_is_exact(limit: int, said: str):
    assert said in of_quota(limit=limit)["limit"]
    assert said in found(quota_overrides=(replace(OVERRIDE, limit=limit),))["quota_overrides", 0, "limit"]


def test_a_ceiling_is_money_and_more_than_nothing():
    assert of_quota(ceiling=None) == {}
    assert "has none: remove it" in of_quota(unit="tokens")["ceiling"]
    assert "would hold nothing" in of_quota(ceiling=0)["ceiling"]
    assert "counted exactly" in of_quota(ceiling=LIMIT_MAX + 1)["ceiling"]


def test_calls_at_a_time_have_no_window():
    assert 'write "total"' in of_quota(unit="concurrent", ceiling=None)["window"]
    assert of_quota(unit="concurrent", ceiling=None, window="total") == {}


@pytest.mark.parametrize("thresholds", [(), (1,), (50, 80, 100), (100, THRESHOLD_PERCENT_MAX)])
def test_thresholds_may_rise(thresholds: tuple[int, ...]):
    assert not of_quota(thresholds=thresholds)


@pytest.mark.parametrize("thresholds", [(0,), (80, 50), (50, 50), (THRESHOLD_PERCENT_MAX + 1,), (-5, 50)])
def test_thresholds_may_do_nothing_else(thresholds: tuple[int, ...]):
    assert "must rise from 1" in of_quota(thresholds=thresholds)["thresholds"]


@pytest.mark.parametrize("name", ["Mars", "", "America", "../etc/passwd", "Europe/Berlin\0"])
def test_a_time_zone_is_one_that_exists(name: str):
    assert "IANA" in of_quota(time_zone=name)["time_zone"]
    assert not of_quota(time_zone="Europe/Berlin")


@pytest.mark.parametrize("values_max", [0, -1, VALUES_MAX_MAX + 1])
def test_counters_are_bounded(values_max: int):
    assert "out of bounds" in of_quota(values_max=values_max)["values_max"]


@pytest.mark.parametrize("name", ["a@b", "a|b", "Web", ""])
def test_ids_are_names_so_that_counters_can_be_told_apart(name: str):
    assert "is not a name" in of_quota(id=name)["id"]
    assert "is not a name" in of_switch(id=name)["id"]


@pytest.mark.parametrize(
    ("dimension", "table"),
    [("org", "org_id of projects"), ("project", "projects"), ("key", "keys"), ("provider", "providers"),
     ("upstream", "upstreams")],
)  # fmt: skip
def test_a_scope_names_what_exists(dimension: str, table: str):
    assert f"{dimension}: there is no 'nope' in" in of_quota(scope={dimension: "nope"})["scope"]
    assert table in of_switch(scope={dimension: "nope"})["scope"]


@pytest.mark.parametrize(
    "scope",
    [{}, {"org": "acme"}, {"key": "ci"}, {"upstream": "groq"}, {"user": "Zoë"}, {"model": "gpt-5"}, {"tag": "*"}],
)
def test_a_scope_may_be_anything_else(scope: dict[str, str]):
    assert not of_quota(scope=scope)


def test_what_a_scope_leaves_empty_is_no_value():
    assert "user is empty" in of_quota(scope={"user": ""})["scope"]
    assert "user is empty" in of_quota(scope={"user": "a\nb"})["scope"]


def test_a_kill_switch_is_no_set_of_counters():
    assert "leave the dimension out" in of_switch(scope={"project": "*"})["scope"]
    assert not of_switch(scope={})


def test_what_a_kill_switch_says_fits_a_line():
    assert "shorten it" in of_switch(reason="x" * 501)["reason"]
    assert "shorten it" in of_switch(reason="a\r\nb")["reason"]
    assert "no endpoint's name" in of_switch(allow=("",))["allow"]


def test_an_override_is_of_a_quota():
    assert "there is no 'nope' in quotas" in found(quota_overrides=(replace(OVERRIDE, quota_id="nope"),))[
        "quota_overrides", 0, "quota_id"
    ]  # fmt: skip


def test_nothing_is_there_twice():
    twice = found(quotas=(QUOTA, QUOTA), quota_overrides=(OVERRIDE,) * 2, kill_switches=(SWITCH, SWITCH))
    assert twice.keys() == {("quotas", 1, "id"), ("quota_overrides", 1, "quota_id"), ("kill_switches", 1, "id")}


def test_a_row_alone_may_name_anybody_but_nothing_that_cannot_be():
    unknown = {"org": "org_x", "project": "prj_x", "key": "key_x", "upstream": "x"}
    for row in (replace(QUOTA, scope=unknown), replace(SWITCH, scope=unknown), replace(OVERRIDE, quota_id="bud_x")):
        assert not list(faults_alone(row))
    assert dict(faults_alone(replace(QUOTA, limit=-1))).keys() == {"limit"}
    assert dict(faults_alone(replace(QUOTA, scope={"provider": "nobody"}))).keys() == {"scope"}
    assert dict(faults_alone(replace(SWITCH, scope={"org": "*"}))).keys() == {"scope"}
    assert dict(faults_alone(replace(OVERRIDE, limit=-1))).keys() == {"limit"}
