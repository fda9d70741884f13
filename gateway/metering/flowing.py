"""Owns Flow: at most how many output tokens a stream has brought so far, while it passes.

A token of a byte-level vocabulary is a byte of text at least, so the bytes of what the model wrote bound its tokens;
escapes only add to them. What a tool's call costs beside its text is added. Output that does not show in a stream,
such as hidden reasoning, is not seen here: calls that may have it hold all of it before.
"""

import re
from binascii import Error, a2b_base64

from gateway.metering.estimate import APIS
from gateway.wire import eventstream

# An event that ends with this one is held until the next bytes; more of it is counted byte by byte.
HELD_BYTES_MAX = 64 * 1024
# Whose streams are binary frames, in which a line never ends; of the second, what a model says is base64 in JSON.
_FRAMED = frozenset(("bedrock.converse", "bedrock.invoke"))
_IN_BASE64 = re.compile(rb'"bytes"\s*:\s*"([A-Za-z0-9+/=]*)"')


class Flow:
    """Fed the decoded bytes of one stream, in any pieces."""

    def __init__(self, reader: str) -> None:
        api = APIS.get(reader)
        self.tokens_max = 0
        self._written: tuple[re.Pattern[bytes], ...] = api.written if api is not None else ()
        self._call = api.call if api is not None else b""
        self._call_tokens = api.call_tokens if api is not None else 0
        self._held = b""
        self._frames = eventstream.Splitter(HELD_BYTES_MAX) if reader in _FRAMED else None

    def feed(self, data: bytes) -> None:
        """Counts whole lines, and keeps one that is not yet whole."""
        if not self._written:
            self.tokens_max += len(data)
            return
        if self._frames is not None:
            self._feed_frames(self._frames, data)
            return
        lines, end, rest = (self._held + data).rpartition(b"\n")
        if end:
            self._count(lines)
        self._held = rest
        if len(rest) > HELD_BYTES_MAX:
            self.tokens_max += len(rest)
            self._held = b""

    def _feed_frames(self, frames: eventstream.Splitter, data: bytes) -> None:
        """What is no frame, or too long for one, is counted by its bytes from there on."""
        for frame in frames.feed(data):
            payload = frame.payload
            self._count(b"".join((payload, *map(_decoded, _IN_BASE64.findall(payload)))))
        if frames.malformed or frames.oversize:
            self._frames, self._written = None, ()
            self.tokens_max += len(data)

    def _count(self, lines: bytes) -> None:
        for written in self._written:
            # Less the quotes that each literal has.
            self.tokens_max += sum(len(literal) - 2 for literal in written.findall(lines))
        if self._call:
            self.tokens_max += lines.count(self._call) * self._call_tokens


def _decoded(text: bytes) -> bytes:
    try:
        return a2b_base64(text)
    except Error:
        return b""  # no model's words
