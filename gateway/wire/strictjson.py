"""Owns whether a request's body is JSON that every parser reads alike. Knows no member's meaning.

The gateway judges a body and forwards its bytes, so that a body two parsers could read differently would be judged as
one thing and served as another: two members of one name, half a surrogate pair, a number that is cut, another
character set. Such a body is refused. Sources: RFC 8259 §4, §6, §8; RFC 7493.
"""

import json
import re
from typing import Any

import msgspec

from gateway.wire.peek import Malformed

# Providers' own parsers stop at 64 (System.Text.Json), 100 (protobuf) or 128 (serde_json); Python's would at 1000.
DEPTH_MAX = 128
# OpenAI takes 300,000 tokens in one request for embeddings, and each may be a value. In memory a value of two or three
# bytes is up to 72, so this bounds what the check of a body takes beside the body to some 40 MB.
VALUES_MAX = 500_000

# A parameter may be empty (RFC 9110 §5.6.6): some write "application/json;".
_JSON_TYPE = re.compile(
    rb"(?i)(?:application/(?:[a-z0-9!#$&^_.-]+\+)?json|text/json|text/plain)[ \t]*"
    rb'(?:;[ \t]*charset="?utf-?8"?[ \t]*)?;?[ \t]*'
)
_SURROGATE_ESCAPE = re.compile(rb"(?i)\\ud[89a-f]")
_CONTAINERS: frozenset[type] = frozenset((dict, list))
_first = msgspec.json.Decoder(dict[str, Any])
_packed = msgspec.msgpack.Encoder()
_canonical = msgspec.json.Encoder()


class _RepeatedName(ValueError):
    """An object has two members of one name."""


def check_type(content_type: bytes | None) -> Malformed | None:
    """What is wrong with the content-type of a body that was taken for JSON: a provider gives it to another parser.

    So OpenAI finds no `model` in JSON that is declared as a form. Without a content-type all read JSON.
    """
    if content_type in (None, b"application/json") or _JSON_TYPE.fullmatch(content_type):
        return None
    return Malformed("The body must be JSON, in UTF-8: send content-type: application/json, once")


def read(text: bytes) -> dict[str, Any] | Malformed:
    """The object that every parser reads a request's body as, or what is wrong with it.

    The text that msgspec itself would write proves itself: no name twice, no blanks, no escapes to differ about. That
    is what the official SDKs send, at 6 µs for 1 KB and 2 ms for each MB. Any other is read a second time.
    """
    containers = text.count(b"[") + text.count(b"{")
    if len(text) > VALUES_MAX and _has_too_many_values(text, containers):
        return Malformed(f"The request body has more than {VALUES_MAX} values")
    try:
        value = _first.decode(text)
    except (ValueError, RecursionError) as fault:
        return _not_json(text, fault)
    if containers > DEPTH_MAX and _is_too_deep(value):
        return _too_deep()
    # Go's encoding/json, behind which many servers stand, takes `Model` and `ſtream` for `model` and `stream`.
    # Names in small letters, as every API has them, differ in more than their case.
    names = "".join(value)
    if not (names.isascii() and names.islower()) and len({*map(str.casefold, value)}) < len(value):
        return Malformed("Two members of the request body differ in the case of their names alone")
    try:
        _packed.encode(value)  # knows no integer beyond 64 bits, and is the fastest way to look at all of them
    except OverflowError:
        return Malformed("The request body has an integer of more than 64 bits")
    if _canonical.encode(value) == text:
        return value
    return _fault_of_repeats(text) or value


def _fault_of_repeats(text: bytes) -> Malformed | None:
    """What a second parser finds, which is shown every member, the repeated ones too."""
    try:
        _second.decode(text.decode())
    except _RepeatedName:
        return Malformed("An object in the request body has two members of the same name")
    except (ValueError, RecursionError) as fault:
        return Malformed(f"The request body is not valid JSON for every parser: {type(fault).__name__}")
    return None


def _distinct(members: list[tuple[str, Any]]) -> None:
    if len(dict(members)) < len(members):
        raise _RepeatedName


_second = json.JSONDecoder(object_pairs_hook=_distinct)


def _has_too_many_values(text: bytes, containers: int) -> bool:
    """Whether it may have. Marks inside strings are told from others only where there are many."""
    if text.count(b",") + containers <= VALUES_MAX:
        return False
    outside = _without_strings(text)
    return outside.count(b",") + outside.count(b"[") + outside.count(b"{") > VALUES_MAX


def _without_strings(text: bytes) -> bytes:
    """What stands outside strings, as far as the text is JSON."""
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(unescaped.split(b'"')[::2])


def _is_too_deep(value: dict[str, Any]) -> bool:
    level: list[dict[str, Any] | list[Any]] = [value]
    for _ in range(DEPTH_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return False
    return True


def _too_deep() -> Malformed:
    return Malformed(f"The request body is nested deeper than {DEPTH_MAX} levels")


def _not_json(text: bytes, fault: Exception) -> Malformed:
    """In the parser's words, which say where and quote nothing; but for the faults it has no good word for."""
    if isinstance(fault, RecursionError):
        return _too_deep()
    if isinstance(fault, UnicodeDecodeError):
        return Malformed("The request body is not valid UTF-8")
    if _SURROGATE_ESCAPE.search(text):
        return Malformed(f"The request body is not valid JSON, or has half of a surrogate pair: {fault}")
    return Malformed(f"The request body is not valid JSON: {fault}")
