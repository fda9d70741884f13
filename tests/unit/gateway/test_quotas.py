from typing import Any

import msgspec
import pytest

from gateway.contract.policy import Quota, QuotaOverride
from gateway.examine import Call
from gateway.ledger.base import UNLIMITED
from gateway.quotas import (
    ALIKE_MAX,
    Begun,
    Consumed,
    Due,
    Dues,
    QuotaTable,
    amounts_of,
    begun,
    charged,
    charged_later,
    consumed_by,
)
from tests.support.data_plane import upstreams_at
from tests.support.holds import hold
from tests.support.stages import LISTED, NOW_S, caller_of, request_of, route_of, view_of

PATH = "/openai/v1/chat/completions"
BODY = b'{"model":"gpt-4o-mini","messages":[]}'
UPSTREAMS = upstreams_at(1, "openai")
KEY = 'user_id = "zoe"\nteam = "core"\ntags = ["prod"]'
VIEW = view_of(UPSTREAMS, KEY)
ROUTE = route_of(request_of(PATH, BODY), VIEW)
MONTH = "2027-01"


def quota(id: str = "q", **fields: Any) -> Quota:
    return Quota(**{"id": id, "unit": "usd", "limit": 100} | fields)


def table_of(*quotas: Quota, overrides: tuple[QuotaOverride, ...] = ()) -> QuotaTable:
    policy = view_of(UPSTREAMS, KEY).policy
    return QuotaTable(msgspec.structs.replace(policy, quotas=quotas, quota_overrides=overrides), LISTED)


def dues(
    table: QuotaTable,
    *lines: bytes,
    model: str = "gpt-4o-mini",
    user_id: str = "zoe",
    at_s: int = NOW_S,
    beside: tuple[str, ...] = (),
) -> tuple[Due, ...]:
    request = request_of(PATH, BODY, *lines)
    caller = caller_of(request, VIEW)
    call = Call(model, False, caller.user_id if lines else user_id, BODY, False, BODY, beside=beside)
    return table.due(caller, ROUTE, call, at_s).each


def counters(found: tuple[Due, ...]) -> list[str]:
    return [due.counter for due in found]


@pytest.mark.parametrize(
    ("scope", "matches"),
    [
        ({}, True),
        ({"project": "web"}, True),
        ({"project": "other"}, False),
        ({"org": "default", "provider": "openai", "upstream": "openai"}, True),
        ({"provider": "anthropic"}, False),
        ({"model": "gpt-4o-mini"}, True),
        ({"model": "gpt-4o"}, False),
        ({"user": "zoe"}, True),
        ({"user": "max"}, False),
        ({"team": "core", "tag": "prod"}, True),
        ({"tag": "test"}, False),
        ({"route": "chat.completions"}, True),
        ({"route": "embeddings"}, False),
    ],
)
def test_a_quota_is_due_for_the_calls_in_its_scope(scope: dict[str, str], matches: bool):
    assert counters(dues(table_of(quota(scope=scope)))) == ([f"q@{MONTH}"] if matches else [])


def test_each_value_of_a_star_has_a_counter_of_its_own():
    table = table_of(quota(scope={"user": "*", "model": "*"}))

    assert counters(dues(table)) == [f"q@{MONTH}|user=zoe|model=gpt-4o-mini"]
    assert dues(table)[0].scope == (("user", "zoe"), ("model", "gpt-4o-mini"))


def test_values_cannot_spell_another_counter_nor_one_twice():
    """Of four pairs of a user and a team, two would have one name; a body may name a model of two lines."""
    table = table_of(quota("each", scope={"user": "*", "team": "*"}), quota("model", scope={"model": "*"}))
    lines = (b"x-lensai-user: zoe|team=y", b"x-lensai-team: y|team=core")

    names = counters(dues(table, *lines, model="a\nb"))

    assert names == [
        f"each@{MONTH}|user=zoe%7Cteam%3Dy|team=y%7Cteam%3Dcore",
        f"each@{MONTH}|user=zoe%7Cteam%3Dy|team=core",
        f"each@{MONTH}|user=zoe|team=y%7Cteam%3Dcore",
        f"each@{MONTH}|user=zoe|team=core",
        f"model@{MONTH}|model=a%0Ab",
    ]
    assert ("user", "zoe|team=y") in dues(table, *lines)[0].scope


