import gzip
import zlib

import msgspec
import pytest

from control_plane.api.problems import Problem
from control_plane.ingest import batch

ONE = {"request_id": "1", "ts": "2026-11-26T05:45:26Z"}
LINE = msgspec.json.encode(ONE)


def ids(data):
    return [event.request_id for event in batch.decode(data)]


def refusal(call, *arguments):
    with pytest.raises(Problem) as caught:
        call(*arguments)
    return caught.value


def test_an_array_and_lines_say_the_same():
    two = msgspec.json.encode(ONE | {"request_id": "2"})
    for data in (
        b"[" + LINE + b"," + two + b"]",
        LINE + b"\n" + two,
        LINE + b"\r\n" + two + b"\n",
        b"\n " + LINE + b"\n\n" + two,
    ):
        assert ids(data) == ["1", "2"]
    assert ids(LINE) == ["1"]


@pytest.mark.parametrize("data", [b"", b" \n ", b"[]"])
def test_an_empty_batch_is_a_mistake(data):
    assert refusal(batch.decode, data).status == 400


def test_a_truncated_array_or_line_is_refused_whole():
    whole = b"[" + LINE + b"," + LINE + b"]"
    for end in range(1, len(whole)):
        assert refusal(batch.decode, whole[:end]).status == 400
    for end in range(1, len(LINE)):
        assert refusal(batch.decode, LINE + b"\n" + LINE[:end]).errors[0].pointer.startswith("body/1")


@pytest.mark.parametrize("data", [b"null", b"1", b'"x"', b"{", b"[1]", b"[null]", b"\xff", b"[" * 100_000, LINE + b"x"])
def test_what_is_no_event_is_refused(data):
    assert refusal(batch.decode, data).status == 400


def test_deep_metadata_is_refused_and_not_a_failure():
    deep = b'{"request_id":"1","ts":"2026-11-26T05:45:26Z","metadata":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}"
    for data in (deep, b"[" + deep + b"]"):
        assert refusal(batch.decode, data).status == 400


def test_more_events_than_the_limit_are_too_many():
    for data in (b"[" + b",".join([LINE] * 1001) + b"]", b"\n".join([LINE] * 1001)):
        assert refusal(batch.decode, data).status == 413
    assert len(batch.decode(b"\n".join([LINE] * 1000))) == 1000


def test_gzip_is_inflated_and_nothing_else():
    packed = gzip.compress(LINE)
    assert batch.inflated(packed, b"gzip") == LINE
    assert batch.inflated(LINE, b"") == batch.inflated(LINE, b"identity") == LINE
    for end in range(len(packed)):
        assert refusal(batch.inflated, packed[:end], b"gzip").status == 400
    for wrong in (LINE, packed + b"x", packed + packed, zlib.compress(LINE)):
        assert refusal(batch.inflated, wrong, b"gzip").status == 400
    for encoding in (b"br", b"gzip, gzip", b"deflate"):
        assert refusal(batch.inflated, packed, encoding).status == 415


def test_a_bomb_is_not_inflated_beyond_the_limit():
    assert len(batch.inflated(gzip.compress(b" " * batch.INFLATED_BYTES_MAX), b"gzip")) == batch.INFLATED_BYTES_MAX
    assert refusal(batch.inflated, gzip.compress(b" " * (batch.INFLATED_BYTES_MAX + 1)), b"gzip").status == 413
    assert refusal(batch.inflated, gzip.compress(b" " * (1 << 28), 1), b"gzip").status == 413
