"""Owns counting tokens without a network: OpenAI's vocabularies, from the data of the bpe-openai package.

Its encoder is linear whatever the text (300 kB of one letter: 21 ms, tiktoken: 450 ms), and counts the
same. The vocabularies load on first use, in about half a second and 75 MB each: never on the event loop.
"""

import warnings
from collections.abc import Callable
from functools import cache
from math import ceil

# One call to the encoder keeps the interpreter to itself; this much text takes it a third of a millisecond.
PIECE_CHARACTERS = 8192


def count(text: str, encoding: str) -> int:
    """Tokens of the text. Cutting a long one into pieces can only add: at most one token for each cut."""
    encode = _encoder(encoding)
    pieces = (text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS))
    return sum(len(encode(piece)) for piece in pieces)


def scale(tokens: int, numerator: int, denominator: int) -> int:
    """`tokens` times a ratio, rounded up."""
    return ceil(tokens * numerator / denominator)


@cache  # Two vocabularies at most: those that estimate.py names.
def _encoder(encoding: str) -> Callable[[str], list[int]]:
    with warnings.catch_warnings():  # bpe-openai 0.1.4 opens its data by importlib.resources.open_binary.
        warnings.simplefilter("ignore", DeprecationWarning)
        from bpe_openai import get_encoding  # pyright: ignore[reportMissingTypeStubs]

        return get_encoding(encoding).encode_ordinary