def test_a_snapshot_is_counted_as_itself_and_as_its_model():
    snapshot = "gpt-4o-mini-2024-07-18"
    table = table_of(
        quota("each", scope={"model": "*"}),
        quota("all", scope={"model": "gpt-4o-mini"}),
        quota("one", scope={"model": snapshot}),
    )

    assert counters(dues(table, model="gpt-4o-mini")) == [f"each@{MONTH}|model=gpt-4o-mini", f"all@{MONTH}"]
    assert counters(dues(table, model=snapshot)) == [
        f"each@{MONTH}|model={snapshot}",
        f"each@{MONTH}|model=gpt-4o-mini",
        f"all@{MONTH}",
        f"one@{MONTH}",
    ]


def test_a_model_that_may_answer_in_the_place_of_another_is_counted_too():
    table = table_of(quota("each", scope={"model": "*"}), quota("dear", scope={"model": "o1-pro"}))

    assert counters(dues(table)) == [f"each@{MONTH}|model=gpt-4o-mini"]
    assert counters(dues(table, beside=("o1-pro",))) == [
        f"each@{MONTH}|model=gpt-4o-mini",
        f"each@{MONTH}|model=o1-pro",
        f"dear@{MONTH}",
    ]


def test_a_key_that_was_rotated_stays_under_the_limits_of_those_before():
    table = table_of(
        quota("each", scope={"key": "*"}), quota("first", scope={"key": "k1"}), quota("before", scope={"key": "k2"}),
        quota("own", scope={"key": "test"}), quota("other", scope={"key": "k4"}),
    )  # fmt: skip
    view = view_of(UPSTREAMS, 'replaces = ["k1", "k2"]')
    caller = caller_of(request_of(PATH, BODY), view)
    found = table.due(caller, ROUTE, Call("gpt-4o-mini", False, "", BODY, False, BODY), NOW_S).each

    assert counters(found) == [f"each@{MONTH}|key=k1", f"first@{MONTH}", f"before@{MONTH}", f"own@{MONTH}"]


def test_every_tag_counts():
    found = dues(table_of(quota(scope={"tag": "*"})), b"x-lensai-tags: prod, night")

    assert counters(found) == [f"q@{MONTH}|tag=prod", f"q@{MONTH}|tag=night"]


def test_what_a_caller_says_comes_beside_what_its_key_says():
    """Case 67: a header narrows, and never takes a call out of a quota."""
    table = table_of(
        quota("each", scope={"user": "*"}), quota("zoe", scope={"user": "zoe"}), quota("c", scope={"team": "core"})
    )

    found = dues(table, b"x-lensai-user: max", b"x-lensai-team: other")

    assert counters(found) == [f"each@{MONTH}|user=max", f"each@{MONTH}|user=zoe", f"zoe@{MONTH}", f"c@{MONTH}"]


def test_counters_are_those_of_the_window_a_call_lies_in():
    table = table_of(quota("slow"), quota("fast", unit="requests", window="minute"))
    first, again, next_minute, back = (dues(table, at_s=NOW_S + s) for s in (0, 1, 60, 0))

    assert again is first, "calls that are alike have their counters looked up once"
    assert counters(first)[0] == counters(next_minute)[0]
    assert counters(first)[1] != counters(next_minute)[1]
    assert back == first


def test_more_callers_than_are_remembered_have_their_own_counters_all_the_same():
    table = table_of(quota(scope={"user": "*"}))
    view, request = view_of(UPSTREAMS, KEY), request_of(PATH, BODY)
    caller, route = caller_of(request, view), route_of(request, view)

    for number in (*range(ALIKE_MAX + 1), 0):
        call = Call("gpt-4o-mini", False, f"user-{number}", BODY, False, BODY)
        assert table.due(caller, route, call, NOW_S).each[0].counter == f"q@{MONTH}|user=user-{number}"


def test_calls_at_a_time_have_no_window():
    found = dues(table_of(quota(unit="concurrent", window="total")))

    assert counters(found) == ["q@now"]


