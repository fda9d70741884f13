"""Owns WebSocket framing (RFC 6455, RFC 7692): one direction's bytes in, the same bytes out with what they complete.

Sans-I/O. The bytes are the caller's to pass on, unchanged; messages are read from a copy. Only whole, valid frame
headers and whole control frames come out, so that whoever passes them on may put a frame of its own between two.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))

# Why a session ends: RFC 6455 §7.4.1.
NORMAL, GOING_AWAY, PROTOCOL_ERROR = 1000, 1001, 1002
NO_CODE = 1005  # the close frame names none
BAD_PAYLOAD, POLICY_VIOLATION, TOO_LARGE, INTERNAL_ERROR = 1007, 1008, 1009, 1011
# 1004 to 1006 and 1015 never stand in a frame; from 3000 on they are for libraries and applications.
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))
_PRIVATE_CODES = range(3000, 5000)

# RFC 6455 §5.5.
CONTROL_BYTES_MAX = 125
_REASON_BYTES_MAX = CONTROL_BYTES_MAX - 2
_LENGTH_16, _LENGTH_64 = 126, 127
# Masked at once, a multiple of 4: integers that leave the processor's cache take three times as long.
_MASKED_BYTES_MAX = 16 * 1024
# What the sender of a compressed message leaves out: RFC 7692 §7.2.1.
_DEFLATE_TAIL = b"\x00\x00\xff\xff"


class WebSocketFault(Exception):
    """The bytes are no WebSocket of that direction; `code` is what its sender should be told."""

    def __init__(self, message: str, code: int = PROTOCOL_ERROR) -> None:
        super().__init__(message)
        self.code = code


class Message(NamedTuple):
    """A whole message, or a control frame. `payload` None: too large to be read, or not to be inflated."""

    opcode: int
    payload: bytes | None

    @property
    def control(self) -> bool:
        return self.opcode >= CLOSE


class Piece(NamedTuple):
    """Bytes as they came, and the message they complete, if any."""

    data: bytes
    message: Message | None


class _Header(NamedTuple):
    final: bool
    compressed: bool
    opcode: int
    length: int
    mask: bytes
    end: int  # where the payload begins


class Inflater:
    """Inflates one direction's messages. One that cannot be inflated takes those after it along, if they lean on it."""

    def __init__(self, *, keeps_context: bool, bytes_max: int) -> None:
        self._keeps_context = keeps_context
        self._bytes_max = bytes_max
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        self._lost = False

    def inflate(self, payload: bytes | None) -> bytes | None:
        """The text of a compressed message; None for one that is unknown, malformed or larger than the limit."""
        if self._lost:
            return None
        text = None if payload is None else self._inflated(payload)
        if text is None and self._keeps_context:
            self._lost = True
        if not self._keeps_context or self._decoder.eof:
            self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        return text

    def _inflated(self, payload: bytes) -> bytes | None:
        decoder = self._decoder
        try:
            text = decoder.decompress(payload + _DEFLATE_TAIL, self._bytes_max + 1)
        except zlib.error:
            return None
        # Behind a final block (RFC 7692 §7.2.3.4) may stand an empty one, and nothing that another would go on reading.
        rest = decoder.unused_data.removesuffix(_DEFLATE_TAIL)
        return None if len(text) > self._bytes_max or decoder.unconsumed_tail or rest not in (b"", b"\x00") else text


