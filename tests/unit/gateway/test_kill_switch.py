import msgspec
import pytest

from gateway.contract.policy import KillSwitch, Policy
from gateway.examine import Call, examine
from gateway.faults import Refusal
from gateway.identify import Caller
from gateway.kill_switch import KillSwitches, refusal_of
from gateway.route import Route
from tests.support.stages import LISTED, caller_of, request_of, route_of, view_of

UPSTREAM = (
    '[credentials.c]\nsecret = "s"\n[upstreams.openai]\ncredential_id = "c"\nmodels = { prod = "gpt-4o-2024-08-06" }'
)
VIEW = view_of(UPSTREAM, 'user_id = "agent-7"\nteam = "red"\ntags = ["batch"]')


def asked(model: str = "prod", user_id: str = "", end_user: str = "") -> Call:
    return Call(model, False, user_id, b"", False, b"", end_user)


def call(*lines: bytes) -> tuple[Caller, Route]:
    request = request_of("/v1/chat/completions", b"{}", *lines)
    return caller_of(request, VIEW), route_of(request, VIEW)


def ends(scope: dict[str, str], *lines: bytes, model: str = "prod", allow: tuple[str, ...] = ()) -> bool:
    caller, route = call(*lines)
    switch = KillSwitch("stop", scope, allow=allow)  # type: ignore[arg-type]
    found = KillSwitches(Policy(kill_switches=(switch,)), LISTED).find(caller, route, asked(model))
    assert found in (None, refusal_of(switch))
    return found is not None


def test_where_there_is_none_every_call_passes():
    switches = KillSwitches(Policy(), LISTED)
    assert switches.find(*call(), asked()) is None
    assert not switches


def test_a_switch_without_a_scope_ends_everything():
    assert ends({})
    assert KillSwitches(Policy(kill_switches=(KillSwitch("stop"),)), LISTED)


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        ("org", "default"), ("project", "web"), ("key", "test"), ("user", "agent-7"), ("team", "red"),
        ("model", "prod"), ("model", "gpt-4o-2024-08-06"), ("model", "gpt-4o"), ("provider", "openai"),
        ("upstream", "openai"), ("route", "chat.completions"), ("tag", "batch"),
    ],
)  # fmt: skip
def test_each_dimension_is_matched_exactly(dimension: str, value: str):
    assert ends({dimension: value})
    assert not ends({dimension: value + "x"})


def test_a_switch_on_a_key_ends_calls_of_those_that_took_its_place():
    view = view_of(UPSTREAM, 'replaces = ["k1", "k2"]')
    request = request_of("/v1/chat/completions", b"{}")
    caller, route = caller_of(request, view), route_of(request, view)
    ended = [
        KillSwitches(Policy(kill_switches=(KillSwitch("stop", {"key": id}),)), LISTED).find(caller, route, asked())
        for id in ("k1", "k2", "test", "k3")
    ]
    assert [refusal is not None for refusal in ended] == [True, True, True, False]


def test_every_dimension_of_a_scope_must_match():
    assert ends({"team": "red", "model": "prod"})
    assert not ends({"team": "red", "model": "other"})


@pytest.mark.parametrize(
    ("dimension", "header", "own"),
    [("user", b"x-lensai-user", "agent-7"), ("team", b"x-lensai-team", "red"),
     ("route", b"x-lensai-route", "chat.completions"), ("tag", b"x-lensai-tags", "batch")],
)  # fmt: skip
def test_a_header_gets_a_call_into_a_switch_and_never_out_of_it(dimension: str, header: bytes, own: str):
    claimed = header + b": somebody-else"
    assert ends({dimension: "somebody-else"}, claimed)
    assert ends({dimension: own}, claimed)


def test_a_model_that_is_not_known_yet_is_no_model():
    assert not ends({"model": "prod"}, model="")


@pytest.mark.parametrize("named", ["prod", "gpt-4o-2024-08-06", "gpt-4o"])
def test_a_model_that_may_stand_in_for_another_is_ended_with_it(named: str):
    caller, route = call()
    switch = KillSwitch("k", {"model": named})
    found = KillSwitches(Policy(kill_switches=(switch,)), LISTED)
    beside = msgspec.structs.replace(asked("other"), beside=("else", "prod"))
    assert found.find(caller, route, beside) is not None
    assert found.find(caller, route, asked("other")) is None


def test_endpoints_may_stay_open_and_nothing_that_a_header_only_says():
    assert not ends({}, allow=("models", "chat.completions"))
    assert not ends({}, b"x-lensai-route: health", allow=("chat.completions",))
    assert ends({}, b"x-lensai-route: health", allow=("health",))
    assert ends({}, b"x-lensai-route: models", allow=("models",))


def test_the_user_that_a_body_names_is_matched_beside_that_of_the_header_and_of_the_key():
    switches = KillSwitches(Policy(kill_switches=(KillSwitch("stop", {"user": "bob"}),)), LISTED)
    body = b'{"model":"prod","user":"bob","messages":[]}'
    plain = view_of(UPSTREAM)
    for view, lines in ((plain, ()), (plain, (b"x-lensai-user: ann",)), (VIEW, ())):
        request = request_of("/v1/chat/completions", body, *lines)
        caller, route = caller_of(request, view), route_of(request, view)
        found = examine(request, caller, route, 1 << 20)
        assert isinstance(found, Call)
        assert switches.find(caller, route, found) is not None
    assert switches.find(*call(), asked(user_id="ann")) is None
    assert switches.find(*call(), asked(user_id="bob")) is not None


def test_the_first_switch_that_ends_a_call_is_told():
    rows = (KillSwitch("a", {"team": "blue"}), KillSwitch("b", {"team": "red"}), KillSwitch("c"))
    assert KillSwitches(Policy(kill_switches=rows), LISTED).find(*call(), asked()) == refusal_of(rows[1])


def test_its_refusal_says_why_and_is_not_retried():
    refusal = refusal_of(KillSwitch("stop", reason="the invoice is being looked at"))
    assert (refusal.code, refusal.status, refusal.retryable) == ("kill_switch", 403, False)
    assert refusal.message == (
        "The kill switch 'stop' ends such calls: the invoice is being looked at."
        " Whoever runs this gateway opens it again"
    )
    assert "such calls. Whoever" in refusal_of(KillSwitch("stop")).message


def test_an_upstream_named_without_an_organization_is_the_one_that_everybody_shares():
    own = view_of(UPSTREAM + '\norg_id = "default"')
    request = request_of("/v1/chat/completions", b"{}")
    caller, route = caller_of(request, own), route_of(request, own)

    def find(**scope: str) -> Refusal | None:
        row = KillSwitch("stop", scope)  # type: ignore[arg-type]
        return KillSwitches(Policy(kill_switches=(row,)), LISTED).find(caller, route, asked())

    assert find(upstream="openai") is None
    assert find(upstream="openai", org="default") is not None
    assert find(provider="openai") is not None
