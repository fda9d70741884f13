from typing import Any

import pytest

from gateway.sandbox.bill import Tokens
from tests.support.sandbox_calls import ask, new_sandbox
from tests.support.sandbox_sockets import Socket

PATH = "/v1/responses"
CREATE = {"type": "response.create", "model": "gpt-5-mini", "input": "eightish"}


def test_a_turn_has_the_events_of_a_stream():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, x_sandbox_frozen="true")
    socket.send(CREATE)
    asked = {"model": "gpt-5-mini", "input": "eightish", "stream": True}

    told = socket.receive()
    assert told == ask(new_sandbox(), PATH, asked, x_sandbox_frozen="true").events
    (entry,) = sandbox.bill.entries
    assert (entry.id, entry.endpoint, entry.state) == (told[-1]["response"]["id"], "responses", "completed")
    assert entry.tokens == Tokens(input=5, output=16)


def test_each_turn_is_billed_by_itself_and_can_continue_the_last():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, x_sandbox_tokens="4")
    socket.send(CREATE)
    first = socket.receive()[-1]["response"]
    socket.send({**CREATE, "previous_response_id": first["id"]}, CREATE)
    socket.receive()

    assert [entry.tokens.input for entry in sandbox.bill.entries] == [5, 14, 5]
    assert len({entry.id for entry in sandbox.bill.entries}) == 3
    assert ask(sandbox, f"{PATH}/{first['id']}", method="GET").json == first


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ("{", None),
        ({"type": "response.steer"}, "type"),
        ({**CREATE, "generate": False, "stream_id": "a"}, "stream_id"),
        ({**CREATE, "background": True}, "background"),
        ({**CREATE, "tone": 1}, "tone"),
        ({**CREATE, "previous_response_id": "resp_x"}, "previous_response_id"),
    ],
)
def test_what_is_refused_is_an_event_and_the_connection_goes_on(event: Any, param: str | None):
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH)
    socket.send(event)

    (told,) = socket.receive()
    assert (told["type"], told["status"], told["error"]["param"]) == ("error", 400, param)
    assert sandbox.bill.totals().calls == 0
    socket.send(CREATE)
    assert socket.receive()[-1]["type"] == "response.completed"


def test_tokens_without_a_price_are_refused():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, x_sandbox_cache_write_tokens="1")
    socket.send(CREATE)

    assert "no price" in socket.receive()[0]["error"]["message"]
    assert sandbox.bill.totals().calls == 0


def test_a_failure_is_an_error_event_of_its_own():
    socket = Socket(new_sandbox(), PATH, x_sandbox_error_after_chunks="2")
    socket.send(CREATE)

    *_, error, close = socket.receive()
    assert (error["type"], error["status"], error["error"]["type"], close) == ("error", 500, "server_error", "CLOSE")
