"""Whatever the chunks, what was passed on ends with a whole event, and together it is what came, byte for byte."""

import json
import random
import re
from collections.abc import Callable, Iterable

import pytest

from gateway.wire.eventstream import encode
from gateway.wire.whole import KEPT_BYTES_MAX, Whole, WholeElements, WholeEvents, WholeFrames, WholeLines

EVENTS = [
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a\\n\\nb"}}]}\n\n',
    b": OPENROUTER PROCESSING\n\n",
    b"event: ping\ndata: {}\n\n",
    b"id: 1\ndata: two\ndata: lines\n\n",
    b"data: [DONE]\n\n",
]
CRLF = [event.replace(b"\n", b"\r\n") for event in EVENTS]
CR = [event.replace(b"\n", b"\r") for event in EVENTS]
MIXED = [b"data: 1\r\n\n", b"data: 2\n\r\n", b"data: 3\n\n", b"data: 4\r\n\r\n", b"data: 5\r\r", b"data: 6\n\n"]
LINES = [
    b'{"message":{"content":"a"},"done":false}\n',
    b'{"message":{"content":"}"},"done":false}\r\n',
    b'{"done":1}\n',
]
FRAMES = [encode({":message-type": "event"}, b'{"n":%d}' % number) for number in range(3)]
ELEMENTS = [b'[{"text":"a] } [ \\" b"}', b',\r\n{"n":[1,{"a":2}]}', b"\n,\n{}", b"]"]

STREAMS: dict[str, tuple[Callable[[], Whole], list[bytes]]] = {
    "LF": (WholeEvents, EVENTS),
    "CRLF": (WholeEvents, CRLF),
    "CR": (WholeEvents, CR),
    "mixed": (WholeEvents, MIXED),
    "lines": (WholeLines, LINES),
    "frames": (WholeFrames, FRAMES),
    "elements": (WholeElements, ELEMENTS),
}
every_stream = pytest.mark.parametrize(("whole", "pieces"), STREAMS.values(), ids=STREAMS)


def ends(pieces: list[bytes]) -> set[int]:
    """Where a whole event ends, or nothing has begun."""
    return {sum(map(len, pieces[:count])) for count in range(len(pieces) + 1)}


def passed(whole: Whole, chunks: Iterable[bytes]) -> list[bytes]:
    return [whole.feed(chunk) for chunk in chunks]


@every_stream
def test_split_at_every_byte_only_whole_events_are_passed_on(whole: Callable[[], Whole], pieces: list[bytes]):
    text = b"".join(pieces)
    for at in range(len(text) + 1):
        stream = whole()
        first = stream.feed(text[:at])
        assert text.startswith(first)
        last = max(end for end in ends(pieces) if end <= len(first))
        assert re.fullmatch(rb"(:[^\r\n]*[\r\n]+)?", first[last:]), "what is no event and no whole comment"
        assert stream.may_be_followed
        rest = stream.feed(text[at:])
        assert stream.may_be_followed
        assert first + rest + stream.flush() == text


@every_stream
def test_byte_by_byte_each_event_leaves_with_its_last_byte(whole: Callable[[], Whole], pieces: list[bytes]):
    stream = whole()
    for piece in pieces:
        out = passed(stream, (bytes((byte,)) for byte in piece))
        assert (b"".join(out) or stream.flush()) == piece


@every_stream
def test_in_random_chunks_no_byte_changes_and_none_is_late(whole: Callable[[], Whole], pieces: list[bytes]):
    text = b"".join(pieces * 3) if whole is not WholeElements else b"".join(pieces)
    rng = random.Random(7)
    for _ in range(50):
        stream, out, at = whole(), b"", 0
        while at < len(text):
            size = rng.choice((1, 3, 7, 40, 300))
            out += stream.feed(text[at : at + size])
            at += size
            assert stream.may_be_followed
            assert text.startswith(out)
        assert out + stream.flush() == text
        assert stream.flush() == b""


@every_stream
def test_a_chunk_of_whole_events_is_passed_on_as_it_is(whole: Callable[[], Whole], pieces: list[bytes]):
    stream = whole()
    for piece in pieces if whole is not WholeElements else pieces[:1]:
        assert stream.feed(piece) == piece
        if whole is not WholeElements:
            assert stream.feed(piece) is piece


