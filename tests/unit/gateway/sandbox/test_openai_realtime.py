import base64
from typing import Any

import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.bill import Tokens
from gateway.sandbox.openai_realtime import ITEMS_MAX
from tests.support.sandbox_calls import new_sandbox
from tests.support.sandbox_sockets import Socket

PATH = "/v1/realtime?model=gpt-realtime"
TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}
HALF_A_SECOND = {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(24_000)).decode()}
COMMIT = {"type": "input_audio_buffer.commit"}


def item(text: str = "eightish", **more: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content, **more}}


def session(**members: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **members}}


def begin(sandbox: Sandbox | None = None, **headers: Any) -> Socket:
    """A connection whose session is open."""
    socket = Socket(sandbox or new_sandbox(), PATH, **headers)
    socket.receive()
    return socket


def say(socket: Socket, *events: Any) -> list[Any]:
    socket.send(*events)
    return socket.receive()


def types(told: list[Any]) -> list[str]:
    return [event["type"] for event in told]


def test_a_session_opens_with_its_settings():
    (created,) = Socket(new_sandbox(), PATH).receive()

    assert (created["type"], created["session"]["model"]) == ("session.created", "gpt-realtime")
    assert created["session"]["output_modalities"] == ["audio"]


def test_a_written_turn():
    sandbox = new_sandbox()
    socket = begin(sandbox, x_sandbox_tokens="2", x_sandbox_cached_tokens="30")
    told = say(socket, session(output_modalities=["text"], instructions="four"), item(), {"type": "response.create"})

    assert types(told) == [
        "session.updated", "conversation.item.added", "conversation.item.done", "response.created",
        "response.output_item.added", "conversation.item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done",
    ]  # fmt: skip
    response = told[-1]["response"]
    assert (response["status"], response["output"][0]["content"][0]["type"]) == ("completed", "output_text")
    assert response["usage"]["input_token_details"]["cached_tokens_details"]["text_tokens"] == 30
    assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (33, 2)
    (entry,) = sandbox.bill.entries
    assert (entry.id, entry.endpoint, entry.state) == (response["id"], "realtime", "completed")
    assert entry.tokens == Tokens(input=3, cache_read=30, output=2)
    assert len({event["event_id"] for event in told}) == len(told)


def test_a_spoken_turn_costs_text_and_audio():
    sandbox = new_sandbox()
    told = say(begin(sandbox, x_sandbox_tokens="3"), {"type": "response.create"})

    assert types(told).count("response.output_audio.delta") == 3
    assert told[-1]["response"]["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 6}
    (entry,) = sandbox.bill.entries
    assert entry.tokens == Tokens(output=3, output_audio=6)
    assert sandbox.bill.totals().amount_nanousd == 3 * 16_000 + 6 * 64_000


def test_what_was_said_is_input_of_the_next_turn():
    sandbox = new_sandbox()
    socket = begin(sandbox, x_sandbox_tokens="4")
    say(socket, item(), TEXT)
    say(socket, TEXT)

    first, second = sandbox.bill.entries
    assert first.tokens.input == 2
    assert second.tokens.input > 2


def test_what_was_heard_is_transcribed_and_billed_by_itself():
    sandbox = new_sandbox()
    socket = begin(sandbox, x_sandbox_tokens="2")
    hearing = session(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}})
    told = say(socket, hearing, HALF_A_SECOND, COMMIT, TEXT)

    kinds = types(told)
    assert kinds[1:6] == [
        "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done",
        "conversation.item.input_audio_transcription.delta", "conversation.item.input_audio_transcription.completed",
    ]  # fmt: skip
    assert told[5]["usage"] == {
        "type": "tokens",
        "total_tokens": 7,
        "input_tokens": 5,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 5},
        "output_tokens": 2,
    }
    transcript, turn = sandbox.bill.entries
    assert (transcript.id, transcript.endpoint, transcript.model) == (
        told[1]["item_id"], "realtime.transcription", "gpt-4o-transcribe",
    )  # fmt: skip
    assert (transcript.tokens, transcript.state) == (Tokens(input_audio=5, output=2), "completed")
    assert turn.tokens == Tokens(input_audio=5, output=2)


def test_without_transcription_a_turn_is_only_heard():
    socket = begin()
    assert types(say(socket, HALF_A_SECOND, COMMIT)) == [
        "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done",
    ]  # fmt: skip
    assert types(say(socket, HALF_A_SECOND, {"type": "input_audio_buffer.clear"}, COMMIT)) == [
        "input_audio_buffer.cleared", "error",
    ]  # fmt: skip


