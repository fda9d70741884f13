"""Owns Usage: what one answer consumed, in disjoint billing buckets. Knows no prices and no providers.

Providers report overlapping numbers (cached within input for one, beside it for another); a reader
turns them into these buckets, each token in exactly one, so that a cost is a plain sum.
"""

from collections.abc import Iterator
from itertools import compress
from operator import add

import msgspec
from msgspec.structs import astuple


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Counts per bucket; tokens unless the name says otherwise. An unknown usage is `None`, never `Usage()`.

    The order of the fields is the order of every rate table in pricing/rates.py; new buckets go at the end.
    """

    # Input that no cache served, by modality.
    input_text: int = 0
    input_audio: int = 0
    input_image: int = 0
    input_video: int = 0
    # Input read from a prompt cache.
    cache_read_text: int = 0
    cache_read_audio: int = 0
    cache_read_image: int = 0
    cache_read_video: int = 0
    # Input written to a prompt cache, by time to live; `cache_write` where the provider states none.
    cache_write: int = 0
    cache_write_5m: int = 0
    cache_write_30m: int = 0
    cache_write_1h: int = 0
    cache_write_12h: int = 0
    # Output. Reasoning (thinking, thoughts) is never part of `output_text`.
    output_text: int = 0
    output_reasoning: int = 0
    output_audio: int = 0
    output_image: int = 0
    output_video: int = 0
    output_citation: int = 0
    # Other meters.
    web_searches: int = 0
    file_searches: int = 0
    input_characters: int = 0
    input_audio_ms: int = 0
    input_pages: int = 0
    input_annotated_pages: int = 0
    input_messages: int = 0
    output_audio_ms: int = 0
    rerank_searches: int = 0
    input_images: int = 0
    input_pixels: int = 0
    output_images: int = 0
    trained_tokens: int = 0

    @property
    def tokens_in(self) -> int:
        """All input tokens: uncached, read from cache and written to cache."""
        return sum(astuple(self)[INPUT_TOKENS])

    @property
    def tokens_out(self) -> int:
        """All output tokens, reasoning included."""
        return sum(astuple(self)[OUTPUT_TOKENS])

    def buckets(self) -> Iterator[tuple[str, int]]:
        """The non-zero buckets, in the order of the fields."""
        counts = astuple(self)
        return compress(zip(self.__struct_fields__, counts, strict=True), counts)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*map(add, astuple(self), astuple(other)))


# Where the tokens stand among the fields, for whoever has taken a usage apart.
INPUT_TOKENS = slice(0, Usage.__struct_fields__.index("output_text"))
OUTPUT_TOKENS = slice(INPUT_TOKENS.stop, Usage.__struct_fields__.index("web_searches"))
