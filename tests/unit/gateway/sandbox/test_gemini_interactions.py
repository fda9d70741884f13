from typing import Any

import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import KEY, Told, ask, new_sandbox

ASKED = {"model": "gemini-2.5-flash", "input": "eightish"}


def call(sandbox: Sandbox, document: Any = ASKED, path: str = "", method: str = "POST", **headers: Any) -> Told:
    given = {"authorization": None, "x_goog_api_key": KEY, **headers}
    return ask(sandbox, "/v1beta/interactions" + path, document, method, **given)


def test_an_answer_is_steps_with_usage_in_its_own_words():
    told = call(new_sandbox(), x_sandbox_tokens="3", x_sandbox_reasoning_tokens="7", x_sandbox_cached_tokens="100")

    said = told.json
    assert (said["status"], said["object"], said["model"]) == ("completed", "interaction", "gemini-2.5-flash")
    assert [step["type"] for step in said["steps"]] == ["thought", "model_output"]
    assert said["usage"] == {
        "total_tokens": 113,
        "total_input_tokens": 103,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 103}],
        "total_cached_tokens": 100,
        "total_output_tokens": 3,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": 7,
    }
    assert told.entry
    assert told.entry.tokens == Tokens(input=3, cache_read=100, output=3, reasoning=7)
    assert told.entry.id == said["id"]


def test_a_stream_names_its_events_and_ends_with_the_usage():
    told = call(new_sandbox(), {**ASKED, "stream": True}, x_sandbox_tokens="2", x_sandbox_reasoning_tokens="4")

    events = [event for event in told.events if event != "[DONE]"]
    assert [event["event_type"] for event in events] == [
        "interaction.created",
        "interaction.status_update",
        *("step.start", "step.delta", "step.stop"),
        *("step.start", "step.delta", "step.delta", "step.stop"),
        "interaction.completed",
    ]
    assert told.body.startswith(b"event: interaction.created\ndata: {")
    assert told.body.endswith(b"event: done\ndata: [DONE]\n\n")
    usage = events[-1]["interaction"]["usage"]
    assert (usage["total_output_tokens"], usage["total_thought_tokens"]) == (2, 4)
    assert [event["metadata"]["usage"] for event in events if "metadata" in event] == [usage]
    assert told.entry
    assert (told.entry.tokens.output, told.entry.tokens.reasoning) == (2, 4)


def test_a_limit_leaves_it_incomplete():
    said = call(new_sandbox(), {**ASKED, "generation_config": {"max_output_tokens": 2}}).json

    assert (said["status"], said["usage"]["total_output_tokens"]) == ("incomplete", 2)


def test_a_next_one_reads_the_one_before():
    sandbox = new_sandbox()
    first = call(sandbox, x_sandbox_tokens="5").json
    second = call(sandbox, {**ASKED, "previous_interaction_id": first["id"]}).json

    assert second["usage"]["total_input_tokens"] == 3 + 5 + 3
    assert call(sandbox, {**ASKED, "previous_interaction_id": "v1_none"}).status == 404


def test_it_is_kept_and_given_again_for_free_unless_declined():
    sandbox = new_sandbox()
    made, declined = call(sandbox).json, call(sandbox, {**ASKED, "store": False}).json

    assert call(sandbox, None, "/" + made["id"], "GET").json == made
    assert call(sandbox, None, "/" + declined["id"], "GET").status == 404
    assert call(sandbox, None, "/" + made["id"], "DELETE").json == {}
    assert call(sandbox, None, "/" + made["id"], "DELETE").status == 404
    assert sandbox.bill.totals().calls == 2


@pytest.mark.parametrize("given", ["eightish", [{"type": "text", "text": "eightish"}], {"text": "eightish"}])
def test_input_is_a_text_or_parts(given: Any):
    assert call(new_sandbox(), {**ASKED, "input": given}).json["usage"]["total_input_tokens"] == 3


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (b"{", 400, "parse_error"),
        ({**ASKED, "generationConfig": {}}, 400, "invalid_request"),
        ({"model": "gemini-2.5-flash"}, 400, "invalid_request"),
        ({**ASKED, "input": 3}, 400, "invalid_request"),
        ({**ASKED, "background": True}, 400, "invalid_request"),
        ({**ASKED, "model": "gemini-9"}, 404, "not_found"),
    ],
)
def test_errors_have_a_word_for_a_code(document: Any, status: int, code: str):
    told = call(new_sandbox(), document)

    assert (told.status, told.json["error"]["code"]) == (status, code)


def test_a_failure_in_the_middle_is_the_last_thing_said():
    told = call(new_sandbox(), {**ASKED, "stream": True}, x_sandbox_error_after_chunks="4")

    assert told.events[-1]["event_type"] == "error"
    assert told.entry
    assert told.entry.tokens.output == 1
