"""Owns Flow: at most how many output tokens a stream has brought so far, while it passes.

A token of a byte-level vocabulary is a byte of text at least, so the bytes of what the model wrote bound its tokens;
escapes only add to them. What a tool's call costs beside its text is added. Output that does not show in a stream,
such as hidden reasoning, is not seen here: calls that may have it hold all of it before.
"""

import re

from gateway.metering.estimate import APIS

# An event that ends with this one is held until the next bytes; more of it is counted byte by byte.
HELD_BYTES_MAX = 64 * 1024


class Flow:
    """Fed the decoded bytes of one stream, in any pieces."""

    def __init__(self, reader: str) -> None:
        api = APIS.get(reader)
        self.tokens_max = 0
        self._written: tuple[re.Pattern[bytes], ...] = api.written if api is not None else ()
        self._call = api.call if api is not None else b""
        self._call_tokens = api.call_tokens if api is not None else 0
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Counts whole lines, and keeps one that is not yet whole."""
        if not self._written:
            self.tokens_max += len(data)
            return
        lines, end, rest = (self._held + data).rpartition(b"\n")
        if end:
            self._count(lines)
        self._held = rest
        if len(rest) > HELD_BYTES_MAX:
            self.tokens_max += len(rest)
            self._held = b""

    def _count(self, lines: bytes) -> None:
        for written in self._written:
            # Less the quotes that each literal has.
            self.tokens_max += sum(len(literal) - 2 for literal in written.findall(lines))
        if self._call:
            self.tokens_max += lines.count(self._call) * self._call_tokens
