"""Owns WebSockets on raw wires: handshakes byte for byte, and frames made by another library than is tested."""

from websockets.frames import CloseCode, Frame, Opcode

from gateway.wire.upgrade import accept
from tests.support.data_plane import HEAD_END, TOKEN, Gateway, Message, Provider, Wire

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
REALTIME = "/v1/realtime?model=gpt-realtime"


def ask(path: str = REALTIME, *lines: bytes, token: str = TOKEN, key: bytes = KEY) -> bytes:
    """A client's whole handshake."""
    credential = [b"authorization: Bearer " + token.encode()] if token else []
    head = (
        b"GET %b HTTP/1.1" % path.encode(),
        b"Host: gateway",
        b"Connection: keep-alive, Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
        *credential,
        *lines,
    )
    return b"\r\n".join(head) + HEAD_END


def agree(*lines: bytes, key: bytes = KEY) -> bytes:
    """A provider's whole 101."""
    head = (
        b"HTTP/1.1 101 Switching Protocols",
        b"upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept(key),
        *lines,
    )
    return b"\r\n".join(head) + HEAD_END


def frame(payload: bytes, opcode: int = Opcode.TEXT, *, mask: bool, final: bool = True) -> bytes:
    """One frame; a client's are masked."""
    return Frame(Opcode(opcode), payload, fin=final).serialize(mask=mask)


def said(text: bytes) -> bytes:
    """A provider's message."""
    return frame(text, mask=False)


def sent(text: bytes) -> bytes:
    """A client's message."""
    return frame(text, mask=True)


def goodbye(code: int = CloseCode.NORMAL_CLOSURE, *, mask: bool) -> bytes:
    return frame(code.to_bytes(2, "big"), Opcode.CLOSE, mask=mask)


async def read_frame(wire: Wire) -> tuple[int, bytes, bytes]:
    """The next frame on a wire: its opcode, its payload, and its bytes."""
    head = await wire.exactly(2)
    length = head[1] & 0x7F
    extended = await wire.exactly({126: 2, 127: 8}.get(length, 0))
    mask = await wire.exactly(4 if head[1] & 0x80 else 0)
    raw = await wire.exactly(int.from_bytes(extended, "big") if extended else length)
    payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(raw)) if mask else raw
    return head[0] & 0x0F, payload, head + extended + mask + raw


async def read_goodbye(wire: Wire) -> tuple[int, str]:
    """The code and the reason of the next frame, which must be a close frame."""
    opcode, payload, _ = await read_frame(wire)
    assert opcode == Opcode.CLOSE, (opcode, payload)
    return int.from_bytes(payload[:2], "big"), payload[2:].decode()


async def connected(
    gateway: Gateway, there: Provider, path: str = REALTIME, *lines: bytes, agreed: tuple[bytes, ...] = ()
) -> tuple[Wire, Wire, Message]:
    """The client's wire and the provider's behind a handshake, and the handshake as the provider saw it."""
    client = await gateway.client()
    client.send(ask(path, *lines))
    wire, request = await there.called()
    wire.send(agree(*agreed))
    head = await client.until(HEAD_END)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return client, wire, request
