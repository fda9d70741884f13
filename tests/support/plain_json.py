"""Owns the rules for a request's JSON body once more, plain and slow: what the strict reader is compared with."""

import json
import math
from typing import Any

from gateway.wire.strictjson import DEPTH_MAX, VALUES_MAX


def reads_alike(text: bytes) -> bool:
    """Whether every parser reads that text alike, and as an object."""
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=_members, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
        _look_at(value, 1)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or len({name.casefold() for name in value}) < len(value):
        return False
    return _count(value) <= VALUES_MAX


def _members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise ValueError("two of one name")
    return dict(members)


def _integer(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ValueError("more than 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("beyond a double")
    return number


def _constant(word: str) -> float:
    raise ValueError(word)


def _look_at(value: Any, depth: int) -> None:
    if isinstance(value, str):
        value.encode()  # half a surrogate pair has no encoding
    elif isinstance(value, dict | list):
        if depth > DEPTH_MAX:
            raise ValueError("too deep")
        for inner in value if isinstance(value, list) else [*value, *value.values()]:
            _look_at(inner, depth + 1)


def _count(value: Any) -> int:
    """The commas and opening brackets of the value's text."""
    if not isinstance(value, dict | list):
        return 0
    inner = value if isinstance(value, list) else value.values()
    return 1 + max(0, len(value) - 1) + sum(map(_count, inner))
