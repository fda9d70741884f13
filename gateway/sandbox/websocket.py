"""Owns WebSockets on the wire (RFC 6455, RFC 7692), the server's side: handshake and frames. Does no I/O.

Strict, as an oracle must be: what the specification forbids a client to send ends the connection with its code.
"""

import base64
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Literal, NamedTuple

from gateway.sandbox.request import Request

# RFC 6455 §1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# One message, inflated. OpenAI takes 15 MiB of audio in one.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# RFC 6455 §5.5.
CONTROL_BYTES_MAX = 125

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_FIN, _RSV1, _RSV23, _MASK = 0x80, 0x40, 0x30, 0x80
# What ends every message of a deflate stream and is left out on the wire (RFC 7692 §7.2.1).
_TAIL = b"\x00\x00\xff\xff"


class Broken(Exception):
    """The client broke the protocol; the connection closes with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Event(NamedTuple):
    """A whole message, or a control frame. `code` is a close's: 1005 if it had none."""

    kind: Literal["text", "binary", "ping", "pong", "close"]
    data: bytes = b""
    code: int = 0


def is_upgrade(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def refuse_handshake(request: Request) -> str:
    """Why this is no opening handshake (RFC 6455 §4.2.1); empty if it is one."""
    headers = request.headers
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    if not is_upgrade(request) or "upgrade" not in options or request.method != "GET":
        return "expected a WebSocket upgrade"
    if headers.get("sec-websocket-version") != "13":
        return "sec-websocket-version must be 13"
    try:
        nonce = base64.b64decode(headers.get("sec-websocket-key", ""), validate=True)
    except ValueError:
        nonce = b""
    return "" if len(nonce) == 16 else "sec-websocket-key must be 16 bytes in base64"


def offered_protocols(request: Request) -> list[str]:
    offered = request.headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in offered if name.strip()]