def test_a_cancelled_turn_costs_what_was_said():
    sandbox = new_sandbox()
    socket = begin(sandbox)
    socket.send(TEXT)
    socket.receive(4 + 3)
    told = say(socket, {"type": "response.cancel"})

    response = told[-1]["response"]
    assert (response["status"], response["usage"]["output_tokens"]) == ("cancelled", 3)
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    (entry,) = sandbox.bill.entries
    assert (entry.tokens.output, entry.state) == (3, "completed")


def test_a_limit_leaves_a_turn_incomplete():
    told = say(begin(), {"type": "response.create", "response": {"max_output_tokens": 9}})

    response = told[-1]["response"]
    assert (response["status"], response["usage"]["output_tokens"]) == ("incomplete", 9)
    assert response["status_details"]["reason"] == "max_output_tokens"


def test_a_turn_may_stand_beside_the_conversation():
    sandbox = new_sandbox()
    socket = begin(sandbox)
    beside = {"conversation": "none", "output_modalities": ["text"], "input": [item("four")["item"]]}
    told = say(socket, item(), {"type": "response.create", "response": beside})

    assert "conversation.item.added" not in types(told)[2:]
    assert told[-1]["response"]["conversation_id"] is None
    assert sandbox.bill.entries[0].tokens.input == 1


def test_there_is_one_turn_at_a_time():
    socket = begin()
    socket.send(TEXT, TEXT)

    errors = [event for event in socket.receive() if event["type"] == "error"]
    assert [error["error"]["code"] for error in errors] == ["conversation_already_has_active_response"]
    assert types(say(socket, TEXT))[-1] == "response.done"


def test_items_are_retrieved_truncated_and_deleted():
    socket = begin()
    say(socket, item(id="a"))

    assert say(socket, {"type": "conversation.item.retrieve", "item_id": "a"})[0]["item"]["id"] == "a"
    cut = {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 5}
    assert types(say(socket, cut)) == ["conversation.item.truncated"]
    assert types(say(socket, {"type": "conversation.item.delete", "item_id": "a"})) == ["conversation.item.deleted"]
    for kind in ("retrieve", "delete"):
        told = say(socket, {"type": f"conversation.item.{kind}", "item_id": "a"})
        assert told[0]["error"]["code"] == "item_not_found"
    assert say(socket, cut)[0]["error"]["code"] == "item_not_found"


def test_the_oldest_items_make_room():
    socket = begin()
    for number in range(ITEMS_MAX + 1):
        say(socket, item(id=str(number)))

    assert say(socket, {"type": "conversation.item.retrieve", "item_id": "0"})[0]["type"] == "error"
    assert say(socket, {"type": "conversation.item.retrieve", "item_id": "1"})[0]["type"] != "error"


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ("{", "invalid_json", None),
        ({"type": "response.begin"}, "invalid_value", "type"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "session.update", "session": {}}, "missing_required_parameter", "session.type"),
        (session(tone=1), "unknown_parameter", "session.tone"),
        (
            session(audio={"input": {"transcription": {"model": "gpt-4o"}}}),
            "invalid_value",
            "session.audio.input.transcription.model",
        ),
        ({**TEXT, "tone": 1}, "unknown_parameter", "tone"),
        ({"type": "response.create", "response": {"tone": 1}}, "unknown_parameter", "response.tone"),
        ({"type": "conversation.item.create", "item": {"type": "poem"}}, "invalid_value", "item.type"),
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_value", "audio"),
        (COMMIT, "input_audio_buffer_commit_empty", None),
        ({"type": "response.cancel"}, "response_cancel_not_active", None),
    ],
)
def test_what_is_wrong_is_an_error_event(event: Any, code: str, param: str | None):
    named = {**event, "event_id": "mine"} if isinstance(event, dict) else event
    (told,) = say(begin(), named)

    assert (told["type"], told["error"]["code"], told["error"]["param"]) == ("error", code, param)
    assert told["error"]["event_id"] == (None if isinstance(event, str) else "mine")


def test_a_session_needs_a_model_that_speaks():
    assert Socket(new_sandbox(), "/v1/realtime").told.status == 400
    assert Socket(new_sandbox(), "/v1/realtime?model=gpt-4o").told.status == 404
    told = Socket(new_sandbox(), PATH, x_sandbox_cache_write_tokens="1").told
    assert told.json["error"]["code"] == "invalid_sandbox_control"
