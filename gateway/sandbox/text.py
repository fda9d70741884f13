"""Owns what the simulated model writes and how it counts. Knows no dialect and no price.

Every word is one token of both OpenAI encodings, with and without a space before it, so that the tokens
billed for a text are exactly its words, whoever counts them.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count, islice

import msgspec

# 64 words, so that the low six bits of a hash byte choose one evenly.
_WORD_LIST = """
    time year way day thing man world life hand part place case week work fact group number night point home
    water room area money story lot right study book eye job word business issue side kind head house service
    friend father power hour game line end law car city name team idea body back face level office door health
    person art war history party
"""
WORDS = tuple(_WORD_LIST.split())
assert len(WORDS) == 64


def seed_of(*parts: object) -> bytes:
    """32 bytes that stand for a request: equal for equal prompts, whatever else the request says."""
    return hashlib.sha256(msgspec.json.encode(parts, order="deterministic")).digest()


def write_words(seed: bytes) -> Iterator[str]:
    """Words without end, one token each; all but the first begin with their space."""
    chosen = (WORDS[byte & 63] for block in count() for byte in hashlib.sha256(seed + block.to_bytes(4)).digest())
    yield next(chosen)
    for word in chosen:
        yield " " + word


def write_chunks(seed: bytes, tokens: int, chunk_tokens: int) -> Iterator[tuple[str, int]]:
    """A text of that many tokens in pieces: (text, its tokens)."""
    words = islice(write_words(seed), tokens)
    while piece := tuple(islice(words, chunk_tokens)):
        yield "".join(piece), len(piece)


def write_vector(seed: bytes, dimensions: int) -> list[float]:
    """Numbers in [-1, 1): eighths, exact in every float format."""
    blocks = (hashlib.sha256(seed + b"v" + block.to_bytes(4)).digest() for block in count())
    return [((byte & 15) - 8) / 8 for byte in islice((byte for block in blocks for byte in block), dimensions)]


def rank(query: str, documents: Sequence[object]) -> list[tuple[int, float]]:
    """(index, relevance in [0, 1)) of each document, the best first: of the texts alone."""
    scored = [(index, seed_of(query, document)[0] / 256) for index, document in enumerate(documents)]
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def count_tokens(value: object) -> int:
    """Tokens of every string within a JSON value: four bytes each, rounded up. Structure is free."""
    if isinstance(value, str):
        return (len(value.encode()) + 3) // 4
    if isinstance(value, list):
        return sum(map(count_tokens, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return sum(map(count_tokens, value.values()))  # pyright: ignore[reportUnknownArgumentType]
    return 0


def split_prompts(given: str | list[str | int | list[int]]) -> list[str | list[int]]:
    """What completions and embeddings take, one by one: texts or lists of token numbers; bare numbers are one."""
    if isinstance(given, str):
        return [given]
    numbers = [part for part in given if isinstance(part, int)]
    return [numbers] if numbers else [part for part in given if not isinstance(part, int)]


def count_prompt(prompt: str | list[int]) -> int:
    return count_tokens(prompt) if isinstance(prompt, str) else len(prompt)
