"""Which request asks to become a WebSocket, and which answer agrees to it."""

import msgspec
import pytest

from gateway.request import Request
from gateway.wire.headers import request_reader, response_reader
from gateway.wire.http1 import Head, HttpFault
from gateway.wire.upgrade import Agreed, accept, asks, check_answer, offered_protocols, protocol_keys
from tests.support.sockets import KEY, agree, ask

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"


def head_of(data: bytes) -> Head:
    return request_reader().request(data)


def asked(data: bytes) -> bool:
    return Request.read(head_of(data), arrived_ns=0, started_ns=0).websocket


def agreed(request: bytes, answer: bytes) -> Agreed:
    head = head_of(request)
    return check_answer(head, response_reader().response(answer), offered_protocols(head, with_keys=False))


def test_the_handshake_of_the_rfc_is_one():
    assert asked(ask())
    assert accept(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        (b"Upgrade: websocket", b"Upgrade: WebSocket"),
        (b"keep-alive, Upgrade", b"upgrade"),
        (b"Host: gateway", b"Host: gateway\r\nContent-Length: 0"),
    ],
)
def test_what_means_the_same_is_one_too(was, instead):
    assert asked(ask().replace(was, instead))


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        (b"Upgrade: websocket", b"Upgrade: h2c"),
        (b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
        (b"Upgrade: websocket\r\n", b""),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Version: 13", b"Version: 8"),
        (b"Version: 13", b"Version: 13\r\nSec-WebSocket-Version: 13"),
        (b"Key: " + KEY, b"Key: " + KEY[:-4]),
        (b"Key: " + KEY, b"Key: no base 64"),
        (b"Key: " + KEY, b"Key: " + KEY + b"\r\nSec-WebSocket-Key: " + KEY),
        (b"GET ", b"POST "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: gateway", b"Host: gateway\r\nContent-Length: 5"),
        (b"Host: gateway", b"Host: gateway\r\nTransfer-Encoding: chunked"),
    ],
)
def test_anything_else_is_an_ordinary_request(was, instead):
    assert not asked(ask().replace(was, instead))


def test_a_request_is_judged_by_its_framing_too():
    head = head_of(ask())
    framing = Request.read(head, arrived_ns=0, started_ns=0).framing
    assert asks(head, framing, http10=False)
    assert not asks(head, msgspec.structs.replace(framing, length=5), http10=False)


def test_keys_in_the_names_of_protocols_are_found_and_left_out():
    head = head_of(ask("/", b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.lk-1,other"))
    assert protocol_keys(head) == [b"lk-1"]
    assert offered_protocols(head, with_keys=False) == [b"realtime", b"other"]
    assert offered_protocols(head, with_keys=True) == [b"realtime", b"openai-insecure-api-key.lk-1", b"other"]


def test_no_line_with_a_key_is_kept():
    reader = request_reader()
    reader.request(ask("/", b"Sec-WebSocket-Protocol: openai-insecure-api-key.lk-1"))
    assert not [line for line in reader._known if b"lk-" in line or KEY in line]


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        (b"permessage-deflate", Agreed(True)),
        (b"permessage-deflate; server_no_context_takeover", Agreed(True, server_keeps_context=False)),
        (b'permessage-deflate;client_no_context_takeover ; server_max_window_bits="10"', Agreed(True, False, True)),
        (b"Permessage-Deflate; client_max_window_bits=15", Agreed(True)),
    ],
)
def test_compression_is_agreed_to(extensions, expected):
    answer = agree(b"Sec-WebSocket-Extensions: " + extensions)
    assert agreed(ask("/", DEFLATE), answer) == expected


def test_an_answer_without_anything_else_agrees_to_the_handshake_alone():
    assert agreed(ask("/", DEFLATE, b"Sec-WebSocket-Protocol: realtime"), agree()) == Agreed()


def test_an_offered_protocol_may_be_chosen():
    request = ask("/", b"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.lk-1")
    assert agreed(request, agree(b"Sec-WebSocket-Protocol: realtime")) == Agreed()
    for name in (b"another", b"openai-insecure-api-key.lk-1", b"realtime, another", b""):
        with pytest.raises(HttpFault):
            agreed(request, agree(b"Sec-WebSocket-Protocol: " + name))


@pytest.mark.parametrize(
    ("was", "instead"),
    [
        (accept(KEY), accept(KEY)[:-1]),
        (b"Sec-WebSocket-Accept", b"Sec-WebSocket-Accepted"),
        (b"upgrade: websocket", b"upgrade: h2c"),
        (b"Connection: Upgrade", b"Connection: close"),
        (b"Connection: Upgrade", b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept(KEY)),
        (b"Connection: Upgrade", b"Connection: Upgrade\r\nSec-WebSocket-Extensions: x-other"),
        (b"Connection: Upgrade", b"Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate; new=1"),
        (b"Connection: Upgrade", b"Connection: Upgrade\r\nSec-WebSocket-Extensions: permessage-deflate, x-other"),
    ],
)
def test_an_answer_to_something_else_is_a_fault(was, instead):
    with pytest.raises(HttpFault):
        agreed(ask("/", DEFLATE), agree().replace(was, instead))


def test_compression_that_was_not_offered_is_a_fault():
    with pytest.raises(HttpFault):
        agreed(ask(), agree(b"Sec-WebSocket-Extensions: permessage-deflate"))
