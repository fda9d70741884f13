"""Owns what counts as a number of tokens, and how overlapping numbers are made disjoint. Knows no provider."""

from collections.abc import Iterable
from typing import Annotated

import msgspec

# No answer has a trillion of anything; sums of some thousand such numbers stay below 2^53.
COUNT_MAX = 10**12

# A count as providers must report it: an integer, not negative, not a string, not a fraction.
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]

# The same, where a provider writes whole numbers as fractions: Titan's 6.0, Cohere's numbers by its schema.
WholeNumber = Annotated[float, msgspec.Meta(ge=0, le=COUNT_MAX, multiple_of=1)]
# A duration in seconds. A session lasts hours, never the 30 years that as many milliseconds are.
Seconds = Annotated[float, msgspec.Meta(ge=0, le=COUNT_MAX / 1000)]

INCONSISTENT = "usage_inconsistent"
# Such a usage has its output alone, and stays partial until the input is estimated.
INPUT_NOT_COUNTED = "input_not_counted"
PROVIDER_ERROR = "provider_error"
OUTPUT_ESTIMATED = "output_estimated"


class Contradiction(ValueError):
    """Numbers of one usage that cannot all be true."""


def check_total(stated: int | None, total: int) -> None:
    """Raises Contradiction where a total is stated that is another."""
    if stated is not None and stated != total:
        raise Contradiction(f"{stated} is not {total}")


def draw(pools: list[int], amount: int) -> list[int]:
    """Takes `amount` out of the pools, the first first, and says how much came from each; never more than they hold."""
    taken: list[int] = []
    for index, pool in enumerate(pools):
        part = min(pool, amount)
        pools[index] -= part
        amount -= part
        taken.append(part)
    return taken


def draw_parts(pools: list[int], amount: int, parts: Iterable[int]) -> list[int]:
    """Takes `amount` out of the pools, from each its part as far as it goes, and the rest from the first."""
    taken = [0] * len(pools)
    for place, part in enumerate(parts):
        taken[place] = min(part, pools[place], amount)
        pools[place] -= taken[place]
        amount -= taken[place]
    return [part + more for part, more in zip(taken, draw(pools, amount), strict=True)]


def milliseconds(seconds: float) -> int:
    """The nearest whole number of them."""
    return round(seconds * 1000)


def text_or_none(value: object) -> str | None:
    """The value if it is a non-empty string: what a provider states of itself must never cost us its numbers."""
    return value if isinstance(value, str) and value else None


def is_stated(member: msgspec.Raw) -> bool:
    """Whether a member left raw is there and not null."""
    return bytes(member) not in (b"", b"null")