class FrameReader:
    """Reads one direction of a session. `masked` says which: a client's frames are, a server's are not.

    A message of more than `message_bytes_max`, as it is or inflated, is passed and not read. Held back are an
    incomplete header or control frame, at most 139 bytes, and the copy of the message that is not complete.
    """

    def __init__(self, *, masked: bool, message_bytes_max: int, inflater: Inflater | None = None) -> None:
        self.closed = False  # a close frame came: nothing behind it means anything, and none of it comes out
        self._masked = masked
        self._message_bytes_max = message_bytes_max
        self._inflater = inflater
        self._held = b""
        self._left = 0  # of the payload of the data frame that is being read
        self._mask = b""
        self._final = True
        self._opcode: int | None = None  # of the message that is being read
        self._compressed = False
        self._copy = bytearray()
        self._copied_bytes = 0

    @property
    def between_frames(self) -> bool:
        """Whether what came out so far ends with a whole frame."""
        return not self._left

    @property
    def between_messages(self) -> bool:
        return self._opcode is None

    @property
    def oversize(self) -> bool:
        """Whether the message that is being read is too large already."""
        return self._copied_bytes > self._message_bytes_max

    def feed(self, data: bytes) -> Iterator[Piece]:
        """What may be passed on, in order. Raises WebSocketFault, behind the last piece that is good."""
        if self._held:
            data, self._held = self._held + data, b""
        at = 0
        while at < len(data) and not self.closed:
            start = at
            if not self._left:
                header = self._header(data, at)
                if header is None or (header.opcode >= CLOSE and len(data) < header.end + header.length):
                    self._held = data[at:]
                    return
                if header.opcode >= CLOSE:
                    at = header.end + header.length
                    yield Piece(data[start:at], self._control(header, data[header.end : at]))
                    continue
                self._begin(header)
                at = header.end
            end = min(at + self._left, len(data))
            self._take(data[at:end])
            at = end
            yield Piece(data[start:end], self._complete())

    def _header(self, data: bytes, at: int) -> _Header | None:
        """The frame header there; None: it is not all there yet."""
        if len(data) < at + 2:
            return None
        first, second = data[at], data[at + 1]
        opcode, length, at = first & 0x0F, second & 0x7F, at + 2
        self._check(first, second)
        if length > CONTROL_BYTES_MAX:
            size = 2 if length == _LENGTH_16 else 8
            if len(data) < at + size:
                return None
            length, least = int.from_bytes(data[at : at + size], "big"), CONTROL_BYTES_MAX if size == 2 else 0xFFFF
            if length <= least or length >> 63:
                raise WebSocketFault("a frame's length is not in its shortest form")
            at += size
        mask = b""
        if self._masked:
            mask, at = data[at : at + 4], at + 4
            if len(mask) < 4:
                return None
        return _Header(bool(first & 0x80), bool(first & 0x40), opcode, length, mask, at)

    def _check(self, first: int, second: int) -> None:
        """Judges what the two bytes say that every header begins with. Raises WebSocketFault."""
        opcode, final, compressed = first & 0x0F, first & 0x80, first & 0x40
        if bool(second & 0x80) != self._masked:
            raise WebSocketFault("a client's frames must be masked" if self._masked else "a server masks no frame")
        if first & 0x30 or opcode not in _OPCODES:
            raise WebSocketFault("a frame has a reserved bit or opcode")
        if compressed and (self._inflater is None or opcode not in (TEXT, BINARY)):
            raise WebSocketFault("a frame is compressed that may not be")
        if opcode >= CLOSE:
            if not final or second & 0x7F > CONTROL_BYTES_MAX:
                raise WebSocketFault("a control frame is fragmented or too long")
        elif (opcode == CONTINUATION) == (self._opcode is None):
            raise WebSocketFault("the fragments of a message are out of order")

    def _control(self, header: _Header, payload: bytes) -> Message:
        payload = _masked(payload, header.mask)
        if header.opcode == CLOSE:
            read_close(payload)
            self.closed = True
        return Message(header.opcode, payload)

    def _begin(self, header: _Header) -> None:
        if header.opcode != CONTINUATION:
            self._opcode, self._compressed = header.opcode, header.compressed
        self._final, self._left, self._mask = header.final, header.length, header.mask

    def _take(self, payload: bytes) -> None:
        self._left -= len(payload)
        self._copied_bytes += len(payload)
        if self.oversize:
            self._copy.clear()
            return
        if self._masked:
            self._copy += _masked(payload, self._mask)
            turn = len(payload) % 4
            self._mask = self._mask[turn:] + self._mask[:turn]
        else:
            self._copy += payload

    def _complete(self) -> Message | None:
        """The message, if this was its last byte. Raises WebSocketFault."""
        opcode = self._opcode
        if self._left or not self._final or opcode is None:
            return None
        payload = None if self.oversize else bytes(self._copy)
        if self._compressed and self._inflater is not None:
            payload = self._inflater.inflate(payload)
        self._opcode, self._copied_bytes = None, 0
        self._copy.clear()
        if opcode == TEXT and payload is not None and not payload.isascii():
            _utf8(payload)
        return Message(opcode, payload)


def read_close(payload: bytes) -> int:
    """The code in a close frame's payload, NO_CODE if it is empty. Raises WebSocketFault."""
    if not payload:
        return NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _CODES or code in _PRIVATE_CODES):
        raise WebSocketFault("a close frame has a code that may not be sent")
    _utf8(payload[2:])
    return code


def encode_close(code: int, reason: str = "", mask: bytes | None = None) -> bytes:
    """A close frame; a reason too long for it is cut between two characters."""
    text = reason.encode()[:_REASON_BYTES_MAX].decode("utf-8", "ignore").encode()
    return _frame(CLOSE, code.to_bytes(2, "big") + text, mask)


def encode_text(text: bytes, mask: bytes | None = None) -> bytes:
    """A whole text message in one frame, not compressed. `mask` is four random bytes, from a client."""
    return _frame(TEXT, text, mask)


def _frame(opcode: int, payload: bytes, mask: bytes | None) -> bytes:
    length, bit = len(payload), 0 if mask is None else 0x80
    if length <= CONTROL_BYTES_MAX:
        size = bytes((bit | length,))
    elif length <= 0xFFFF:
        size = bytes((bit | _LENGTH_16,)) + length.to_bytes(2, "big")
    else:
        size = bytes((bit | _LENGTH_64,)) + length.to_bytes(8, "big")
    body = payload if mask is None else mask + _masked(payload, mask)
    return b"%c%b%b" % (0x80 | opcode, size, body)


def _masked(data: bytes, mask: bytes) -> bytes:
    """Masking is its own inverse: RFC 6455 §5.3. As integers, since a loop over bytes takes a hundred times as long."""
    if not mask or not data:
        return data
    if len(data) > _MASKED_BYTES_MAX:
        steps = range(0, len(data), _MASKED_BYTES_MAX)
        return b"".join(_masked(data[at : at + _MASKED_BYTES_MAX], mask) for at in steps)
    length = len(data)
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")


def _utf8(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError:
        raise WebSocketFault("a text is not UTF-8", BAD_PAYLOAD) from None
