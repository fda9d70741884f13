import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.frame import (
    FINAL,
    HEADER_BYTES,
    ID_BYTES_MAX,
    INTENT,
    PAYLOAD_BYTES_MAX,
    SYNC,
    Decoder,
    Frame,
    SegmentTooNew,
    crc32c,
    encode,
    header,
    peek,
)

FRAMES = [
    Frame(INTENT, b"req_1", b"first"),
    Frame(INTENT, b"req_2", b""),
    Frame(FINAL, b"req_1", b"x" * 300),
    Frame(FINAL, b"req_2", bytes(range(256))),
]
ENCODED = [encode(*frame) for frame in FRAMES]
SEGMENT = header() + b"".join(ENCODED)
# Offsets at which a frame begins, and the end.
EDGES = [HEADER_BYTES + sum(map(len, ENCODED[:n])) for n in range(len(ENCODED) + 1)]


def decode(*pieces: bytes) -> tuple[list[Frame], Decoder]:
    decoder = Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return frames + decoder.finish(), decoder


def test_checksum_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720 B.4's check value


def test_segment_comes_back_whole() -> None:
    frames, decoder = decode(SEGMENT)
    assert frames == FRAMES
    assert not decoder.damage


def test_segment_comes_back_byte_by_byte() -> None:
    frames, decoder = decode(*(SEGMENT[i : i + 1] for i in range(len(SEGMENT))))
    assert frames == FRAMES
    assert not decoder.damage


def test_frame_is_told_as_soon_as_it_is_complete() -> None:
    decoder = Decoder()
    assert decoder.feed(SEGMENT[: EDGES[1] - 1]) == []
    assert decoder.feed(SEGMENT[EDGES[1] - 1 : EDGES[1]]) == FRAMES[:1]


@given(st.lists(st.tuples(st.sampled_from([INTENT, FINAL]), st.binary(max_size=40), st.binary(max_size=500))))
def test_any_frames_survive(rows: list[tuple[int, bytes, bytes]]) -> None:
    frames, decoder = decode(header() + b"".join(encode(*row) for row in rows))
    assert frames == rows
    assert not decoder.damage


def test_every_torn_tail_leaves_the_frames_before_it() -> None:
    for length in range(len(SEGMENT)):
        frames, decoder = decode(SEGMENT[:length])
        whole = sum(edge <= length for edge in EDGES[1:])
        good_bytes = EDGES[whole] if length >= HEADER_BYTES else 0
        assert frames == FRAMES[:whole]
        assert decoder.damage.torn_bytes == length - good_bytes
        assert decoder.damage.regions == 0


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_every_damaged_byte_costs_one_frame_at_most_and_is_counted(flip: int) -> None:
    for at in range(len(SEGMENT)):
        damaged = bytearray(SEGMENT)
        damaged[at] ^= flip
        frames, decoder = decode(bytes(damaged))
        hit = sum(edge <= at for edge in EDGES) - 1  # -1 is the header
        assert frames == [frame for index, frame in enumerate(FRAMES) if index != hit]
        last = hit == len(FRAMES) - 1
        lost_bytes = len(ENCODED[hit]) if hit >= 0 else HEADER_BYTES
        damage = decoder.damage
        assert (damage.skipped_bytes, damage.torn_bytes) == ((0, lost_bytes) if last else (lost_bytes, 0))
        assert damage


def test_damage_found_byte_by_byte_is_the_same() -> None:
    damaged = bytearray(SEGMENT)
    damaged[EDGES[1] + 20] ^= 0xFF
    whole, decoder = decode(bytes(damaged))
    pieces, piecewise = decode(*(bytes(damaged[i : i + 1]) for i in range(len(damaged))))
    assert pieces == whole
    assert piecewise.damage == decoder.damage


def test_length_over_the_limit_is_damage_and_not_waited_for() -> None:
    oversized = SYNC + struct.pack("<IIBB", 0, PAYLOAD_BYTES_MAX + 1, FINAL, 0)
    decoder = Decoder()
    assert decoder.feed(header() + oversized + ENCODED[0]) == FRAMES[:1]
    assert decoder.damage.skipped_bytes == len(oversized)


def test_zeros_after_a_power_cut_are_torn() -> None:
    frames, decoder = decode(SEGMENT + bytes(4096))
    assert frames == FRAMES
    assert decoder.damage.torn_bytes == 4096


def test_empty_segment_is_empty_and_sound() -> None:
    frames, decoder = decode(b"")
    assert frames == []
    assert not decoder.damage


def test_frame_of_nothing_is_a_frame() -> None:
    frames, _ = decode(header() + encode(FINAL, b"", b""))
    assert frames == [Frame(FINAL, b"", b"")]


def test_newer_format_is_refused_by_name() -> None:
    lead = struct.pack("<8sHH", b"LENSAIJ\n", 2, 0)
    newer = lead + struct.pack("<I", crc32c(lead)) + ENCODED[0]
    with pytest.raises(SegmentTooNew, match="format 2 is newer than 1"):
        decode(newer)


def test_payload_and_id_over_their_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="over its limit"):
        encode(FINAL, b"req", bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(ValueError, match="over its limit"):
        encode(FINAL, bytes(ID_BYTES_MAX + 1), b"")


def test_peek_tells_kind_and_id() -> None:
    assert [peek(frame) for frame in ENCODED] == [(frame.kind, frame.id) for frame in FRAMES]