def accept_of(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


class Deflate:
    """permessage-deflate as agreed: one deflate stream each way, begun anew where that was asked for."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self.parameters = parameters
        self._bits = int(parameters.get("server_max_window_bits", "15"))
        self._begin_inflating()
        self._begin_deflating()

    @property
    def header(self) -> str:
        named = (f"{name}={value}" if value else name for name, value in self.parameters.items())
        return "; ".join(("permessage-deflate", *named))

    def _begin_inflating(self) -> None:
        self._inflater = zlib.decompressobj(-15)

    def _begin_deflating(self) -> None:
        self._deflater = zlib.compressobj(wbits=-self._bits)

    def inflate(self, data: bytes) -> bytes:
        """One message. Raises Broken for what is no deflate stream or becomes too much."""
        try:
            message = self._inflater.decompress(data + _TAIL, MESSAGE_BYTES_MAX + 1)
        except zlib.error as error:
            raise Broken(1007, "a message is not deflated as agreed") from error
        if len(message) > MESSAGE_BYTES_MAX:
            raise Broken(1009, "message too big")
        if "client_no_context_takeover" in self.parameters:
            self._begin_inflating()
        return message

    def deflate(self, message: bytes) -> bytes:
        data = self._deflater.compress(message) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        if "server_no_context_takeover" in self.parameters:
            self._begin_deflating()
        return data.removesuffix(_TAIL)


def negotiate(request: Request) -> Deflate | None:
    """The first of the client's offers to compress that can be agreed to, as agreed; nothing if none."""
    for offer in request.headers.get("sec-websocket-extensions", "").split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == "permessage-deflate":
            agreed = _agree(parameters)
            if agreed is not None:
                return Deflate(agreed)
    return None


def _agree(parameters: list[str]) -> dict[str, str] | None:
    """Our answer's parameters (RFC 7692 §7.1); None declines: zlib deflates with windows of 9 to 15 bits only."""
    agreed: dict[str, str] = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name in ("server_no_context_takeover", "client_no_context_takeover") and not value:
            agreed[name] = ""
        elif name == "server_max_window_bits" and value.strip('"') in map(str, range(9, 16)):
            agreed[name] = value.strip('"')
        elif name != "client_max_window_bits":
            return None
    return agreed


class _Frame(NamedTuple):
    fin: bool
    compressed: bool
    opcode: int
    payload: bytes


class FrameReader:
    """Bytes in, messages and control frames out. After Broken or a close it must not be fed again."""

    def __init__(self, deflate: Deflate | None = None) -> None:
        self._buffer = bytearray()
        self._deflate = deflate
        self._message = bytearray()
        self._opcode = CONTINUATION  # of the message that is not yet whole
        self._compressed = False

    def feed(self, data: bytes) -> Iterator[Event]:
        """Everything completed by these bytes. Raises Broken after what came before the fault."""
        self._buffer += data
        while (frame := self._take_frame()) is not None:
            event = _control_event(frame) if frame.opcode >= CLOSE else self._join(frame)
            if event is not None:
                yield event

    def _take_frame(self) -> _Frame | None:
        """The next whole frame, unmasked."""
        if len(self._buffer) < 2:
            return None
        first, second = self._buffer[0], self._buffer[1]
        self._check_head(first, second)
        length, at = self._length(second & 0x7F)
        if length > MESSAGE_BYTES_MAX - len(self._message):
            raise Broken(1009, "message too big")
        if length < 0 or len(self._buffer) < at + 4 + length:
            return None
        mask, masked = self._buffer[at : at + 4], self._buffer[at + 4 : at + 4 + length]
        del self._buffer[: at + 4 + length]
        return _Frame(bool(first & _FIN), bool(first & _RSV1), first & 0x0F, _unmask(masked, mask))

    def _check_head(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise Broken(1002, "reserved opcode")
        if first & _RSV23 or (first & _RSV1 and (self._deflate is None or opcode not in (TEXT, BINARY))):
            raise Broken(1002, "reserved bit set")
        if not second & _MASK:
            raise Broken(1002, "a client's frame is not masked")
        if opcode >= CLOSE and (not first & _FIN or second & 0x7F > CONTROL_BYTES_MAX):
            raise Broken(1002, "a control frame is fragmented or too long")

    def _length(self, short: int) -> tuple[int, int]:
        """Bytes of payload and where the mask begins; -1 while the length is not all here."""
        if short < 126:
            return short, 2
        size, least = (2, 126) if short == 126 else (8, 65_536)
        if len(self._buffer) < 2 + size:
            return -1, 0
        length = int.from_bytes(self._buffer[2 : 2 + size])
        if length < least or length >> 63:
            raise Broken(1002, "a length is not in its shortest form")
        return length, 2 + size

    def _join(self, frame: _Frame) -> Event | None:
        """The message this frame completes."""
        if (frame.opcode == CONTINUATION) != (self._opcode != CONTINUATION):
            raise Broken(1002, "a message was continued that had not begun, or begun within another")
        if frame.opcode != CONTINUATION:
            self._opcode, self._compressed = frame.opcode, frame.compressed
        self._message += frame.payload
        if not frame.fin:
            return None
        message, kind = bytes(self._message), self._opcode
        self._message.clear()
        self._opcode = CONTINUATION
        if self._compressed:
            assert self._deflate is not None
            message = self._deflate.inflate(message)
        if kind == TEXT:
            _check_text(message)
        return Event("text" if kind == TEXT else "binary", message)


def _unmask(payload: bytes | bytearray, mask: bytes | bytearray) -> bytes:
    """XOR with the mask over and over, as one big number."""
    length = len(payload)
    pad = int.from_bytes((mask * (length // 4 + 1))[:length])
    return (int.from_bytes(payload) ^ pad).to_bytes(length)


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Broken(1007, "text is not UTF-8") from error


def _control_event(frame: _Frame) -> Event:
    if frame.opcode != CLOSE:
        return Event("ping" if frame.opcode == PING else "pong", frame.payload)
    if not frame.payload:
        return Event("close", b"", 1005)
    code = int.from_bytes(frame.payload[:2])
    # RFC 6455 §7.4: what may be sent, without the codes that only describe.
    if len(frame.payload) == 1 or not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        raise Broken(1002, "no such close code")
    _check_text(frame.payload[2:])
    return Event("close", frame.payload[2:], code)


class FrameWriter:
    """Frames of a server: unmasked; a message whole, or in pieces of so many bytes."""

    def __init__(self, deflate: Deflate | None = None, fragment_bytes: int = 0) -> None:
        self._deflate = deflate
        self._fragment_bytes = fragment_bytes

    def text(self, message: bytes) -> bytes:
        return self._message(TEXT, message)

    def binary(self, message: bytes) -> bytes:
        return self._message(BINARY, message)

    def _message(self, opcode: int, message: bytes) -> bytes:
        compressed = 0
        if self._deflate:
            message, compressed = self._deflate.deflate(message), _RSV1
        size = self._fragment_bytes or max(len(message), 1)
        starts = range(0, max(len(message), 1), size)
        return b"".join(
            _frame(
                (opcode | compressed if start == 0 else CONTINUATION) | (_FIN if start + size >= len(message) else 0),
                message[start : start + size],
            )
            for start in starts
        )


def pong(data: bytes) -> bytes:
    return _frame(_FIN | PONG, data)


def close(code: int, reason: str = "") -> bytes:
    """1005 says there is no code to give."""
    return _frame(_FIN | CLOSE, b"" if code == 1005 else struct.pack(">H", code) + reason.encode())


def _frame(first: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return struct.pack(">BBH", first, 126, length) + payload
    return struct.pack(">BBQ", first, 127, length) + payload
