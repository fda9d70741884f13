"""Owns Price: one exact rate per bucket of Usage, compiled from a sheet of published unit prices.

Publishers price *units* that nest (audio input within input, one-hour writes within cache writes);
Usage has *buckets* that do not. Here each bucket is tied, once per price, to the most specific unit
that prices it, so that a cost is a dot product. Knows no model names, no dates and no providers.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal, NamedTuple

import msgspec

from pricing.money import ATTOUSD_PER_USD, AttoUSD
from pricing.usage import Usage

Match = Literal["exact", "alias", "mapped", "override"]
Rates = tuple[AttoUSD | None, ...]
Unit = frozenset[tuple[str, str]]

BUCKETS = Usage.__struct_fields__
ALWAYS_S = 2**63 - 1  # the end of a price without one
REQUEST: Unit = frozenset({("family", "requests")})  # priced once per call, whatever the usage


def _unit(**dimensions: str) -> Unit:
    return frozenset(dimensions.items())


def _tokens(direction: str, modality: str, token_type: str = "", cache_ttl: str = "") -> Unit:
    unit = {"family": "tokens", "direction": direction, "modality": modality}
    unit |= {"token_type": token_type} if token_type else {}
    unit |= {"cache_ttl": cache_ttl} if cache_ttl else {}
    return _unit(**unit)


# What a bucket counts, in genai-prices' dimensions (its data_units.py). A unit prices every bucket whose
# dimensions include its own: `input_mtok` = {tokens, input} is the price of audio input that has none.
UNITS: Mapping[str, Unit] = {
    "input_text": _tokens("input", "text"),
    "input_audio": _tokens("input", "audio"),
    "input_image": _tokens("input", "image"),
    "input_video": _tokens("input", "video"),
    "cache_read_text": _tokens("input", "text", "cache_read"),
    "cache_read_audio": _tokens("input", "audio", "cache_read"),
    "cache_read_image": _tokens("input", "image", "cache_read"),
    "cache_read_video": _tokens("input", "video", "cache_read"),
    # No provider splits its cache writes by modality; they are priced as text.
    "cache_write": _tokens("input", "text", "cache_write"),
    "cache_write_5m": _tokens("input", "text", "cache_write", "5m"),
    "cache_write_30m": _tokens("input", "text", "cache_write", "30m"),
    "cache_write_1h": _tokens("input", "text", "cache_write", "1h"),
    "cache_write_12h": _tokens("input", "text", "cache_write", "12h"),
    "output_text": _tokens("output", "text"),
    "output_reasoning": _tokens("output", "text", "reasoning"),
    "output_audio": _tokens("output", "audio"),
    "output_image": _tokens("output", "image"),
    "output_video": _tokens("output", "video"),
    "output_citation": _tokens("output", "text", "citation"),
    "web_searches": _unit(family="tool_calls", tool_type="web_search"),
    "file_searches": _unit(family="tool_calls", tool_type="storage_search"),
    "input_characters": _unit(family="characters", direction="input"),
    "input_audio_ms": _unit(family="durations", direction="input", modality="audio"),
    "input_pages": _unit(family="document_pages", direction="input"),
    "input_annotated_pages": _unit(family="document_pages", direction="input", page_type="annotated"),
    "input_messages": _unit(family="messages", direction="input", modality="text"),
    "output_audio_ms": _unit(family="durations", direction="output", modality="audio"),
    "rerank_searches": _unit(family="rerank"),  # no published model has a price for it yet
    "input_images": _unit(family="images", direction="input"),  # of ours alone: only overrides price it
    "input_pixels": _unit(family="pixels", direction="input"),
    # Of these genai-prices has no unit: only an override prices them.
    "output_images": _unit(family="images", direction="output"),
    "trained_tokens": _unit(family="training", direction="input"),
}

# What a unit must say to price a bucket, where inheriting would be wrong. OpenAI bills a twelve-hour write at
# twice the rate of a plain one, and genai-prices has no unit for it: `cache_write` would halve the bill.
_NEVER_INHERITED: Mapping[str, tuple[str, str]] = {"cache_write_12h": ("cache_ttl", "12h")}

# A unit of duration is the second, its bucket the millisecond. One is one for all others.
BUCKETS_PER_UNIT: Mapping[str, int] = {"input_audio_ms": 1000, "output_audio_ms": 1000}


class Sheet(NamedTuple):
    """Published prices: USD for one of each unit, at every level of the total input.

    `edges` ascend; level 0 holds up to and including edges[0] input tokens, level i above edges[i - 1].
    A level applies to the whole call (a cliff, not a bracket).
    """

    edges: tuple[int, ...]
    usd: Mapping[Unit, tuple[Fraction, ...]]

    def scaled(self, factor: Fraction, *, tokens_only: bool = False) -> "Sheet":
        """The same sheet at `factor` times its prices, or times its token prices alone."""
        return Sheet(
            self.edges,
            {
                unit: levels
                if tokens_only and ("family", "tokens") not in unit
                else tuple(usd * factor for usd in levels)
                for unit, levels in self.usd.items()
            },
        )

    def overlaid(self, usd: Mapping[Unit, Fraction]) -> "Sheet":
        """The same sheet with some units at a flat price of their own, on every level."""
        levels = len(self.edges) + 1
        return Sheet(self.edges, {**self.usd, **{unit: (price,) * levels for unit, price in usd.items()}})


EMPTY_SHEET = Sheet((), {})
FREE_SHEET = EMPTY_SHEET.overlaid(
    {_unit(family="tokens", direction=direction): Fraction(0) for direction in ("input", "output")}
)


class Price(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one model costs in [starts_at_s, ends_at_s). Rates are atto-USD each, in the order of Usage's fields.

    A rate is None where the bucket has no price, which is not the same as 0. `cliffs` are (input tokens,
    rates) from the highest down: the rates hold for the whole call when its input is above that many.
    """

    provider: str
    model: str  # as the catalog, or the override, names it
    match: Match
    rates: Rates
    cliffs: tuple[tuple[int, Rates], ...] = ()
    per_call_attousd: AttoUSD = 0
    input_audio_ms_min: int = 0  # audio shorter than this is billed as this
    starts_at_s: int = 0
    ends_at_s: int = ALWAYS_S

    def rates_at(self, tokens_in: int) -> Rates:
        for edge, rates in self.cliffs:
            if tokens_in > edge:
                return rates
        return self.rates


