import gzip
import zlib

import brotli
import pytest

from gateway.sandbox.call import Answer, Piece
from gateway.sandbox.controls import Controls
from gateway.sandbox.delivery import Frame, frames, switching
from tests.support.sandbox_calls import take_apart

PIECES = (Piece(b"one ", 1), Piece(b"two ", 2, 5), Piece(b"three", 3))
HEADERS = (("x-request-id", "r1"),)


def send(stream: bool = True, keep_alive: bool = True, **controls: object) -> list[Frame]:
    answer = Answer(200, PIECES, "text/plain", stream=stream, error_event=b"oops" if stream else b"")
    return list(frames(answer, Controls(**controls), HEADERS, keep_alive))  # type: ignore[arg-type]


def wire(sent: list[Frame]) -> bytes:
    return b"".join(frame.data for frame in sent)


def test_a_handshake_has_no_body_and_may_be_late():
    answer = Answer(101, (), headers=(("sec-websocket-protocol", "realtime"),))
    frame = switching(answer, Controls(delay_ms=5), HEADERS)

    assert frame.data == (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nx-request-id: r1\r\n"
        b"sec-websocket-protocol: realtime\r\n\r\n"
    )
    assert (frame.wait_ms, frame.end) == (5, "upgrade")


def test_a_stream_leaves_piece_by_piece_in_chunks():
    sent = send()

    assert sent[0].data.endswith(b"transfer-encoding: chunked\r\n\r\n4\r\none \r\n")
    assert [frame.data for frame in sent[1:]] == [b"4\r\ntwo \r\n", b"5\r\nthree\r\n", b"0\r\n\r\n"]
    assert [(frame.output, frame.reasoning) for frame in sent] == [(1, 0), (2, 5), (3, 0), (0, 0)]
    assert [frame.end for frame in sent] == ["", "", "", "keep"]


def test_what_does_not_stream_leaves_at_once_with_its_length():
    (frame,) = send(stream=False)

    told = take_apart(frame.data)
    assert told.body == b"one two three"
    assert told.headers == {"content-type": "text/plain", "x-request-id": "r1", "content-length": "13"}
    assert (frame.output, frame.reasoning, frame.end) == (6, 5, "keep")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("write_bytes", [0, 1, 7])
def test_every_framing_carries_the_same_body_and_tokens(stream: bool, framing: str, write_bytes: int):
    sent = send(stream, framing=framing, write_bytes=write_bytes)

    assert take_apart(wire(sent)).body == b"one two three"
    assert sum(frame.output for frame in sent) == 6
    assert sent[-1].end == ("close" if framing == "close" else "keep")
    assert not any(frame.end for frame in sent[:-1])
    assert all(len(frame.data) <= write_bytes for frame in sent if write_bytes)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
@pytest.mark.parametrize("stream", [True, False])
def test_encodings_hold_nothing_back(encoding: str, stream: bool):
    decode = {"gzip": gzip.decompress, "deflate": zlib.decompress, "br": brotli.decompress}[encoding]
    sent = send(stream, encoding=encoding)

    told = take_apart(wire(sent))
    assert told.headers["content-encoding"] == encoding
    assert decode(told.body) == b"one two three"
    if stream and encoding != "br":
        first = take_apart(sent[0].data + b"0\r\n\r\n").body
        assert zlib.decompressobj(31 if encoding == "gzip" else 15).decompress(first) == b"one "


def test_delays_come_before_the_first_byte_and_between_pieces():
    assert [frame.wait_ms for frame in send()] == [None] * 4
    assert [frame.wait_ms for frame in send(delay_ms=50, chunk_delay_ms=3)] == [50, 3, 3, 3]
    assert {frame.wait_ms for frame in send(write_bytes=1)[1:3]} == {0}


@pytest.mark.parametrize(
    ("after", "pieces"), [(0, []), (1, [b"one "]), (3, [b"one ", b"two ", b"three"]), (4, [b"one ", b"two ", b"three"])]
)
def test_a_cut_ends_without_an_end(after: int, pieces: list[bytes]):
    sent = send(cut_after_chunks=after)

    assert sent[-1].end == ("cut" if after < 4 else "keep")
    assert wire(sent).endswith(b"0\r\n\r\n") == (after == 4)
    assert all(piece in wire(sent) for piece in pieces)
    assert wire(sent).count(b"\r\n4\r\n") + wire(sent).count(b"\r\n5\r\n") == len(pieces)


def test_a_cut_body_is_shorter_than_its_length():
    (head_only,), (half,) = send(False, cut_after_chunks=0), send(False, cut_after_chunks=1)

    assert take_apart(head_only.data).body == b""
    assert take_apart(half.data).body == b"one tw"
    assert (head_only.end, half.end) == ("cut", "cut")


def test_an_error_event_takes_the_place_of_the_rest():
    sent = send(error_after_chunks=1)

    assert take_apart(wire(sent)).body == b"one oops"
    assert sent[-1].end == "keep"


def test_a_stall_keeps_the_connection_and_says_no_more():
    sent = send(stall_after_chunks=1)

    assert take_apart(wire(sent)).body == b"one "
    assert sent[-1].end == "stall"


@pytest.mark.parametrize(
    ("more", "said"),
    [({"close": "announced"}, True), ({"close": "silent"}, False), ({"keep_alive": False}, True)],
)
def test_the_connection_closes_said_or_unsaid(more: dict[str, object], said: bool):
    sent = send(**more)  # type: ignore[arg-type]

    assert sent[-1].end == "close"
    assert ("connection" in take_apart(wire(sent)).headers) == said
