"""Frames are read as RFC 6455 has them, and every byte comes out as it came. Frames are made by another library."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from gateway.wire.websocket import (
    BAD_PAYLOAD,
    BINARY,
    CLOSE,
    CONTROL_BYTES_MAX,
    NO_CODE,
    PING,
    PROTOCOL_ERROR,
    TEXT,
    FrameReader,
    Inflater,
    Message,
    WebSocketFault,
    encode_close,
    encode_text,
    read_close,
)
from tests.support.sockets import frame

LIMIT = 1 << 20
MESSAGES = [b"", b"one", "zwölf".encode(), b"x" * 125, b"x" * 126, b"x" * 65_535, b"x" * 65_536]


def reader(*, masked: bool, bytes_max: int = LIMIT, inflater: Inflater | None = None) -> FrameReader:
    return FrameReader(masked=masked, message_bytes_max=bytes_max, inflater=inflater)


def read(frames: FrameReader, *chunks: bytes) -> tuple[bytes, list[Message]]:
    """What came out of it: all the bytes, and the messages."""
    pieces = [piece for chunk in chunks for piece in frames.feed(chunk)]
    return b"".join(piece.data for piece in pieces), [piece.message for piece in pieces if piece.message]


def until_fault(frames: FrameReader, *chunks: bytes) -> tuple[bytes, WebSocketFault | None]:
    """The bytes that came out before the fault, and the fault."""
    out = b""
    try:
        for chunk in chunks:
            for piece in frames.feed(chunk):
                out += piece.data
    except WebSocketFault as fault:
        return out, fault
    return out, None


def by_the_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("text", MESSAGES, ids=len)
def test_a_message_is_read_whole_and_byte_by_byte(text, masked):
    wire = frame(text, mask=masked)
    assert read(reader(masked=masked), wire) == (wire, [Message(TEXT, text)])
    assert read(reader(masked=masked), *by_the_byte(wire)) == (wire, [Message(TEXT, text)])


@pytest.mark.parametrize("masked", [True, False])
def test_what_is_behind_a_message_is_the_next_one(masked):
    wire = (
        frame(b"one", mask=masked) + frame(b"", Opcode.PING, mask=masked) + frame(b"\xff", Opcode.BINARY, mask=masked)
    )
    assert read(reader(masked=masked), wire)[1] == [Message(TEXT, b"one"), Message(PING, b""), Message(BINARY, b"\xff")]


@pytest.mark.parametrize("text", MESSAGES, ids=len)
def test_a_frame_cut_anywhere_is_no_message_and_no_header_comes_out_in_part(text):
    wire = frame(text, mask=True)
    header_bytes = len(wire) - len(text)
    for end in {*range(min(len(wire), 20)), len(wire) - 1} - {len(wire)}:
        frames = reader(masked=True)
        out, messages = read(frames, wire[:end])
        assert (out, messages) == (wire[:end] if end >= header_bytes else b"", [])
        assert frames.between_frames == (end < header_bytes)


def test_fragments_are_one_message_and_control_frames_may_stand_between_them():
    wire = (
        frame(b"a\xc3", mask=False, final=False)
        + frame(b"ping", Opcode.PING, mask=False)
        + frame(b"", Opcode.CONT, mask=False, final=False)
        + frame(b"\xa4z", Opcode.CONT, mask=False)
    )
    expected = [Message(PING, b"ping"), Message(TEXT, "aäz".encode())]
    assert read(reader(masked=False), wire) == (wire, expected)
    assert read(reader(masked=False), *by_the_byte(wire)) == (wire, expected)
    frames = reader(masked=False)
    read(frames, wire[:4])
    assert frames.between_frames
    assert not frames.between_messages


def test_nothing_comes_out_behind_a_close_frame():
    wire = frame(b"\x03\xe8bye", Opcode.CLOSE, mask=True)
    frames = reader(masked=True)
    assert read(frames, wire + frame(b"more", mask=True), b"noise") == (wire, [Message(CLOSE, b"\x03\xe8bye")])
    assert frames.closed


@pytest.mark.parametrize(
    ("masked", "wire", "code"),
    [
        (True, frame(b"x", mask=False), PROTOCOL_ERROR),
        (False, frame(b"x", mask=True), PROTOCOL_ERROR),
        (False, b"\x91\x00", PROTOCOL_ERROR),  # a reserved bit
        (False, b"\xa1\x00", PROTOCOL_ERROR),
        (False, b"\xc1\x00", PROTOCOL_ERROR),  # compressed, and nobody agreed to it
        (False, b"\x83\x00", PROTOCOL_ERROR),  # reserved opcodes
        (False, b"\x8f\x00", PROTOCOL_ERROR),
        (False, b"\x09\x00", PROTOCOL_ERROR),  # a control frame in fragments
        (False, b"\x89\x7e\x00\x7e", PROTOCOL_ERROR),  # and one of 126 bytes
        (False, b"\x80\x00", PROTOCOL_ERROR),  # the rest of no message
        (False, b"\x01\x00\x81\x00", PROTOCOL_ERROR),  # a message within a message
        (False, b"\x81\x7e\x00\x7d", PROTOCOL_ERROR),  # a length that a shorter form holds
        (False, b"\x81\x7f" + (0xFFFF).to_bytes(8, "big"), PROTOCOL_ERROR),
        (False, b"\x81\x7f\x80" + bytes(7), PROTOCOL_ERROR),  # a length of 64 bits
        (False, b"\x88\x01\x03", PROTOCOL_ERROR),  # half a close code
        (False, b"\x88\x02" + (1005).to_bytes(2, "big"), PROTOCOL_ERROR),
        (False, b"\x88\x02" + (999).to_bytes(2, "big"), PROTOCOL_ERROR),
        (False, b"\x88\x02" + (2000).to_bytes(2, "big"), PROTOCOL_ERROR),
        (False, b"\x88\x03" + (1000).to_bytes(2, "big") + b"\xff", BAD_PAYLOAD),
        (False, b"\x81\x01\xff", BAD_PAYLOAD),
        (False, b"\x01\x01\xc3\x80\x01x", BAD_PAYLOAD),
    ],
)
def test_what_rfc_6455_forbids_is_a_fault_behind_what_was_good(masked, wire, code):
    good = frame(b"good", mask=masked)
    for chunks in ([good + wire], by_the_byte(good + wire)):
        out, fault = until_fault(reader(masked=masked), *chunks)
        assert out.startswith(good)
        assert fault is not None
        assert fault.code == code


@pytest.mark.parametrize("fragments", [1, 3])
def test_a_message_that_is_too_large_passes_unread_and_the_next_one_is_read(fragments):
    part = frame(b"x" * 40, mask=True, final=fragments == 1)
    rest = [frame(b"x" * 40, Opcode.CONT, mask=True, final=n == fragments - 2) for n in range(fragments - 1)]
    wire = b"".join((part, *rest, frame(b"next", mask=True)))
    frames = reader(masked=True, bytes_max=39)
    out, messages = read(frames, *by_the_byte(wire))
    assert (out, messages) == (wire, [Message(TEXT, None), Message(TEXT, b"next")])
    assert not frames.oversize


def test_it_says_as_soon_as_a_message_is_too_large():
    frames = reader(masked=False, bytes_max=10)
    read(frames, frame(b"x" * 100, mask=False)[:12])
    assert not frames.oversize
    read(frames, b"x")
    assert frames.oversize


def test_a_message_in_fragments_takes_no_more_memory_than_its_payload():
    frames = reader(masked=False)
    read(frames, frame(b"a", mask=False, final=False), frame(b"", Opcode.CONT, mask=False, final=False) * 10_000)
    assert len(frames._copy) == 1


class Deflated:
    """One direction of a session that another library compresses."""

    def __init__(self, *, keeps_context: bool = True) -> None:
        self._theirs = PerMessageDeflate(False, not keeps_context, 15, 15)

    def frames(self, *texts: bytes, opcode: int = Opcode.TEXT) -> bytes:
        """One message, in as many fragments."""
        made = [
            Frame(Opcode(opcode) if not at else Opcode.CONT, text, fin=at == len(texts) - 1)
            for at, text in enumerate(texts)
        ]
        return b"".join(one.serialize(mask=True, extensions=[self._theirs]) for one in made)


@pytest.mark.parametrize("keeps_context", [True, False])
def test_compressed_messages_are_inflated_in_a_copy(keeps_context):
    theirs = Deflated(keeps_context=keeps_context)
    wire = theirs.frames(b"hello " * 100) + frame(b"plain", mask=True) + theirs.frames(b"hello", b" hello ", b"")
    wire += theirs.frames(b"\xff\x00" * 50, opcode=Opcode.BINARY)
    expected = [
        Message(TEXT, b"hello " * 100),
        Message(TEXT, b"plain"),
        Message(TEXT, b"hello hello "),
        Message(BINARY, b"\xff\x00" * 50),
    ]
    for chunks in ([wire], by_the_byte(wire)):
        frames = reader(masked=True, inflater=Inflater(keeps_context=keeps_context, bytes_max=LIMIT))
        assert read(frames, *chunks) == (wire, expected)


@pytest.mark.parametrize("keeps_context", [True, False])
def test_a_bomb_passes_unread_and_only_what_leans_on_it_is_lost_with_it(keeps_context):
    theirs = Deflated(keeps_context=keeps_context)
    wire = theirs.frames(bytes(LIMIT * 10)) + theirs.frames(b"after")
    frames = reader(masked=True, inflater=Inflater(keeps_context=keeps_context, bytes_max=LIMIT))
    after = None if keeps_context else b"after"
    assert read(frames, wire) == (wire, [Message(TEXT, None), Message(TEXT, after)])


def test_what_is_no_deflate_passes_unread():
    frames = reader(masked=False, inflater=Inflater(keeps_context=False, bytes_max=LIMIT))
    assert read(frames, b"\xc1\x02\xff\xff")[1] == [Message(TEXT, None)]


def test_a_final_block_ends_a_message_and_nothing_more_may_be_hidden_behind_it():
    # RFC 7692 §7.2.3.4, and the same with a second stream that another decoder might go on to.
    hello = b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"
    inflater = Inflater(keeps_context=False, bytes_max=LIMIT)
    assert inflater.inflate(hello) == b"Hello"
    assert inflater.inflate(hello[:-1] + zlib.compress(b"hidden")) is None
    assert inflater.inflate(hello) == b"Hello"


def test_inflated_text_that_is_not_utf_8_is_a_fault():
    frames = reader(masked=True, inflater=Inflater(keeps_context=True, bytes_max=LIMIT))
    with pytest.raises(WebSocketFault):
        read(frames, Deflated().frames(b"\xff"))


@given(
    st.lists(st.tuples(st.sampled_from((Opcode.TEXT, Opcode.BINARY, Opcode.PING)), st.text(max_size=300))), st.randoms()
)
def test_any_messages_in_any_chunks_are_read_as_they_were_sent(messages, chance: random.Random):
    wire, expected = b"", []
    for opcode, text in messages:
        payload = text.encode()[:CONTROL_BYTES_MAX] if opcode is Opcode.PING else text.encode()
        expected.append(Message(opcode, payload))
        cut = chance.randrange(len(payload) + 1)
        if opcode is Opcode.PING or chance.random() < 0.5:
            wire += frame(payload, opcode, mask=True)
        else:
            wire += frame(payload[:cut], opcode, mask=True, final=False) + frame(payload[cut:], Opcode.CONT, mask=True)
    cuts = sorted(chance.randrange(len(wire) + 1) for _ in range(chance.randrange(10)))
    chunks = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert read(reader(masked=True), *chunks) == (wire, expected)


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_passed_or_refused_and_nothing_else_happens(noise, masked):
    inflater = Inflater(keeps_context=True, bytes_max=100)
    out, _ = until_fault(reader(masked=masked, inflater=inflater), noise)
    assert noise.startswith(out)


def test_close_codes_are_read():
    assert read_close(b"") == NO_CODE
    assert read_close((1000).to_bytes(2, "big") + b"bye") == 1000
    assert read_close((4999).to_bytes(2, "big")) == 4999


@pytest.mark.parametrize("mask", [None, b"\x01\x02\x03\x04"])
def test_what_is_encoded_is_what_another_library_encodes(mask):
    for text in MESSAGES:
        wire = encode_text(text, mask)
        assert read(reader(masked=mask is not None), wire)[1] == [Message(TEXT, text)]
        assert mask is not None or wire == frame(text, mask=False)
    wire = encode_close(1008, "why", mask)
    assert read(reader(masked=mask is not None), wire)[1] == [Message(CLOSE, b"\x03\xf0why")]
    assert mask is not None or wire == frame(b"\x03\xf0why", Opcode.CLOSE, mask=False)


def test_a_reason_that_is_too_long_is_cut_between_characters():
    [(opcode, payload)] = read(reader(masked=False), encode_close(1008, "ä" * 100))[1]
    assert (opcode, payload) == (CLOSE, b"\x03\xf0" + "ä".encode() * 61)