def test_a_window_begins_a_new_counter():
    """Case 49."""
    table = table_of(quota(window="minute", unit="requests"))
    request, view = request_of(PATH, BODY), view_of(UPSTREAMS, KEY)
    call = Call("gpt-4o-mini", False, "zoe", BODY, False, BODY)

    def at(at_s: int) -> str:
        return table.due(caller_of(request, view), route_of(request, view), call, at_s).each[0].counter

    assert at(NOW_S) == at(NOW_S + 59) == "q@2027-01-15T08:00+0000"
    assert at(NOW_S + 60) == "q@2027-01-15T08:01+0000"
    assert at(NOW_S) == "q@2027-01-15T08:00+0000"


@pytest.mark.parametrize(
    ("unit", "amount"),
    [("usd", 70), ("tokens_in", 20), ("tokens_out", 30), ("tokens", 50), ("requests", 1), ("concurrent", 1)],
)
def test_what_blocks_holds_the_most_and_what_only_tells_holds_nothing(unit: Any, amount: int):
    table = table_of(
        quota("hard", unit=unit), quota("soft", unit=unit, action="alert"), quota("free", unit=unit, limit=None)
    )
    found = dues(table)

    hard, soft, free = table.holds(found, amounts_of(70, 20, 30), NOW_S)

    kept_until_s = found[0].period.kept_until_s
    assert hard == hold(found[0].counter, amount, 100, (50, 80, 90, 100), 100, kept_until_s=kept_until_s)
    assert (soft.amount, soft.limit, soft.terms.whole) == (1 if unit == "concurrent" else 0, None, 100)
    assert (free.limit, free.terms.whole) == (None, None)


def test_minutes_of_grace_change_the_limit_and_then_end():
    overrides = (QuotaOverride("more", NOW_S + 60, 500), QuotaOverride("all", NOW_S + 60))
    table = table_of(quota("more"), quota("all"), overrides=overrides)
    found = dues(table)

    assert [table.limit(due, NOW_S) for due in found] == [500, None]
    assert [table.limit(due, NOW_S + 60) for due in found] == [100, 100]
    revisions = dues(table)[0].terms.revision, dues(table, at_s=NOW_S + 60)[0].terms.revision
    assert len({*revisions, dues(table_of(quota("more")))[0].terms.revision}) == 3
    for at_s, limits in ((NOW_S + 59, [500, UNLIMITED]), (NOW_S + 60, [100, 100]), (NOW_S, [500, UNLIMITED])):
        assert [due.terms.limit for due in dues(table, at_s=at_s)] == limits
        assert [hold.limit for hold in table.holds(found, amounts_of(1, 0, 0), at_s)] == limits


HELD = {"usd": 90, "tokens_in": 80, "tokens_out": 70, "tokens": 60}


@pytest.mark.parametrize(
    ("consumed", "hard", "soft"),
    [
        (Consumed(True, 5, 2, 3), [5, 2, 3, 5, 1, 0], [5, 2, 3, 5, 1, 0]),
        # A guess may be too low: only what it exceeds of the hold counts. Where nothing blocks, it is as good as any.
        (Consumed(False, 5, 2, 3), [90, 80, 70, 60, 1, 0], [5, 2, 3, 5, 1, 0]),
        (Consumed(False, 95, 85, 75), [95, 85, 75, 160, 1, 0], [95, 85, 75, 160, 1, 0]),
        # Unknown is not zero.
        (Consumed(False), [90, 80, 70, 60, 1, 0], [0, 0, 0, 0, 1, 0]),
        (Consumed(True, None, 2, 3), [90, 2, 3, 5, 1, 0], [0, 2, 3, 5, 1, 0]),
        # More than was held is recorded as it is.
        (Consumed(True, 500, 2, 3), [500, 2, 3, 5, 1, 0], [500, 2, 3, 5, 1, 0]),
    ],
)
def test_what_nobody_reported_counts_as_it_was_held(consumed: Consumed, hard: list[int], soft: list[int]):
    units: list[Any] = ["usd", "tokens_in", "tokens_out", "tokens", "requests", "concurrent"]
    for action, expected in (("block", hard), ("alert", soft)):
        found = dues(table_of(*(quota(unit, unit=unit, action=action) for unit in units)))
        held = {due.counter: HELD.get(due.quota.unit, 1) if action == "block" else 0 for due in found}
        assert list(charged(found, held, consumed).values()) == expected
        if consumed.told is not None:
            assert list(Dues.of(tuple(found)).charges(consumed.told).values()) == expected