def compile_rates(sheet: Sheet) -> tuple[Rates, tuple[tuple[int, Rates], ...]]:
    """The base rates and the cliffs of a Price for this sheet."""
    levels = [tuple(_bucket_rate(bucket, sheet, level) for bucket in BUCKETS) for level in range(len(sheet.edges) + 1)]
    return levels[0], tuple(reversed(list(zip(sheet.edges, levels[1:], strict=True))))


def per_call_attousd(sheet: Sheet) -> AttoUSD:
    """The fee of every call beside its usage (Perplexity's request fee); 0 where there is none."""
    usd = sheet.usd.get(REQUEST)
    return _attousd(usd[0]) if usd else 0


def _bucket_rate(bucket: str, sheet: Sheet, level: int) -> AttoUSD | None:
    required = _NEVER_INHERITED.get(bucket)
    priced = [unit for unit in sheet.usd if unit <= UNITS[bucket] and (required is None or required in unit)]
    if not priced:
        return None
    # Published sheets leave one most specific unit (genai-prices checks it); where an override makes two
    # of them, the dearer.
    _, usd = max((len(unit), sheet.usd[unit][level]) for unit in priced)
    return _attousd(usd / BUCKETS_PER_UNIT.get(bucket, 1))


def _attousd(usd: Fraction) -> AttoUSD:
    exact = usd * ATTOUSD_PER_USD
    return exact.numerator if exact.denominator == 1 else exact
