from typing import Any

from gateway.sandbox import Sandbox
from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

PATH = "/v1/responses"


def make(sandbox: Sandbox, more: dict[str, Any] | None = None, **headers: Any) -> Told:
    return ask(sandbox, PATH, {"model": "gpt-5-mini", "input": "eightish", **(more or {})}, **headers)


def get(sandbox: Sandbox, name: str, more: str = "") -> Told:
    return ask(sandbox, f"{PATH}/{name}{more}", method="GET")


def test_a_response_can_be_had_again_and_is_not_billed_again():
    sandbox = new_sandbox()
    made = make(sandbox).json

    assert get(sandbox, made["id"]).json == made
    assert sandbox.bill.totals().calls == 1
    assert ask(sandbox, f"{PATH}/{made['id']}", method="DELETE").json["deleted"] is True
    assert get(sandbox, made["id"]).status == ask(sandbox, f"{PATH}/{made['id']}", method="DELETE").status == 404


def test_a_response_that_was_not_to_be_stored_is_not():
    sandbox = new_sandbox()

    assert get(sandbox, make(sandbox, {"store": False}).json["id"]).status == 404


def test_in_the_background_it_is_done_while_it_is_asked_for_and_billed_once():
    sandbox = new_sandbox()
    made = make(
        sandbox, {"background": True}, x_sandbox_polls="2", x_sandbox_tokens="3", x_sandbox_reasoning_tokens="9"
    )
    seen = [get(sandbox, made.json["id"]) for _ in range(4)]

    assert (made.json["status"], made.json["background"], made.json["usage"], made.entry) == (
        "queued",
        True,
        None,
        None,
    )
    assert [told.json["status"] for told in seen] == ["in_progress", "in_progress", "completed", "completed"]
    assert [told.json["usage"] is not None for told in seen] == [False, False, True, True]
    assert [told.entry is not None for told in seen] == [False, False, True, False]
    assert seen[2].entry
    assert (seen[2].entry.id, seen[2].entry.endpoint) == (made.json["id"], "responses.retrieve")
    assert seen[2].entry.tokens == Tokens(input=5, output=3, reasoning=9)


def test_a_limit_counts_in_the_background_too():
    sandbox = new_sandbox()
    made = make(sandbox, {"background": True, "max_output_tokens": 16}, x_sandbox_polls="0", x_sandbox_tokens="20")

    assert get(sandbox, made.json["id"]).json["status"] == "incomplete"


def test_a_stream_in_the_background_is_billed_whole_and_can_be_taken_up_again():
    sandbox = new_sandbox()
    cut = make(sandbox, {"background": True, "stream": True}, x_sandbox_cut_after_chunks="4", x_sandbox_tokens="3")
    name = cut.events[0]["response"]["id"]
    rest = get(sandbox, name, "?stream=true&starting_after=3")

    assert [event["type"] for event in cut.events[:3]] == [
        "response.created",
        "response.queued",
        "response.in_progress",
    ]
    assert [event["sequence_number"] for event in (*cut.events, *rest.events)] == list(range(12))
    assert rest.events[-1]["response"] == get(sandbox, name).json
    assert cut.entry
    assert (cut.entry.tokens, rest.entry) == (Tokens(input=5, output=3), None)


def test_whoever_follows_a_queued_response_finishes_it():
    sandbox = new_sandbox()
    name = make(sandbox, {"background": True}).json["id"]
    told = get(sandbox, name, "?stream=true")

    assert told.events[-1]["type"] == "response.completed"
    assert told.entry
    assert (told.entry.id, told.entry.tokens.output) == (name, 16)
    assert get(sandbox, name).entry is None


def test_only_what_is_not_done_in_the_background_can_be_cancelled():
    sandbox = new_sandbox()
    name = make(sandbox, {"background": True}).json["id"]

    assert ask(sandbox, f"{PATH}/{name}/cancel").json["status"] == "cancelled"
    assert (get(sandbox, name).json["status"], get(sandbox, name, "?stream=true").status) == ("cancelled", 400)
    assert sandbox.bill.totals().calls == 0
    name = make(sandbox).json["id"]
    assert ask(sandbox, f"{PATH}/{name}/cancel").json["error"]["message"] == "Cannot cancel a synchronous response."
    name = make(sandbox, {"background": True}, x_sandbox_polls="0").json["id"]
    get(sandbox, name)
    assert ask(sandbox, f"{PATH}/{name}/cancel").json["error"]["message"] == "Cannot cancel a completed response."
    assert ask(sandbox, f"{PATH}/resp_x/cancel").status == 404


def test_tokens_without_a_price_are_refused_before_they_are_queued():
    told = make(new_sandbox(), {"background": True}, x_sandbox_cache_write_tokens="1")

    assert told.json["error"]["code"] == "invalid_sandbox_control"


def test_the_input_is_kept_as_items():
    sandbox = new_sandbox()
    name = make(sandbox).json["id"]
    (item,) = get(sandbox, name, "/input_items").json["data"]

    assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": "eightish"}])
    assert get(sandbox, "resp_x", "/input_items").status == 404


def test_what_cannot_be_streamed_or_counted_is_refused():
    sandbox = new_sandbox()
    name = make(sandbox).json["id"]

    assert get(sandbox, name, "?stream=true").json["error"]["param"] == "stream"
    assert get(sandbox, name, "?starting_after=some").status == 400


def test_compacting_keeps_what_the_user_said_and_hides_the_rest():
    sandbox = new_sandbox()
    spoken = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}]
    told = ask(sandbox, PATH + "/compact", {"model": "gpt-5-mini", "input": spoken}, x_sandbox_tokens="4")

    assert [item["type"] for item in told.json["output"]] == ["message", "compaction"]
    assert (told.json["object"], told.json["usage"]["output_tokens"]) == ("response.compaction", 4)
    assert told.entry
    assert (told.entry.endpoint, told.entry.tokens.output) == ("responses.compact", 4)


def test_compacting_may_name_a_response():
    sandbox = new_sandbox()
    asked = {"model": "gpt-5-mini", "previous_response_id": make(sandbox).json["id"]}

    assert ask(sandbox, PATH + "/compact", asked).json["output"][0]["role"] == "user"
    assert ask(sandbox, PATH + "/compact", {**asked, "previous_response_id": "resp_x"}).status == 400
    assert ask(sandbox, PATH + "/compact", {"model": "gpt-5-mini"}).json["error"]["param"] == "input"
    assert ask(sandbox, PATH + "/compact", {**asked, "stream": True}).status == 400
