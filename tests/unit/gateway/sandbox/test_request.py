import pytest

from gateway.sandbox.request import BODY_BYTES_MAX, HEAD_BYTES_MAX, BadRequest, RequestReader

COUNTED = b"POST /v1/x?key=a%20b HTTP/1.1\r\nHost: a\r\nX-Odd:  v \r\nContent-Length: 4\r\n\r\nbody"
CHUNKED = b"POST /v1/y HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbod\r\n1;x=y\r\ny\r\n0\r\n\r\n"
BARE = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"


def test_a_request_keeps_its_head_as_it_came():
    (request,) = RequestReader().feed(COUNTED)

    assert request.head + request.body == COUNTED
    assert (request.method, request.path, request.target) == ("POST", "/v1/x", "/v1/x?key=a%20b")
    assert request.query == {"key": "a b"}
    assert request.headers == {"host": "a", "x-odd": "v", "content-length": "4"}
    assert request.keep_alive


def test_a_path_is_known_as_it_was_sent_too():
    (request,) = RequestReader().feed(b"GET /model/a%2Fb/converse?x=1 HTTP/1.1\r\nhost: a\r\n\r\n")

    assert (request.path, request.raw_path) == ("/model/a/b/converse", "/model/a%2Fb/converse")


def test_requests_come_whole_however_the_bytes_are_split():
    stream = COUNTED + CHUNKED + BARE + CHUNKED
    whole = list(RequestReader().feed(stream))
    reader = RequestReader()
    single = [request for byte in stream for request in reader.feed(bytes((byte,)))]

    assert [request.body for request in whole] == [b"body", b"body", b"", b"body"]
    assert single == whole


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_a_request_to_upgrade_is_a_request(protocol: bytes):
    asked = b"GET /v1/realtime HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: " + protocol + b"\r\n\r\n"
    first, second = RequestReader().feed(asked + BARE)

    assert (first.headers["upgrade"], first.path, first.keep_alive) == (protocol.decode(), "/v1/realtime", True)
    assert second.path == "/v1/models"


def test_a_truncated_request_is_not_a_request():
    for end in range(len(CHUNKED)):
        assert list(RequestReader().feed(CHUNKED[:end])) == []


def test_connection_close_and_http_1_0_end_the_connection():
    (request,) = RequestReader().feed(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert not request.keep_alive
    (request,) = RequestReader().feed(b"GET / HTTP/1.0\r\nhost: a\r\n\r\n")
    assert not request.keep_alive


@pytest.mark.parametrize(
    "headers",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked",
        b"content-length: 4\r\ncontent-length: 4",
        b"content-length: +4",
        b"content-length: 4, 4",
        b"transfer-encoding: gzip, chunked",
        b"transfer-encoding: identity",
        b"content-length: %d" % (BODY_BYTES_MAX + 1),
        b"authorization: Bearer a\r\nAuthorization: Bearer b",
        b"no colon here",
        b"bad name: x",
    ],
)
def test_framing_two_readers_could_see_differently_is_refused(headers: bytes):
    with pytest.raises(BadRequest):
        list(RequestReader().feed(b"POST / HTTP/1.1\r\nhost: a\r\n" + headers + b"\r\n\r\nbody"))


@pytest.mark.parametrize("body", [b"x\r\n", b"-1\r\n", b"\r\n", b"1\r\nab\r\n", b"0\r\nTrailer: x\r\n\r\n", b"1" * 300])
def test_malformed_chunks_are_refused(body: bytes):
    with pytest.raises(BadRequest):
        list(RequestReader().feed(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" + body))


def test_a_head_has_a_limit():
    with pytest.raises(BadRequest, match="head too large"):
        list(RequestReader().feed(b"GET / HTTP/1.1\r\nx: " + b"a" * HEAD_BYTES_MAX))


def test_a_fault_comes_after_the_requests_before_it():
    reader, told = RequestReader(), list[bytes]()
    with pytest.raises(BadRequest):
        told.extend(request.head for request in reader.feed(BARE + b"nonsense\r\n\r\n"))

    assert told == [BARE]