def test_work_that_is_told_of_later_gives_back_what_its_beginning_was_charged_too_much():
    table = table_of(quota("money"), quota("all", unit="tokens", limit=500), quota("calls", unit="requests"))
    found = dues(table)
    held = {"money@2027-01": 90, "all@2027-01": 400, "calls@2027-01": 1}
    before = begun(found, held)
    assert before == (Begun("money@2027-01", "usd", 90), Begun("all@2027-01", "tokens", 400))

    told = charged_later(found, before, Consumed(reported=True, nanousd=30, tokens_in=10, tokens_out=5))
    assert told == {"money@2027-01": -60, "all@2027-01": -385, "calls@2027-01": 1}
    guessed = charged_later((), before, Consumed(reported=False, nanousd=30, tokens_in=None, tokens_out=5))
    assert guessed == {"money@2027-01": 0}
    dearer = charged_later((), before, Consumed(reported=False, nanousd=100))
    assert dearer == {"money@2027-01": 10}


def test_what_nobody_told_is_not_known_and_what_cost_nothing_is():
    assert consumed_by("unknown", None, None, None) == Consumed(reported=False)
    assert consumed_by("none", 0, None, None) == Consumed(reported=True, nanousd=0, tokens_in=0, tokens_out=0)
    told = consumed_by("reported", 9, 3, 2)
    assert told == Consumed(reported=True, nanousd=9, tokens_in=3, tokens_out=2)
    assert told.told == amounts_of(9, 3, 2)
    assert not consumed_by("partial", 9, 3, 0).reported


def test_quotas_are_found_by_project_by_organization_and_for_everybody():
    table = table_of(
        quota("all"),
        quota("org", scope={"org": "default"}),
        quota("other-org", scope={"org": "acme"}),
        quota("mine", scope={"org": "default", "project": "web"}),
        quota("moved", scope={"org": "acme", "project": "web"}),
        quota("theirs", scope={"project": "another"}),
        quota("each", scope={"org": "*", "project": "*"}),
    )
    assert counters(dues(table)) == [
        f"all@{MONTH}",
        f"each@{MONTH}|org=default|project=web",
        f"org@{MONTH}",
        f"mine@{MONTH}",
    ]


def test_an_organizations_own_upstream_is_not_the_one_that_everybodys_quotas_name():
    view = view_of(UPSTREAMS + '\norg_id = "default"', KEY)
    request = request_of(PATH, BODY)
    caller, route = caller_of(request, view), route_of(request, view)
    table = table_of(
        quota("named", scope={"upstream": "openai"}),
        quota("each", scope={"upstream": "*"}),
        quota("own", scope={"org": "default", "upstream": "openai"}),
        quota("provider", scope={"provider": "openai"}),
    )
    found = table.due(caller, route, Call("gpt-4o-mini", False, "zoe", BODY, False, BODY), NOW_S).each
    assert counters(found) == [f"provider@{MONTH}", f"own@{MONTH}"]


@pytest.mark.parametrize("moved", ["key", "project", "upstream"])
def test_calls_judged_under_another_policy_are_not_alike(moved: str):
    """A body may come long after its head, and a session lasts: the counters of either are those of its own head."""
    view, request = view_of(UPSTREAMS, KEY), request_of(PATH, BODY)
    caller, route = caller_of(request, view), route_of(request, view)
    call = Call("gpt-4o-mini", False, "zoe", BODY, False, BODY)
    later, later_route = caller, route
    match moved:
        case "key":
            later = msgspec.structs.replace(caller, key=msgspec.structs.replace(caller.key, team="moved"))
        case "project":
            later = msgspec.structs.replace(caller, project=msgspec.structs.replace(caller.project, org_id="moved"))
        case _:
            upstream = msgspec.structs.replace(route.destination.upstream, models={"gpt-4o-mini": "moved"})
            destination = msgspec.structs.replace(route.destination, upstream=upstream)
            later_route = msgspec.structs.replace(route, destination=destination)
    table = table_of(quota(scope={"org": "*", "team": "*", "model": "*"}))
    before = table.due(caller, route, call, NOW_S)
    assert table.due(caller, route, call, NOW_S) is before

    after = table.due(later, later_route, call, NOW_S)

    assert any("moved" in due.counter for due in after.each)
    assert table.due(later, later_route, call, NOW_S) is after
    assert table.due(caller, route, call, NOW_S).each == before.each
