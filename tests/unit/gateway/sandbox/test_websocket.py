import os
import random
import struct
import zlib

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from gateway.sandbox.request import Request
from gateway.sandbox.websocket import (
    MESSAGE_BYTES_MAX,
    Broken,
    Deflate,
    Event,
    FrameReader,
    FrameWriter,
    accept_of,
    close,
    negotiate,
    offered_protocols,
    pong,
    refuse_handshake,
)

HEADERS = {
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def request(method: str = "GET", **headers: str | None) -> Request:
    given = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request(method, "/v1/realtime", {}, {n: v for n, v in given.items() if v is not None}, b"", b"", True)


def frame(opcode: int, payload: bytes = b"", fin: bool = True, bits: int = 0) -> bytes:
    """A client's frame, by an independent implementation; the first byte as ordered, allowed or not."""
    wire = Frame(Opcode(opcode), payload).serialize(mask=True)
    return bytes((wire[0] & 0x7F | fin << 7 | bits,)) + wire[1:]


def read(*data: bytes, deflate: Deflate | None = None) -> list[Event]:
    reader = FrameReader(deflate)
    return [event for part in data for event in reader.feed(part)]


def code_of(data: bytes, deflate: Deflate | None = None) -> int:
    with pytest.raises(Broken) as raised:
        read(data, deflate=deflate)
    return raised.value.code


def test_the_key_is_answered_as_in_the_rfc():
    assert accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("GET", {"upgrade": None}),
        ("GET", {"upgrade": "h2c"}),
        ("GET", {"connection": "keep-alive"}),
        ("GET", {"sec_websocket_version": "8"}),
        ("GET", {"sec_websocket_key": None}),
        ("GET", {"sec_websocket_key": "c2hvcnQ="}),
        ("GET", {"sec_websocket_key": "not base64"}),
    ],
)
def test_what_is_no_handshake_is_refused(method: str, headers: dict[str, str | None]):
    assert refuse_handshake(request()) == ""
    assert refuse_handshake(request(method, **headers))


def test_protocols_are_in_the_order_they_were_offered():
    assert offered_protocols(request(sec_websocket_protocol="realtime, b,c")) == ["realtime", "b", "c"]
    assert offered_protocols(request()) == []


WIRE = (
    frame(1, "größer".encode())
    + frame(1, b"in ", fin=False)
    + frame(9, b"between")
    + frame(0, b"pieces", fin=False)
    + frame(0)
    + frame(2, b"\xff")
    + frame(10)
    + frame(8, b"\x03\xe8bye")
)
TOLD = [
    Event("text", "größer".encode()),
    Event("ping", b"between"),
    Event("text", b"in pieces"),
    Event("binary", b"\xff"),
    Event("pong"),
    Event("close", b"bye", 1000),
]


def test_messages_are_read_whole_and_byte_by_byte():
    assert read(WIRE) == TOLD
    assert read(*(bytes((byte,)) for byte in WIRE)) == TOLD


def test_a_frame_that_is_cut_says_nothing():
    assert not any(read(WIRE[:length]) for length in range(len(frame(1, "größer".encode()))))


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536, 1_000_001])
def test_every_length_is_read_and_written(length: int):
    payload = random.Random(length).randbytes(length).hex()[:length].encode()

    assert read(frame(1, payload)) == [Event("text", payload)]
    assert FrameWriter().text(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x00", 1002),  # not masked
        (frame(1, bits=0x40), 1002),  # compressed, which was not agreed
        (frame(1, bits=0x20), 1002),
        (frame(1, bits=0x10), 1002),
        (b"\x83\x80", 1002),  # reserved opcodes
        (b"\x8b\x80", 1002),
        (frame(9, fin=False), 1002),
        (b"\x89\xfe", 1002),  # a long ping
        (frame(0), 1002),  # goes on with nothing
        (frame(1, fin=False) + frame(1), 1002),
        (b"\x81\xfe\x00\x05", 1002),  # lengths that are too long for what they say
        (b"\x81\xff" + struct.pack(">Q", 65_535), 1002),
        (b"\x81\xff" + struct.pack(">Q", 1 << 63), 1002),
        (b"\x81\xff" + struct.pack(">Q", MESSAGE_BYTES_MAX + 1), 1009),
        (frame(1, b"\xc3"), 1007),
        (frame(8)[:1] + b"\x81\x00\x00\x00\x00\x03", 1002),
        (frame(8, struct.pack(">H", 999)), 1002),
        (frame(8, struct.pack(">H", 1005)), 1002),
        (frame(8, struct.pack(">H", 1006)), 1002),
        (frame(8, struct.pack(">H", 2999)), 1002),
        (frame(8, b"\x03\xe8\xff"), 1007),
    ],
)
def test_what_a_client_must_not_send_ends_the_connection(data: bytes, code: int):
    assert code_of(data) == code


def test_a_close_may_be_empty():
    assert read(frame(8)) == [Event("close", b"", 1005)]
    assert (close(1005), close(1002, "no"), pong(b"x")) == (b"\x88\x00", b"\x88\x04\x03\xeano", b"\x8a\x01x")


def test_a_message_may_leave_in_fragments():
    assert FrameWriter(fragment_bytes=2).text(b"abcde") == b"\x01\x02ab\x00\x02cd\x80\x01e"
    assert FrameWriter(fragment_bytes=2).text(b"ab") == b"\x81\x02ab"
    assert FrameWriter().text(b"") == b"\x81\x00"


def test_a_message_may_be_binary():
    assert FrameWriter().binary(b"ab") == Frame(Opcode.BINARY, b"ab").serialize(mask=False)
    assert FrameWriter(fragment_bytes=1).binary(b"ab") == b"\x02\x01a\x80\x01b"


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        (None, None),
        ("x-webkit-deflate-frame", None),
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        (
            'permessage-deflate; server_max_window_bits="10"; server_no_context_takeover',
            "permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
        ),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; colour=red", None),
    ],
)
def test_an_offer_to_compress_is_agreed_to_as_far_as_it_can_be(offer: str | None, agreed: str | None):
    deflate = negotiate(request(sec_websocket_extensions=offer))

    assert (deflate.header if deflate else None) == agreed


@pytest.mark.parametrize("anew", [False, True])
def test_compressed_messages_are_read_and_written(anew: bool):
    names = {"server_no_context_takeover": "", "client_no_context_takeover": ""} if anew else {}
    ours, theirs = Deflate(names), PerMessageDeflate(anew, anew, 15, 15)
    texts = [b"a" * 500, os.urandom(100).hex().encode(), b"a" * 500]

    sent = [frame(1, theirs.encode(Frame(Opcode.TEXT, text)).data, bits=0x40) for text in texts]
    assert read(*sent, deflate=ours) == [Event("text", text) for text in texts]
    writer = FrameWriter(ours)
    for text in texts:
        wire = writer.text(text)
        assert wire[0] == 0xC1
        payload = wire[2:] if wire[1] < 126 else wire[4:]
        assert theirs.decode(Frame(Opcode.TEXT, payload, rsv1=True)).data == text


def test_a_compressed_message_that_is_none_or_too_much_ends_the_connection():
    bomb = zlib.compressobj(wbits=-15)
    packed = bomb.compress(bytes(MESSAGE_BYTES_MAX + 1)) + bomb.flush(zlib.Z_SYNC_FLUSH)

    assert code_of(frame(1, b"\xff\xff", bits=0x40), Deflate({})) == 1007
    assert code_of(frame(1, packed[:-4], bits=0x40), Deflate({})) == 1009
    assert code_of(frame(1, b"a", fin=False) + frame(0, bits=0x40), Deflate({})) == 1002
