"""Frames come out whole and checked, whatever the chunks; what is no frame stops the reading and nothing else."""

import random
import struct
from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer, ParserError

from gateway.wire.eventstream import HEADERS_BYTES_MAX, PAYLOAD_BYTES_MAX, Frame, Splitter, encode

BIG = 1 << 20
HEADERS = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
FRAMES = [Frame(dict(HEADERS), payload) for payload in (b'{"bytes":"e30="}', b"", b"\0" * 300)] + [Frame({}, b"x")]
STREAM = b"".join(
    encode({name: str(value) for name, value in frame.headers.items()}, frame.payload) for frame in FRAMES
)
# One header of each type, as the specification spells them.
ALL_TYPES = (
    b"\x04true\x00\x05false\x01\x04byte\x02\xff\x05short\x03\x01\x00\x03int\x04\xff\xff\xff\xfe"
    b"\x04long\x05\x00\x00\x00\x00\x00\x00\x01\x00\x05bytes\x06\x00\x02ab\x06string\x07\x00\x03\xc3\xa4c"
    b"\x04time\x08\x00\x00\x01\x8f\x00\x00\x00\x00\x04uuid\x090123456789abcdef"
)


def sealed(headers: bytes, payload: bytes = b"", headers_bytes: int | None = None) -> bytes:
    """A frame of raw headers, with the right checksums."""
    total = 16 + len(headers) + len(payload)
    prelude = struct.pack("!II", total, len(headers) if headers_bytes is None else headers_bytes)
    unsigned = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return unsigned + struct.pack("!I", crc32(unsigned))


def fed(pieces: list[bytes], limit: int = BIG) -> tuple[list[Frame], Splitter]:
    splitter = Splitter(limit)
    return [frame for piece in pieces for frame in splitter.feed(piece)], splitter


def botocore(data: bytes) -> tuple[list[Frame], bool]:
    """What botocore reads of the data, and whether it refuses it."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    frames: list[Frame] = []
    try:
        frames.extend(Frame(message.headers, message.payload) for message in buffer)
    except (ParserError, KeyError, struct.error, UnicodeDecodeError):
        return frames, True
    return frames, False


def test_whole_frames_come_out_at_once():
    frames, splitter = fed([STREAM])
    assert frames == FRAMES
    assert (splitter.at_boundary, splitter.malformed, splitter.oversize) == (True, False, False)


def test_byte_by_byte_each_frame_comes_out_with_its_last_byte():
    splitter = Splitter(BIG)
    ends = [end for end in range(1, len(STREAM) + 1) if splitter.feed(STREAM[end - 1 : end])]
    assert ends == [end for end in range(1, len(STREAM) + 1) if fed([STREAM[:end]])[1].at_boundary]
    assert len(ends) == len(FRAMES)


def test_random_chunks_change_nothing():
    rng = random.Random(1)
    for _ in range(200):
        cuts = [0, *sorted(rng.sample(range(1, len(STREAM)), 9)), len(STREAM)]
        assert fed([STREAM[start:end] for start, end in pairwise(cuts)])[0] == FRAMES


def test_a_truncated_stream_waits_for_the_rest():
    for end in range(len(STREAM)):
        frames, splitter = fed([STREAM[:end]])
        assert (frames, splitter.malformed) == (botocore(STREAM[:end])[0], False)
        assert splitter.feed(STREAM[end:]) == FRAMES[len(frames) :]


def test_trailing_bytes_stop_the_reading_and_keep_what_was_read():
    frames, splitter = fed([STREAM + b"HTTP/1.1 200 OK"])
    assert (frames, splitter.malformed, splitter.at_boundary) == (FRAMES, True, False)
    assert splitter.feed(STREAM) == []


def test_a_corrupted_byte_is_noticed_wherever_it_is():
    one = encode(HEADERS, b'{"bytes":"e30="}')
    for offset in range(len(one)):
        for flip in (0x01, 0x80, 0xFF):
            bad = bytearray(one)
            bad[offset] ^= flip
            frames, splitter = fed([bytes(bad) + one])
            assert (frames, splitter.malformed) == ([], True)
            assert botocore(bytes(bad) + one) == ([], True)


def test_every_type_of_header_is_read_as_botocore_reads_it():
    frames, splitter = fed([sealed(ALL_TYPES, b"payload")])
    assert (frames, splitter.malformed) == botocore(sealed(ALL_TYPES, b"payload"))
    assert frames[0].headers["uuid"] == b"0123456789abcdef"
    assert (frames[0].headers["true"], frames[0].headers["int"], frames[0].headers["string"]) == (True, -2, "äc")


def test_random_streams_are_read_as_botocore_reads_them():
    rng = random.Random(3)
    for _ in range(100):
        headers = {f"h{place}": "v" * rng.randrange(90) for place in range(rng.randrange(5))}
        data = b"".join(encode(headers, rng.randbytes(rng.randrange(200))) for _ in range(rng.randrange(4)))
        data += STREAM[: rng.randrange(len(STREAM))]
        frames, splitter = fed([data])
        assert (frames, splitter.malformed) == botocore(data)


@pytest.mark.parametrize(
    "headers",
    [
        b"\x01a\x0a",  # no such type
        b"\x01a\x00\x01a\x01",  # twice the same name
        b"\x01\xff\x00",  # a name that is no text
        b"\x01a\x07\x00\x01\xff",  # a value that is no text
        b"\x01a\x07\x00\x09short",  # a value beyond the headers
        b"\x01a\x05\x00",
        b"\x09a",
        b"\x01",
    ],
)
def test_headers_that_make_no_sense_stop_the_reading(headers: bytes):
    frames, splitter = fed([sealed(headers) + STREAM])
    assert (frames, splitter.malformed) == ([], True)


@pytest.mark.parametrize(
    ("total", "headers"),
    [(0, 0), (15, 0), (16, 1), (2**32 - 1, 0), (HEADERS_BYTES_MAX + 17, HEADERS_BYTES_MAX + 1),
     (PAYLOAD_BYTES_MAX + 17, 0)],
)  # fmt: skip
def test_lengths_that_make_no_sense_are_refused_before_anything_is_held(total: int, headers: int):
    prelude = struct.pack("!II", total, headers)
    _, splitter = fed([prelude + struct.pack("!I", crc32(prelude))])
    assert splitter.malformed


def test_a_frame_too_large_to_hold_is_skipped_and_the_next_is_read():
    big = encode(HEADERS, b"A" * 1000)
    for size in (1, 7, 10_000):
        data = STREAM + big + STREAM
        frames, splitter = fed([data[at : at + size] for at in range(0, len(data), size)], limit=900)
        assert (frames, splitter.oversize, splitter.malformed) == (FRAMES * 2, True, False)
        assert splitter.at_boundary


def test_an_exception_of_ours_is_one_for_botocore():
    frame = encode({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"no"}')
    [message] = botocore(frame)[0]
    assert message.headers == {":message-type": "exception", ":exception-type": "throttlingException"}
    assert message.payload == b'{"message":"no"}'
