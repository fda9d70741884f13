"""Owns the handshake that turns an HTTP connection into a WebSocket (RFC 6455 §4): what asks for it, what agrees to it.

Sans-I/O. Only a request that is a whole, valid handshake counts as one: any other that names a protocol to switch to is
an ordinary request, and what it named is dropped as hop-by-hop headers are.
"""

import base64
import binascii
import hashlib
import re
from typing import NamedTuple

from gateway.wire.http1 import Framing, Head, HttpFault, ResponseHead

# What this hop writes itself, on both sides.
LINES = ((b"connection", b"Upgrade"), (b"upgrade", b"websocket"))
# A browser can set no header but this one, so OpenAI takes a key as the rest of a protocol's name:
# https://platform.openai.com/docs/guides/realtime-websocket.
KEY_PROTOCOL = b"openai-insecure-api-key."
PROTOCOLS = b"sec-websocket-protocol"
EXTENSIONS = b"sec-websocket-extensions"

_ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_ANSWERED = re.compile(rb"(?im)^sec-websocket-(accept|protocol|extensions):[ \t]*+([^\r\n]*+)")
_DEFLATE = b"permessage-deflate"
_TAKEOVER = frozenset((b"client_no_context_takeover", b"server_no_context_takeover"))
# RFC 7692 §7.1.2.
_WINDOW = re.compile(rb"(?:client|server)_max_window_bits(?:=\"?(?:[89]|1[0-5])\"?)?")


class Agreed(NamedTuple):
    """What both ends will do. A context that is kept is one message's window for the next one of that end."""

    deflate: bool = False
    client_keeps_context: bool = True
    server_keeps_context: bool = True


def asks(head: Head, framing: Framing, *, http10: bool) -> bool:
    """Whether a request is a handshake; read with `sec-websocket-*` among the headers looked at."""
    values = head.values
    return (
        values.get(b"upgrade", b"").lower() == b"websocket"
        and b"upgrade" in _tokens(values.get(b"connection", b"").lower())
        and head.first[1] == b"GET"
        and not http10
        and not framing.length
        and not framing.chunked
        and values.get(b"sec-websocket-version") == b"13"
        and _is_key(values.get(b"sec-websocket-key", b""))
    )


def protocol_keys(head: Head) -> list[bytes]:
    """Every key that stands in the name of a protocol."""
    return [name.removeprefix(KEY_PROTOCOL) for name in _offered(head) if name.startswith(KEY_PROTOCOL)]


def offered_protocols(head: Head, *, with_keys: bool) -> list[bytes]:
    """The protocols that a request offers to speak; those that hold a key are none."""
    return [name for name in _offered(head) if with_keys or not name.startswith(KEY_PROTOCOL)]


def check_answer(head: Head, answer: ResponseHead, protocols: list[bytes]) -> Agreed:
    """What a 101 agrees to; `protocols` are those it was offered. Raises HttpFault for what was not asked for."""
    lines = _ANSWERED.findall(answer.lines)
    found = {name.lower(): value.strip(b" \t") for name, value in lines}
    if len(found) < len(lines):
        raise HttpFault("it answered one part of the handshake twice")
    switches = b"upgrade" in _tokens(answer.values.get(b"connection", b"").lower())
    if answer.values.get(b"upgrade", b"").lower() != b"websocket" or not switches:
        raise HttpFault("it switched to another protocol than was asked for")
    if found.get(b"accept") != accept(head.values[b"sec-websocket-key"]):
        raise HttpFault("it accepted another handshake than this one")
    if b"protocol" in found and found[b"protocol"] not in protocols:
        raise HttpFault("it chose a subprotocol that was not offered")
    extensions = found.get(b"extensions", b"")
    return _extension(extensions, head.values.get(EXTENSIONS, b"")) if extensions else Agreed()


def _extension(chosen: bytes, offers: bytes) -> Agreed:
    """The one extension there is. Raises HttpFault for any other: its frames could not be read."""
    name, *parameters = (part.strip() for part in chosen.lower().split(b";"))
    offered = {offer.split(b";")[0].strip() for offer in offers.lower().split(b",")}
    known = all(one in _TAKEOVER or _WINDOW.fullmatch(one) for one in parameters)
    if name != _DEFLATE or name not in offered or not known:
        raise HttpFault("it chose an extension that was not offered or is not known")
    client, server = (b"%b_no_context_takeover" % end not in parameters for end in (b"client", b"server"))
    return Agreed(True, client, server)


def accept(key: bytes) -> bytes:
    """What a server proves with that it has read the key: RFC 6455 §4.2.2."""
    return base64.b64encode(hashlib.sha1(key + _ACCEPT_SUFFIX, usedforsecurity=False).digest())


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


def _offered(head: Head) -> list[bytes]:
    return _tokens(head.values.get(PROTOCOLS, b""))


def _tokens(value: bytes) -> list[bytes]:
    return [token for part in value.split(b",") if (token := part.strip(b" \t"))]
