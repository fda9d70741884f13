"""Owns AWS's binary event stream: one message from its headers and its payload.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import zlib

_STRING = 7
_PRELUDE_BYTES = 12
_CHECKSUM_BYTES = 4

CONTENT_TYPE = "application/vnd.amazon.eventstream"


def event_message(kind: str, payload: bytes) -> bytes:
    """An event of that type, whose payload is JSON."""
    return message({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception_message(kind: str, payload: bytes) -> bytes:
    """How a stream reports that it failed: its last message."""
    return message(
        {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload
    )


def message(headers: dict[str, str], payload: bytes) -> bytes:
    """Length of all, length of the headers, their checksum; headers; payload; the checksum of all before it."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    total = _PRELUDE_BYTES + len(head) + len(payload) + _CHECKSUM_BYTES
    lengths = total.to_bytes(4) + len(head).to_bytes(4)
    unsummed = lengths + zlib.crc32(lengths).to_bytes(4) + head + payload
    return unsummed + zlib.crc32(unsummed).to_bytes(4)


def _header(name: str, value: str) -> bytes:
    return bytes((len(name),)) + name.encode() + bytes((_STRING,)) + len(value).to_bytes(2) + value.encode()
