import json
from typing import Any

import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, ask_form, new_sandbox

CHAT = "/v1/chat/completions"


def line(name: str = "a", url: str = CHAT, **body: Any) -> dict[str, Any]:
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}], **body}
    return {"custom_id": name, "method": "POST", "url": url, "body": asked}


def submit(sandbox: Sandbox, *lines: Any, endpoint: str = CHAT, **headers: Any) -> Told:
    data = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)
    file = ask_form(sandbox, "/v1/files", ("purpose", "batch"), ("file", ("in.jsonl", data))).json["id"]
    asked = {"input_file_id": file, "endpoint": endpoint, "completion_window": "24h"}
    return ask(sandbox, "/v1/batches", asked, **headers)


def look(sandbox: Sandbox, name: str) -> Told:
    return ask(sandbox, f"/v1/batches/{name}", method="GET")


def lines_of(sandbox: Sandbox, file: str) -> list[Any]:
    return [json.loads(text) for text in ask(sandbox, f"/v1/files/{file}/content", method="GET").body.splitlines()]


def test_a_batch_is_done_while_it_is_asked_for_and_billed_once_at_half_the_price():
    sandbox = new_sandbox()
    made = submit(sandbox, line("a"), line("b", max_tokens=4), x_sandbox_polls="2", x_sandbox_mark="night")
    name = made.json["id"]
    seen = [look(sandbox, name) for _ in range(4)]

    assert made.json["status"] == "validating"
    assert [told.json["status"] for told in seen] == ["in_progress", "in_progress", "completed", "completed"]
    assert [told.entry is not None for told in (made, *seen)] == [False, False, False, True, False]
    done = seen[2]
    assert done.entry
    assert (done.entry.id, done.entry.endpoint, done.entry.tier) == (name, "batches", "batch")
    assert done.entry.tokens == Tokens(input=18, output=20)
    assert sandbox.bill.totals().amount_nanousd == (18 * 150 + 20 * 600) // 2
    assert done.json["usage"] == {
        "input_tokens": 18,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 38,
    }


def test_the_output_has_a_line_for_each_request():
    sandbox = new_sandbox()
    name = submit(sandbox, line("a"), line("b", n=2), x_sandbox_polls="0").json["id"]
    done = look(sandbox, name).json
    lines = lines_of(sandbox, done["output_file_id"])

    assert [each["custom_id"] for each in lines] == ["a", "b"]
    assert [each["response"]["status_code"] for each in lines] == [200, 200]
    assert [len(each["response"]["body"]["choices"]) for each in lines] == [1, 2]
    assert done["request_counts"] == {"total": 2, "completed": 2, "failed": 0}
    assert done["error_file_id"] is None


def test_requests_that_fail_are_in_a_file_of_their_own_and_cost_nothing():
    sandbox = new_sandbox()
    name = submit(sandbox, line("a", stream=True), line("b", tone=1), x_sandbox_polls="0").json["id"]
    told = look(sandbox, name)

    assert (told.json["status"], told.json["request_counts"]["failed"], told.entry) == ("completed", 2, None)
    assert told.json["output_file_id"] is None
    lines = lines_of(sandbox, told.json["error_file_id"])
    assert [each["response"]["status_code"] for each in lines] == [400, 400]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((b"{",), "invalid_json_line"),
        (({"custom_id": "a"},), "invalid_request"),
        ((line("a"), line("a")), "duplicate_custom_id"),
        ((line("a"), line("b", model="gpt-4o")), "mismatched_model"),
        ((line("a", url="/v1/responses"),), "mismatched_endpoint"),
        ((), "empty_file"),
    ],
)
def test_a_file_that_is_wrong_fails_the_batch(lines: tuple[Any, ...], code: str):
    sandbox = new_sandbox()
    told = look(sandbox, submit(sandbox, *lines).json["id"])

    assert (told.json["status"], told.json["errors"]["data"][0]["code"]) == ("failed", code)
    assert told.entry is None


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"model": "gpt-5-mini", "input": "hello"}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": "hello"}),
        ("/v1/completions", {"model": "gpt-3.5-turbo-instruct", "prompt": "hello"}),
        ("/v1/images/generations", {"model": "gpt-image-2", "prompt": "hello"}),
    ],
)
def test_other_operations_come_in_batches_too(endpoint: str, body: dict[str, Any]):
    sandbox = new_sandbox()
    asked = {"custom_id": "a", "method": "POST", "url": endpoint, "body": body}
    told = look(sandbox, submit(sandbox, asked, endpoint=endpoint, x_sandbox_polls="0").json["id"])

    assert told.entry
    assert (told.json["request_counts"]["completed"], told.json["model"]) == (1, told.entry.model)


def test_a_batch_can_be_cancelled_until_it_is_done():
    sandbox = new_sandbox()
    name = submit(sandbox, line()).json["id"]

    assert ask(sandbox, f"/v1/batches/{name}/cancel").json["status"] == "cancelled"
    assert look(sandbox, name).json["status"] == "cancelled"
    assert ask(sandbox, f"/v1/batches/{name}/cancel").status == 409
    assert [batch["id"] for batch in ask(sandbox, "/v1/batches", method="GET").json["data"]] == [name]
    assert look(sandbox, "batch_x").status == ask(sandbox, "/v1/batches/batch_x/cancel").status == 404
    assert sandbox.bill.totals().calls == 0


def test_what_cannot_be_a_batch_is_refused():
    sandbox = new_sandbox()
    asked = {"input_file_id": "file-x", "endpoint": CHAT, "completion_window": "24h"}

    assert ask(sandbox, "/v1/batches", asked).json["error"]["param"] == "input_file_id"
    assert ask(sandbox, "/v1/batches", {**asked, "endpoint": "/v1/files"}).json["error"]["param"] == "endpoint"
    assert ask(sandbox, "/v1/batches", {**asked, "completion_window": "1h"}).status == 400
