import json
from typing import Any

import pytest

from gateway.sandbox import Sandbox
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

PARAMS = {"model": "claude-haiku-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
BATCHES = "/v1/messages/batches"


def call(sandbox: Sandbox, path: str = "", document: Any = None, method: str = "GET", **headers: Any) -> Told:
    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01", **headers}
    return ask(sandbox, BATCHES + path, document, method, **given)


def create(sandbox: Sandbox, *params: Any, **headers: Any) -> str:
    requests = [{"custom_id": f"r{number}", "params": given} for number, given in enumerate(params or (PARAMS,))]
    told = call(sandbox, "", {"requests": requests}, "POST", **headers)
    assert told.status == 200
    return "/" + told.json["id"]


def results(sandbox: Sandbox, path: str) -> list[Any]:
    told = call(sandbox, path + "/results")
    assert told.headers["content-type"] == "application/x-jsonl"
    return [json.loads(line) for line in told.body.splitlines()]


def test_a_batch_is_in_progress_until_it_was_looked_at_often_enough():
    sandbox = new_sandbox()
    path = create(sandbox, PARAMS, PARAMS, x_sandbox_polls="2")

    looks = [call(sandbox, path).json for _ in range(4)]
    assert [look["processing_status"] for look in looks] == ["in_progress", "in_progress", "ended", "ended"]
    assert looks[0]["request_counts"]["processing"] == 2
    assert looks[0]["results_url"] is None
    assert looks[3]["request_counts"] == {"processing": 0, "succeeded": 2, "errored": 0, "canceled": 0, "expired": 0}
    assert looks[3]["results_url"] == f"{BATCHES}{path}/results"


def test_each_request_is_billed_once_at_half_price_when_the_batch_ends():
    sandbox = new_sandbox()
    path = create(sandbox, PARAMS, PARAMS, x_sandbox_tokens="3", x_sandbox_mark="nightly", x_sandbox_polls="0")
    assert sandbox.bill.totals().calls == 0

    for _ in range(3):
        call(sandbox, path)
        results(sandbox, path)

    lines = sandbox.bill.lines()
    messages = [result["result"]["message"] for result in results(sandbox, path)]
    assert [line["id"] for line in lines] == [message["id"] for message in messages]
    assert len({message["id"] for message in messages}) == 2
    assert {(line["tier"], line["mark"], line["state"], line["endpoint"]) for line in lines} == {
        ("batch", "nightly", "completed", "messages.batches")
    }
    assert [line["amount_nanousd"] for line in lines] == [(9 * 1000 + 3 * 5000) // 2] * 2
    assert {message["usage"]["service_tier"] for message in messages} == {"batch"}


def test_a_request_that_cannot_be_done_is_a_free_result():
    sandbox = new_sandbox()
    wrong = [{**PARAMS, "model": "claude-9"}, {**PARAMS, "stream": True}, {**PARAMS, "max_tokens": 0}]
    path = create(sandbox, *wrong, PARAMS, x_sandbox_polls="0")
    ended = call(sandbox, path).json

    assert ended["request_counts"] == {"processing": 0, "succeeded": 1, "errored": 3, "canceled": 0, "expired": 0}
    first = results(sandbox, path)[0]["result"]
    assert (first["type"], first["error"]["error"]["message"]) == ("errored", "model: claude-9")
    assert sandbox.bill.totals().calls == 1


def test_what_is_canceled_is_not_done():
    sandbox = new_sandbox()
    path = create(sandbox, x_sandbox_polls="5")

    assert call(sandbox, path + "/cancel", method="POST").json["processing_status"] == "canceling"
    assert call(sandbox, path).json["request_counts"]["canceled"] == 1
    assert results(sandbox, path) == [{"custom_id": "r0", "result": {"type": "canceled"}}]
    assert sandbox.bill.totals().calls == 0
    assert call(sandbox, path + "/cancel", method="POST").status == 400


def test_a_batch_is_listed_until_it_is_deleted_which_needs_its_end():
    sandbox = new_sandbox()
    first, second = create(sandbox), create(sandbox, {**PARAMS, "max_tokens": 8})

    listed = call(sandbox).json
    assert ["/" + batch["id"] for batch in listed["data"]] == [second, first]
    assert call(sandbox, first, method="DELETE").status == 400
    for _ in range(2):
        call(sandbox, first)
    assert call(sandbox, first, method="DELETE").json == {"id": first[1:], "type": "message_batch_deleted"}
    assert len(call(sandbox).json["data"]) == 1


def test_results_are_not_there_before_the_end():
    sandbox = new_sandbox()

    assert call(sandbox, create(sandbox) + "/results").status == 400


@pytest.mark.parametrize(("path", "method"), [("", "GET"), ("", "DELETE"), ("/cancel", "POST"), ("/results", "GET")])
def test_an_unknown_batch_is_404(path: str, method: str):
    assert call(new_sandbox(), "/msgbatch_1" + path, method=method).json["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"requests": []},
        {"requests": [{"custom_id": "a"}]},
        {"requests": [{"custom_id": "a b", "params": PARAMS}]},
        {"requests": [{"custom_id": "a", "params": PARAMS}] * 2},
        {"requests": [{"custom_id": "a", "params": PARAMS}], "model": "x"},
    ],
)
def test_bodies_that_are_no_batch_are_400(document: Any):
    assert call(new_sandbox(), "", document, "POST").json["error"]["type"] == "invalid_request_error"


def test_polls_mean_nothing_to_other_calls():
    given = {"authorization": None, "x_api_key": KEY, "anthropic_version": "2023-06-01"}

    assert ask(new_sandbox(), "/v1/messages", PARAMS, x_sandbox_polls="1", **given).status == 400
