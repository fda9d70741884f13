from typing import Any

from gateway.sandbox import Sandbox
from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, ask_form, new_sandbox

JOBS = "/v1/fine_tuning/jobs"


def submit(sandbox: Sandbox, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    file = ask_form(sandbox, "/v1/files", ("purpose", "fine-tune"), ("file", ("a.jsonl", b"x" * 401))).json["id"]
    return ask(sandbox, JOBS, {"model": "gpt-4o-mini", "training_file": file, **(more or {})}, **headers)


def get(sandbox: Sandbox, name: str, more: str = "") -> Told:
    return ask(sandbox, f"{JOBS}/{name}{more}", method="GET")


def test_a_job_is_done_while_it_is_asked_for_and_billed_once_for_what_it_trained_on():
    sandbox = new_sandbox()
    made = submit(sandbox, {"suffix": "night", "hyperparameters": {"n_epochs": 2}})
    name = made.json["id"]
    seen = [get(sandbox, name) for _ in range(3)]

    assert made.json["status"] == "validating_files"
    assert [told.json["status"] for told in seen] == ["running", "succeeded", "succeeded"]
    assert [told.json["trained_tokens"] for told in seen] == [None, 202, 202]
    assert [told.entry is not None for told in seen] == [False, True, False]
    assert seen[1].entry
    assert (seen[1].entry.id, seen[1].entry.tokens) == (name, Tokens(training=202))
    assert sandbox.bill.totals().amount_nanousd == 202 * 3000
    assert seen[1].json["fine_tuned_model"].startswith("ft:gpt-4o-mini-2024-07-18:org-sandbox:night:")


def test_a_job_tells_what_happened():
    sandbox = new_sandbox()
    name = submit(sandbox, x_sandbox_polls="0").json["id"]

    assert len(get(sandbox, name, "/events").json["data"]) == 1
    assert get(sandbox, name, "/checkpoints").json["data"] == []
    tuned = get(sandbox, name).json["fine_tuned_model"]
    assert get(sandbox, name, "/events").json["data"][0]["message"] == "The job has successfully completed"
    (checkpoint,) = get(sandbox, name, "/checkpoints").json["data"]
    assert checkpoint["fine_tuned_model_checkpoint"] == tuned


def test_a_job_can_be_cancelled_until_it_is_done():
    sandbox = new_sandbox()
    name = submit(sandbox, {"method": {"type": "supervised"}}).json["id"]

    assert ask(sandbox, f"{JOBS}/{name}/cancel").json["status"] == "cancelled"
    assert get(sandbox, name).json["status"] == "cancelled"
    assert ask(sandbox, f"{JOBS}/{name}/cancel").status == 400
    assert [job["id"] for job in ask(sandbox, JOBS, method="GET").json["data"]] == [name]


def test_what_cannot_be_trained_is_refused():
    sandbox = new_sandbox()

    assert submit(sandbox, {"model": "gpt-5-mini"}).json["error"]["code"] == "model_not_available"
    assert submit(sandbox, {"model": "gpt-9"}).status == 404
    assert submit(sandbox, {"training_file": "file-x"}).json["error"]["param"] == "training_file"
    assert submit(sandbox, {"epochs": 1}).json["error"]["code"] == "unknown_parameter"
    for more in ("", "/events", "/checkpoints"):
        assert get(sandbox, "ftjob-x", more).status == 404
    assert ask(sandbox, f"{JOBS}/ftjob-x/cancel").status == 404