@pytest.mark.parametrize(
    ("whole", "small", "opening", "closing"),
    [
        (WholeEvents, b"data: 1\n\n", b"data: ", b"\n\n"),
        (WholeLines, b'{"a":1}\n', b'{"a":"', b'"}\n'),
        (WholeElements, b'[{"a":1}', b',{"a":"', b'"}'),
    ],
)
@pytest.mark.parametrize("size", [997, 50_000])
def test_what_is_too_large_to_keep_is_passed_on_as_it_comes(
    whole: Callable[[], Whole], small: bytes, opening: bytes, closing: bytes, size: int
):
    stream = whole()
    assert stream.feed(small) == small
    large = opening + b"A" * (3 * KEPT_BYTES_MAX)
    out = b""
    for at in range(0, len(large), size):
        out += stream.feed(large[at : at + size])
        assert len(out) >= at - KEPT_BYTES_MAX - size - 2
    assert not stream.may_be_followed
    out += stream.feed(closing)
    assert out == large + closing
    assert stream.may_be_followed
    again = small.replace(b"[", b",")
    assert stream.feed(again[:4]) == b""
    assert stream.feed(again[4:]) == again


def test_a_frame_too_large_to_keep_is_passed_on_as_it_comes():
    text = FRAMES[0] + encode({}, b"A" * 3 * KEPT_BYTES_MAX) + FRAMES[1]
    stream, at, out = WholeFrames(), 0, b""
    while at < len(text) - 1:
        out += stream.feed(text[at : at + 1000])
        at += 1000
        large = len(FRAMES[0]) + 12 <= at < len(text) - len(FRAMES[1])
        assert stream.may_be_followed is not large
        assert len(out) == at or not large
    assert out == text


def test_comments_keep_a_connection_alive_though_no_event_ends():
    stream = WholeEvents()
    assert passed(stream, (b": ping\n", b": pi", b"ng\n", b"\n", b"data: 1\n", b": ping\n", b"\n")) == [
        b": ping\n", b"", b": ping\n", b"\n", b"", b"", b"data: 1\n: ping\n\n",
    ]  # fmt: skip


def test_the_last_incomplete_bytes_are_kept_to_the_end():
    for stream, text in (
        (WholeEvents(), b"data: 1\n\ndata: [DO"),
        (WholeLines(), b'{"a":1}\n{"a"'),
        (WholeFrames(), FRAMES[0] + FRAMES[1][:30]),
        (WholeElements(), b'[{"a":1},{"b"'),
    ):
        first = stream.feed(text)
        assert len(first) < len(text)
        assert first + stream.flush() == text


def test_one_object_over_several_lines_is_passed_on_and_nothing_may_follow():
    stream = WholeLines()
    assert passed(stream, (b"\n{", b"\n", b' "error": {\n', b' "message"')) == [
        b"\n", b"{\n", b' "error": {\n', b' "message"',
    ]  # fmt: skip
    assert not stream.may_be_followed


def test_bytes_that_are_no_frames_pass_and_nothing_may_follow():
    stream = WholeFrames()
    assert passed(stream, (FRAMES[0] + b"<html>", b"<body>", b"</html>")) == [FRAMES[0], b"<html><body>", b"</html>"]
    assert not stream.may_be_followed


def test_what_is_no_array_is_passed_on_as_it_comes():
    stream = WholeElements()
    assert passed(stream, (b" \r\n", b'{"error"', b":{}}")) == [b" \r\n", b'{"error"', b":{}}"]
    assert not stream.may_be_followed


@pytest.mark.parametrize(
    ("came", "whole", "passed_on"),
    [
        (b"", [{"error": {}}], b""),
        (b" \n", [{"error": {}}], b" \n"),
        (b"[", [{"error": {}}], b""),
        (b'[{"a":', [{"error": {}}], b""),
        (b'[{"a":1}', [{"a": 1}, {"error": {}}], b'[{"a":1}'),
        (b'[{"a":1},\r\n', [{"a": 1}, {"error": {}}], b'[{"a":1}'),
        (b'[{"a":1},{"b":[{}]}\n]', [{"a": 1}, {"b": [{}]}, {"error": {}}], b'[{"a":1},{"b":[{}]}'),
    ],
)
def test_an_array_is_closed_behind_an_error(came: bytes, whole: list[object], passed_on: bytes):
    stream = WholeElements()
    out = stream.feed(came)
    assert out == passed_on
    assert stream.may_be_followed
    assert json.loads(out + stream.ended_by(b'{"error":{}}')) == whole


def test_the_other_streams_end_with_the_error_itself():
    assert WholeEvents().ended_by(b"data: {}\n\n") == b"data: {}\n\n"
    assert WholeFrames().ended_by(FRAMES[0]) == FRAMES[0]
    assert WholeLines().ended_by(b"{}") == b"{}\n"
