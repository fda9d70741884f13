"""Framing keeps every byte, and gives out whole events as soon as they are whole."""

import random

import pytest

from gateway.wire import sse
from gateway.wire.sse import Splitter, last_end

HELLO = b"data: hello\n\n"
BIG = 1 << 20


def fed(data: bytes, sizes) -> tuple[list[bytes], bytes]:
    splitter = Splitter(BIG)
    blocks = []
    at = 0
    for size in sizes:
        unsplit, block = splitter.feed(data[at : at + size])
        assert unsplit == b""
        blocks.append(block)
        at += size
    return blocks, splitter.flush()


def test_a_chunk_of_whole_events_is_passed_on_as_the_same_object():
    chunk = HELLO * 3
    assert Splitter(BIG).feed(chunk)[1] is chunk


def test_an_incomplete_event_waits_for_its_blank_line():
    splitter = Splitter(BIG)
    assert splitter.feed(b"data: hel") == (b"", b"")
    assert splitter.feed(b"lo\n") == (b"", b"")
    assert splitter.feed(b"\ndata: next") == (b"", HELLO)
    assert splitter.flush() == b"data: next"
    assert splitter.flush() == b""


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_of_the_standard_ends_events(end: bytes):
    events = [b"event: a" + end + b"data: 1" + end + end, b": comment" + end + end, b"data: 2" + end + end]
    for size in (1, 2, 3, 7, 100):
        whole = b"".join(events)
        blocks, tail = fed(whole, [size] * (len(whole) // size + 1))
        assert b"".join(blocks) + tail == whole
        assert sse.split(b"".join(blocks)) == events


def test_a_crlf_cut_in_half_does_not_end_an_event_early():
    splitter = Splitter(BIG)
    assert splitter.feed(b"data: 1\r\n\r") == (b"", b"")
    assert splitter.feed(b"\ndata: 2") == (b"", b"data: 1\r\n\r\n")


def test_random_splits_join_to_what_was_sent():
    rng = random.Random(7)
    whole = b"".join(b"data: %d\n\n" % number + b": ping\n\n" * (number % 3) for number in range(200)) + b"data: cut"
    for _ in range(50):
        sizes = [rng.randint(1, 40) for _ in range(len(whole))]
        blocks, tail = fed(whole, sizes)
        assert b"".join(blocks) + tail == whole
        assert tail == b"data: cut"


def test_an_event_beyond_the_limit_passes_unsplit_and_the_next_ones_are_split_again():
    splitter = Splitter(10)
    out = [splitter.feed(piece) for piece in (b"data: 0123456789", b"0123456789", b"end\n", b"\ndata: 1\n\nda")]
    assert out == [
        (b"", b""),
        (b"data: 01234567890123456789"[:-2], b""),
        (b"89end\n"[:-2], b""),
        (b"d\n\n", b"data: 1\n\n"),
    ]
    assert splitter.oversize
    assert splitter.flush() == b"da"


def test_events_before_one_beyond_the_limit_are_still_events():
    splitter = Splitter(10)
    assert splitter.feed(HELLO + b"data: 0123456789") == (b"", HELLO)
    assert splitter.feed(b"x") == (b"data: 012345678", b"")


@pytest.mark.parametrize(
    ("event", "payload", "name"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}', b""),
        (b'data:{"a":1}\r\n\r\n', b'{"a":1}', b""),
        (b"event: ping\ndata: {}\n\n", b"{}", b"ping"),
        (b"data: {\ndata: }\n\n", b"{\n}", b""),
        (b": OPENROUTER PROCESSING\n\n", b"", b""),
        (b"\xef\xbb\xbfdata: 1\n\n", b"1", b""),
        (b"id: 7\nretry: 10\ndata\n\n", b"", b""),
        (b"data: 1\rdata: 2\n\n", b"1\n2", b""),
        (b"data: [DONE]", b"[DONE]", b""),
        (b"\n", b"", b""),
    ],
)
def test_fields_are_read_as_the_standard_says(event: bytes, payload: bytes, name: bytes):
    assert (sse.payload(event), sse.name(event)) == (payload, name)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b"", 0),
        (b"\n", 0),
        (b"\n\n", 2),
        (b"a\n\nb\n\nc\n", 6),
        (b"a\r\n\r\nb", 5),
        (b"a\r\rb", 3),
        (b"a\r\rb\n\nc\n\r\nd\n\r", 10),
    ],
)
def test_where_the_last_event_of_a_text_ends_is_known(text: bytes, end: int):
    assert last_end(text) == last_end(bytearray(text)) == end
