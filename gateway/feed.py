"""Owns how the lines of one answer of the control plane are read, and which of them are believed. Sans-I/O.

An answer is believed line by line: each is signed, answers this very question and follows the one before. After one
that does not, nothing more of the answer is.
"""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from gateway.contract.publishing import ITEMS_MAX, Forged, Part, unseal

# Two hundred items with a map of deployments each would be ten times as much; those of keys are a tenth of a megabyte.
LINE_BYTES_MAX = 8 << 20

_Bytes = TypeVar("_Bytes", bytes, bytearray)


class Feed:
    """The lines of one answer. `version` is that of the policy which is known already."""

    def __init__(self, keys: Mapping[str, bytes], nonce: str, version: int) -> None:
        self._keys = keys
        self._nonce = nonce
        self._version = version
        self._number = 0
        self._buffer = bytearray()
        self.complete = True  # no part waits for another

    def read(self, data: bytes) -> Iterator[Part]:
        """The parts whose lines end in these bytes. Raises Forged, and is of no use from then on."""
        searched = len(self._buffer)
        self._buffer += data
        begin = 0
        while (end := self._buffer.find(b"\n", max(begin, searched))) >= 0:
            line = bytes(self._buffer[begin : end + 1])
            begin = end + 1
            yield self._believed(unseal(_bounded(line), self._keys))
        del self._buffer[:begin]
        _bounded(self._buffer)

    def _believed(self, part: Part) -> Part:
        if part.nonce != self._nonce:
            raise Forged("the line answers another question")
        if part.number != self._number:
            raise Forged("a line is missing, or comes twice")
        if part.version < self._version and not part.reset:
            raise Forged("the line leads back to an older policy")
        if len(part.items) > ITEMS_MAX:
            raise Forged(f"the line has more than {ITEMS_MAX} items")
        self._number += 1
        self._version = part.version
        self.complete = part.complete
        return part


def _bounded(line: _Bytes) -> _Bytes:
    if len(line) > LINE_BYTES_MAX:
        raise Forged(f"a line is longer than {LINE_BYTES_MAX} bytes")
    return line
