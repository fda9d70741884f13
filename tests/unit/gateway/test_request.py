import pytest

from gateway.request import Request
from gateway.wire.headers import request_reader
from gateway.wire.http1 import Framing, HttpFault
from tests.support.stages import request_of


def read(*lines: bytes) -> Request:
    head = request_reader().request(b"\r\n".join(lines) + b"\r\n\r\n")
    return Request.read(head, arrived_ns=1, started_ns=2)


def test_a_request_is_what_its_head_says():
    request = read(b"POST /v1/x?a=1 HTTP/1.1", b"Host: gw", b"Content-Length: 5", b"Expect: 100-continue", b"x: 1")
    assert (request.method, request.target, request.http10) == ("POST", b"/v1/x?a=1", False)
    assert (request.framing, request.keep_alive, request.body) == (Framing(5, False), True, b"")
    assert (request.arrived_ns, request.started_ns) == (1, 2)
    assert request.value(b"expect") == b"100-continue"
    assert request.value(b"content-encoding") is None


@pytest.mark.parametrize(
    "lines",
    [
        (b"GET /a/../b HTTP/1.1", b"host: g"),
        (b"GET / HTTP/1.1",),
        (b"POST / HTTP/1.1", b"host: g", b"content-length: 1", b"transfer-encoding: chunked"),
        (b"POST / HTTP/1.0", b"host: g", b"transfer-encoding: chunked"),
    ],
)
def test_what_two_servers_might_read_differently_is_refused(lines):
    with pytest.raises(HttpFault):
        read(*lines)


def test_a_like_request_differs_in_its_length_and_its_times():
    first = request_of("/v1/moderations", b"{}")
    again = first.again(9, arrived_ns=3, started_ns=4)
    assert (again.framing, again.arrived_ns, again.started_ns, again.body) == (Framing(9, False), 3, 4, b"")
    assert (again.head, again.method, again.target) == (first.head, first.method, first.target)
    assert (again.keep_alive, again.http10) == (first.keep_alive, first.http10)
