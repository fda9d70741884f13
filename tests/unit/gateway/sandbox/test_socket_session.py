from typing import Any

import pytest

from gateway.sandbox.socket_session import UNANSWERED_MAX
from tests.support.sandbox_calls import new_sandbox
from tests.support.sandbox_sockets import Socket

PATH = "/v1/realtime?model=gpt-realtime"
CREATE = {"type": "response.create", "response": {"output_modalities": ["text"]}}


def types(told: list[Any]) -> list[str]:
    return [event["type"] if isinstance(event, dict) else event for event in told]


def test_what_is_asked_is_answered_in_order():
    socket = Socket(new_sandbox(), PATH, x_sandbox_tokens="1")
    socket.send({"type": "input_audio_buffer.clear"}, CREATE)

    told = types(socket.receive())
    assert (told[0], told[1], told[2], told[-1]) == (
        "session.created", "input_audio_buffer.cleared", "response.created", "response.done",
    )  # fmt: skip


def test_a_turn_is_billed_as_it_is_said():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, x_sandbox_tokens="9", x_sandbox_mark="night")
    socket.send(CREATE)
    socket.receive(5 + 3)

    (entry,) = sandbox.bill.entries
    assert (entry.state, entry.tokens.output, entry.stream, entry.mark) == ("open", 3, True, "night")
    socket.receive()
    assert (entry.state, entry.tokens.output) == ("completed", 9)
    assert entry.wire_bytes > 1000


@pytest.mark.parametrize(("control", "state"), [("cut", "cut"), ("stall", "cut"), ("error", "client_left")])
def test_trouble_comes_after_so_many_messages(control: str, state: str):
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, **{f"x_sandbox_{control}_after_chunks": "7"})
    socket.send(CREATE)
    told = types(socket.receive())

    (entry,) = sandbox.bill.entries
    assert (entry.state, entry.tokens.output) == (state, 2)
    assert told[7:] == (["error", "CLOSE"] if control == "error" else [])
    assert socket.ends == ["close" if control == "error" else control]


def test_a_client_that_leaves_pays_for_what_was_said():
    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH)
    socket.send(CREATE)
    socket.receive(7)
    assert socket.session
    socket.session.lost()

    (entry,) = sandbox.bill.entries
    assert (entry.state, entry.tokens.output) == ("client_left", 2)


def test_a_close_is_answered_with_its_code():
    socket = Socket(new_sandbox(), PATH)
    socket.receive()
    socket.client.send_close(4000, "enough")
    socket.flush()

    assert (socket.receive(), socket.ends) == (["CLOSE"], ["close"])
    assert socket.client.close_rcvd
    assert socket.client.close_rcvd.code == 4000


def test_a_ping_is_answered_between_messages():
    socket = Socket(new_sandbox(), PATH)
    socket.receive()
    socket.send(CREATE)
    socket.receive(3)
    socket.client.send_ping(b"there?")
    socket.flush()

    assert socket.receive(1) == ["PONG"]


@pytest.mark.parametrize(
    ("data", "code"), [(b"\x81\x00", 1002), (b"\x81\x81\0\0\0\0\xff", 1007), (b"\x82\x80\0\0\0\0", 1003)]
)
def test_a_client_that_breaks_the_protocol_is_told_so(data: bytes, code: int):
    socket = Socket(new_sandbox(), PATH)
    socket.raw(data)
    socket.raw(data)  # what comes after is not heard

    assert types(socket.receive()) == ["CLOSE"]
    assert socket.client.close_rcvd
    assert socket.client.close_rcvd.code == code


def test_a_client_that_does_not_listen_is_let_go():
    socket = Socket(new_sandbox(), PATH)
    socket.send(*[{"type": "input_audio_buffer.clear"}] * (UNANSWERED_MAX + 1))

    assert socket.receive() == ["CLOSE"]
    assert socket.client.close_rcvd
    assert socket.client.close_rcvd.code == 1008


def test_messages_are_compressed_only_where_that_was_ordered_and_offered():
    plain = Socket(new_sandbox(), PATH, compress=True)
    assert "sec-websocket-extensions" not in plain.told.headers
    assert Socket(new_sandbox(), PATH, x_sandbox_websocket_deflate="true").client.extensions == []

    sandbox = new_sandbox()
    socket = Socket(sandbox, PATH, compress=True, x_sandbox_websocket_deflate="true", x_sandbox_frozen="true")
    assert socket.told.headers["sec-websocket-extensions"] == "permessage-deflate"
    socket.send(CREATE)
    plain = Socket(new_sandbox(), PATH, x_sandbox_frozen="true")
    plain.send(CREATE)
    assert socket.receive() == plain.receive()


def test_messages_may_leave_in_fragments_and_in_small_writes():
    socket = Socket(new_sandbox(), PATH, x_sandbox_write_bytes="100")
    socket.receive(3)
    assert socket.client.events_received() == []
    assert types(socket.receive()) == ["session.created"]

    socket = Socket(new_sandbox(), PATH, x_sandbox_fragment_bytes="300")
    socket.pump()
    opcodes = [frame.opcode.name for frame in socket.client.events_received()]  # pyright: ignore[reportAttributeAccessIssue]
    assert opcodes == ["TEXT", *["CONT"] * (len(opcodes) - 1)]


def test_there_is_a_wait_between_messages():
    socket = Socket(new_sandbox(), PATH, x_sandbox_chunk_delay_ms="20")
    assert socket.session
    socket.send(CREATE)

    frames = [socket.session.next_frame() for _ in range(3)]
    assert [frame.wait_ms for frame in frames if frame] == [None, 20, 20]
