import httpx
import pytest

from control_plane.declared.apply import Api, ApiProblem
from control_plane.declared.document import read
from control_plane.declared.plan import plan
from tests.support.collections_api import DOCUMENT, Server


def apply(server: Server, text: str, *, prune: bool = False, token: str = "lst_x", slept: list[float] | None = None):
    done: list[str] = []
    with Api("http://api.test", token, httpx.MockTransport(server), ([] if slept is None else slept).append) as api:
        found = api.found()
        steps = plan(read(text, {}), found, prune=prune, secrets=False)
        api.carry_out(steps, found, lambda step, _answer: done.append(f"{step.verb} {step.label}"))
    return done


def test_a_document_is_applied_once_and_then_there_is_nothing_to_do():
    server = Server()
    assert apply(server, DOCUMENT) == [
        "create projects A",
        "create quotas q",
        "create budgets A/x",
        "create budgets A/y",
        "create budgets A/z",
    ]
    assert {one["project_id"] for one in server.things["budgets"]} == {"projects-0"}
    assert server.things["quotas"][0]["project_id"] is None
    assert apply(server, DOCUMENT) == []


def test_a_change_is_sent_and_what_is_left_out_is_pruned():
    server = Server()
    apply(server, DOCUMENT)
    changed = "projects: [{name: A, budgets: [{name: x, limit_usd: 9}]}]"
    assert apply(server, changed, prune=True) == [
        "update budgets A/x",
        "delete budgets A/y",
        "delete budgets A/z",
        "delete quotas q",
    ]
    assert [one["limit_usd"] for one in server.things["budgets"]] == [9]


def test_each_creation_can_be_repeated_by_a_proxy_and_no_two_share_a_key():
    server = Server()
    apply(server, DOCUMENT)
    keys = [request.headers["idempotency-key"] for request in server.requests if request.method == "POST"]
    assert len(set(keys)) == len(keys) == 5


def test_a_refusal_is_told_with_its_fields():
    with pytest.raises(ApiProblem, match="POST /v1/quotas: It is not as described; body/limit_usd: too low"):
        apply(Server(), "quotas: [{name: refused}]")


def test_a_wrong_token_and_a_silent_server_are_told():
    with pytest.raises(ApiProblem, match="the token in LENSAI_API_TOKEN is unknown"):
        apply(Server(), DOCUMENT, token="lst_wrong")

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    api = Api("http://api.test", "lst_x", httpx.MockTransport(silent))
    with api, pytest.raises(ApiProblem, match=r"http://api.test \(LENSAI_API_URL\) does not answer: ConnectError"):
        api.found()
    with pytest.raises(ApiProblem, match=r"is no URL; write http\[s\]"):
        Api("http://api.test:port", "lst_x")


def test_what_changes_or_removes_names_the_state_that_it_saw():
    server = Server()
    apply(server, DOCUMENT)
    apply(server, "projects: [{name: A, budgets: [{name: x, limit_usd: 9}]}]", prune=True)
    assert [one.headers.get("if-match") for one in server.requests if one.method in ("PATCH", "DELETE")] == ['"4"'] * 4


def test_who_is_told_to_come_again_later_does_and_not_for_ever():
    server, slept = Server(), list[float]()
    server.busy = 2
    assert len(apply(server, DOCUMENT, slept=slept)) == 5
    assert slept == [7, 7]
    server.busy = 9
    with pytest.raises(ApiProblem, match="Too many"):
        apply(server, DOCUMENT)
