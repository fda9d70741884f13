from typing import Any

import pytest

from gateway.sandbox.openai_sockets import read_event
from tests.support.sandbox_calls import KEY, ask, new_sandbox
from tests.support.sandbox_sockets import Socket

PATH = "/v1/realtime?model=gpt-realtime"


def test_a_connection_is_switched_and_billed_nothing():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH)

    assert (socket.told.status, socket.told.headers["upgrade"]) == (101, "websocket")
    assert socket.told.headers["x-request-id"]
    assert "sec-websocket-protocol" not in socket.told.headers
    assert sandbox.bill.totals().calls == 0


def test_a_browser_has_its_key_among_the_subprotocols():
    offered = ["realtime", "openai-insecure-api-key." + KEY]
    socket = Socket(new_sandbox(), PATH, offered, authorization=None)

    assert (socket.told.status, socket.told.headers["sec-websocket-protocol"]) == (101, "realtime")


@pytest.mark.parametrize("key", ["wrong", "lk-of-the-gateway"])
def test_a_wrong_key_is_refused_wherever_it_is(key: str):
    offered = ["realtime", "openai-insecure-api-key." + key]

    assert Socket(new_sandbox(), PATH, offered, authorization=None).told.status == 401
    assert Socket(new_sandbox(), PATH, authorization=f"Bearer {key}").told.status == 401
    assert Socket(new_sandbox(), PATH, authorization=None).told.status == 401


def test_azure_takes_its_header_and_its_query():
    path = "/openai/realtime?api-version=2025-04-01-preview&deployment=gpt-realtime"

    assert Socket(new_sandbox(), path, authorization=None, api_key=KEY).told.status == 101
    assert Socket(new_sandbox(), f"{path}&api-key={KEY}", authorization=None).told.status == 101
    assert Socket(new_sandbox(), f"{path}&api-key=lk-x", api_key=KEY).told.status == 401
    assert Socket(new_sandbox(), path.replace("api-version", "version"), api_key=KEY).told.status == 404
    assert Socket(new_sandbox(), "/openai/v1/realtime?model=gpt-realtime", api_key=KEY).told.status == 101


def test_without_an_upgrade_there_is_no_answer_but_400():
    told = ask(new_sandbox(), PATH, method="GET")

    assert told.status == 400
    assert "WebSocket" in told.json["error"]["message"]


@pytest.mark.parametrize("control", [{"x_sandbox_close": "announced"}, {"x_sandbox_framing": "length"}])
def test_what_is_said_of_bodies_is_refused(control: dict[str, Any]):
    told = Socket(new_sandbox(), PATH, **control).told

    assert told.json["error"]["code"] == "invalid_sandbox_control"


def test_a_handshake_can_fail_as_ordered():
    assert Socket(new_sandbox(), PATH, x_sandbox_fail_status="503").told.status == 503


def test_events_are_objects():
    assert read_event('{"a": 1}') == {"a": 1}
    assert [isinstance(read_event(text), str) for text in ("[1]", "{", '"a"')] == [True] * 3
