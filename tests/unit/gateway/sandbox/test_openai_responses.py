from typing import Any

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import Told, ask, new_sandbox

TOOL = {"type": "function", "name": "remember", "parameters": {}}


def respond(more: dict[str, Any] | None = None, path: str = "/v1/responses", **headers: Any) -> Told:
    return ask(new_sandbox(), path, {"model": "gpt-5-mini", "input": "eightish", **(more or {})}, **headers)


def test_an_answer_in_one_piece():
    told = respond(x_sandbox_tokens="3", x_sandbox_reasoning_tokens="7", x_sandbox_cached_tokens="100")

    said = told.json
    assert (said["object"], said["status"], said["model"]) == ("response", "completed", "gpt-5-mini-2025-08-07")
    assert [item["type"] for item in said["output"]] == ["reasoning", "message"]
    assert len(said["output"][1]["content"][0]["text"].split()) == 3
    assert said["usage"] == {
        "input_tokens": 105,
        "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 7},
        "total_tokens": 115,
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=5, cache_read=100, output=3, reasoning=7)


def test_a_stream_numbers_its_events_and_ends_with_the_usage():
    told = respond({"stream": True}, x_sandbox_tokens="2", x_sandbox_frozen="true")

    events = told.events
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["response"]["usage"] is None
    assert events[-1]["response"] == respond(x_sandbox_tokens="2", x_sandbox_frozen="true").json
    assert b"[DONE]" not in told.body
    names = [line[7:] for line in told.body.decode().splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in events]


def test_a_stream_that_reasons_has_an_item_for_it():
    told = respond({"stream": True}, x_sandbox_reasoning_tokens="9", x_sandbox_tokens="1")

    added = [event for event in told.events if event["type"] == "response.output_item.added"]
    assert [(event["output_index"], event["item"]["type"]) for event in added] == [(0, "reasoning"), (1, "message")]
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (1, 9)


def test_a_limit_leaves_the_response_incomplete():
    told = respond({"stream": True, "max_output_tokens": 16}, x_sandbox_tokens="20")

    last = told.events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["usage"]["output_tokens"] == 16


def test_a_tool_is_called_when_one_must_be():
    events = respond({"tools": [TOOL], "tool_choice": "required", "stream": True}).events

    arguments = "".join(event["delta"] for event in events if event["type"].endswith("arguments.delta"))
    (item,) = events[-1]["response"]["output"]
    assert (item["type"], item["name"], item["arguments"]) == ("function_call", "remember", arguments)


def test_a_failure_in_the_middle_is_an_event_with_the_next_number():
    events = respond({"stream": True}, x_sandbox_error_after_chunks="4").events

    assert (events[-1]["type"], events[-1]["sequence_number"]) == ("error", 4)


def test_what_the_api_does_not_take_is_refused():
    assert respond({"background": True, "store": False}).json["error"]["param"] == "background"
    assert respond({"previous_response_id": "resp_x", "conversation": "conv_x"}).status == 400
    assert respond({"previous_response_id": "resp_x"}).json["error"]["code"] == "previous_response_not_found"
    assert respond({"stream_options": {"include_obfuscation": False}}).json["error"]["param"] == "stream_options"
    assert respond({"stream": True, "stream_options": {"include_usage": True}}).status == 400
    assert respond({"messages": []}).json["error"]["code"] == "unknown_parameter"
    assert respond({"max_output_tokens": 1}).status == 400


def test_a_response_that_continues_another_reads_it_first():
    sandbox = new_sandbox()
    asked = {"model": "gpt-5-mini", "input": "eightish"}
    first = ask(sandbox, "/v1/responses", asked, x_sandbox_tokens="4").json
    second = ask(sandbox, "/v1/responses", {**asked, "previous_response_id": first["id"]}).json

    assert (first["previous_response_id"], second["previous_response_id"]) == (None, first["id"])
    assert second["usage"]["input_tokens"] == 5 + 5 + 4
    assert second["output"] != first["output"]


def test_input_tokens_are_counted_for_free():
    told = respond(path="/v1/responses/input_tokens")

    assert told.json == {"input_tokens": 5, "object": "response.input_tokens"}
    assert told.entry is None
