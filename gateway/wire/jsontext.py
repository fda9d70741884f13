"""Owns JSON as text: where its members lie, so that one can be edited and every other byte kept. Knows no meaning.

Two rules carry everything here: a quote that no backslash precedes opens or closes a string, and a
bracket outside strings opens or closes a value. The text is taken to be valid JSON; of other text
the functions return something or raise `NotJson`, in linear time and without recursion.
"""

import re
import sys
from typing import NamedTuple, TypeVar

import msgspec

_SPACE = re.compile(rb"[ \t\r\n]*")
# Groups are possessive, so that a hostile text costs neither time nor memory; but for Python before 3.11.5, which
# mismatches them (gh-106052; Debian 12 has 3.11.2). There a text of millions of escapes costs memory.
POSSESSIVE = b"+" if sys.version_info >= (3, 11, 5) else b""
_STRING = re.compile(rb'(?s)"(?:[^"\\]++|\\.)*%b"' % POSSESSIVE)
_SCALAR = re.compile(rb"[^\s,\]}]++")
# Everything up to the next bracket that is not inside a string.
_FLAT = re.compile(rb'(?s)(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*%b")*%b' % (POSSESSIVE, POSSESSIVE))
_REST_OF_STRING = re.compile(rb'(?s)(?:[^"\\]++|\\.)*%b' % POSSESSIVE)
_SURROGATE_ESCAPE = re.compile(rb"(?i)\\ud[89a-f][0-9a-f]{2}")
_OPENING = b"{["

T = TypeVar("T")


class NotJson(ValueError):
    """The text is not the JSON value it was taken for."""


class Member(NamedTuple):
    """One member of an object, as offsets: text[start:end] is `"key": value`, text[value:end] its value."""

    key: str
    start: int
    value: int
    end: int


def members(text: bytes, at: int = 0) -> list[Member]:
    """The members of the object that opens at or after blanks from `at`, in order, duplicates included."""
    at = _expect(text, at, b"{")
    found: list[Member] = []
    if text.startswith(b"}", at):
        return found
    while True:
        member = _member(text, at)
        found.append(member)
        at = _skip_space(text, member.end)
        if text.startswith(b"}", at):
            return found
        at = _expect(text, at, b",")


def _member(text: bytes, start: int) -> Member:
    key = _STRING.match(text, start)
    if key is None:
        raise NotJson(f"no member at byte {start}")
    value = _expect(text, key.end(), b":")
    return Member(_decoded(key[0]), start, value, _end_of_value(text, value))


def _decoded(key: bytes) -> str:
    try:
        return msgspec.json.decode(key, type=str)
    except ValueError:
        return key.decode("utf-8", "replace")


def _end_of_value(text: bytes, at: int) -> int:
    if text[at : at + 1] in (b"{", b"["):
        return _end_of_container(text, at)
    found = (_STRING if text.startswith(b'"', at) else _SCALAR).match(text, at)
    if found is None:
        raise NotJson(f"no value at byte {at}")
    return found.end()


def _end_of_container(text: bytes, at: int) -> int:
    depth = 0
    while at < len(text):
        depth += 1 if text[at] in _OPENING else -1
        at += 1
        if depth == 0:
            return at
        at = _after(_FLAT, text, at)
        if text[at : at + 1] not in (b"{", b"[", b"}", b"]"):
            break
    raise NotJson("a value has no end")


def _skip_space(text: bytes, at: int) -> int:
    return _after(_SPACE, text, at)


def _expect(text: bytes, at: int, mark: bytes) -> int:
    at = _skip_space(text, at)
    if not text.startswith(mark, at):
        raise NotJson(f"expected {mark.decode()} at byte {at}")
    return _skip_space(text, at + 1)


def _after(pattern: re.Pattern[bytes], text: bytes | bytearray, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def without_member(text: bytes, index: int, found: list[Member]) -> tuple[int, int]:
    """The span to cut so that member `index` of `found` and its one comma are gone."""
    if index + 1 < len(found):
        return found[index].start, found[index + 1].start
    return (found[index - 1].end if index else found[index].start), found[index].end


def decode(decoder: msgspec.json.Decoder[T], text: bytes) -> T:
    """The decoded value. Raises NotJson for what is no JSON, msgspec.ValidationError for JSON of another shape.

    Half a surrogate pair, which JavaScript writes and msgspec refuses, is read as U+FFFD.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError) as fault:
        mended = _SURROGATE_ESCAPE.sub(rb"\\ufffd", text)
        if mended == text:
            raise NotJson(str(fault)) from None
    return decode(decoder, mended)


def decode_member(decoder: msgspec.json.Decoder[T], member: msgspec.Raw) -> T:
    """The value of a member that was left raw, half surrogate pairs as in `decode`.

    Raises msgspec.ValidationError for one of another shape, and for one that is no JSON: msgspec does not look into
    what it leaves raw, so that bytes which are no UTF-8 show only now.
    """
    try:
        return decode(decoder, bytes(member))
    except NotJson as fault:
        raise msgspec.ValidationError(str(fault)) from None


class Elements:
    """Splits a streamed JSON array into its elements, which are objects, and holds only the incomplete one.

    `oversize` turns true when an element outgrew `element_bytes_max`; that element is not reported.
    """

    def __init__(self, element_bytes_max: int) -> None:
        self.oversize = False
        self._element_bytes_max = element_bytes_max
        self._text = bytearray()
        self._at = 0  # how much of the text has been scanned
        self._depth = 0  # 1 inside the array, 2 inside an element
        self._in_string = False
        self._skipping = False
        self.behind_bytes = 0  # how much was fed behind the last whole element; before there is one, all of it

    def feed(self, data: bytes) -> list[bytes]:
        """The elements complete now. Each byte is scanned once, whatever the chunks."""
        self._text += data
        self.behind_bytes += len(data)
        complete: list[bytes] = []
        while (end := self._next_mark()) is not None:
            self._at = end + 1
            if self._text[end] in _OPENING:
                self._open(end)
            elif element := self._close():
                complete.append(element)
        self._bound()
        return complete

    def _next_mark(self) -> int | None:
        """The offset of the next bracket outside strings; None when the text ends before it."""
        if not self._in_string:
            self._at = _after(_FLAT, self._text, self._at)
            if not self._text.startswith(b'"', self._at):
                return self._at if self._at < len(self._text) else None
            self._in_string = True
            self._at += 1
        self._at = _after(_REST_OF_STRING, self._text, self._at)
        if not self._text.startswith(b'"', self._at):
            return None
        self._in_string = False
        self._at += 1
        return self._next_mark()

    def _open(self, at: int) -> None:
        self._depth += 1
        if self._depth == 2:
            del self._text[:at]
            self._at = 1

    def _close(self) -> bytes:
        self._depth -= 1
        if self._depth != 1:
            return b""
        element = b"" if self._skipping else bytes(self._text[: self._at])
        del self._text[: self._at]
        self.behind_bytes = len(self._text)
        self._at, self._skipping = 0, False
        return element

    def _bound(self) -> None:
        if len(self._text) > self._element_bytes_max:
            self.oversize = True
            self._skipping = self._depth > 1
            del self._text[: self._at]
            self._at = 0
