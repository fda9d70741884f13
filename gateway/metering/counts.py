"""Owns what counts as a number of tokens, and how overlapping numbers are made disjoint. Knows no provider."""

from typing import Annotated

import msgspec

# No answer has a trillion of anything; sums of some thousand such numbers stay below 2^53.
COUNT_MAX = 10**12

# A count as providers must report it: an integer, not negative, not a string, not a fraction.
Count = Annotated[int, msgspec.Meta(ge=0, le=COUNT_MAX)]

# The same, where a provider writes whole numbers as fractions: Titan's 6.0, Cohere's numbers by its schema.
WholeNumber = Annotated[float, msgspec.Meta(ge=0, le=COUNT_MAX, multiple_of=1)]

INCONSISTENT = "usage_inconsistent"
# Such a usage has its output alone, and stays partial until the input is estimated.
INPUT_NOT_COUNTED = "input_not_counted"
PROVIDER_ERROR = "provider_error"


def draw(pools: list[int], amount: int) -> list[int]:
    """Takes `amount` out of the pools, the first first, and says how much came from each; never more than they hold."""
    taken: list[int] = []
    for index, pool in enumerate(pools):
        part = min(pool, amount)
        pools[index] -= part
        amount -= part
        taken.append(part)
    return taken


def text_or_none(value: object) -> str | None:
    """The value if it is a non-empty string: what a provider states of itself must never cost us its numbers."""
    return value if isinstance(value, str) and value else None


def is_stated(member: msgspec.Raw) -> bool:
    """Whether a member left raw is there and not null."""
    return bytes(member) not in (b"", b"null")
