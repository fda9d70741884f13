"""Owns Cost: a usage times a price, exact until it is rounded once. Pure integer arithmetic, no lookups."""

from collections.abc import Iterable
from itertools import compress

import msgspec
from msgspec.structs import astuple

from pricing.money import AttoUSD, round_attousd
from pricing.rates import BUCKETS, Price
from pricing.usage import INPUT_TOKENS, Usage

_INPUT_AUDIO_MS = BUCKETS.index("input_audio_ms")


class Cost(msgspec.Struct, frozen=True, gc=False):
    """An exact amount. With `unpriced_buckets` it is a lower bound: those counted something that has no rate."""

    attousd: AttoUSD
    unpriced_buckets: tuple[str, ...] = ()

    @property
    def nanousd(self) -> int:
        """The amount in nano-USD, rounded half to even; read it once, from the sum of a call's lines."""
        return round_attousd(self.attousd)

    @property
    def complete(self) -> bool:
        return not self.unpriced_buckets

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.attousd + other.attousd, _union(self.unpriced_buckets, other.unpriced_buckets))


def cost(usage: Usage, price: Price, each_in: int | None = None) -> Cost:
    """What the usage costs at that price: the call's fee, if any, and the sum over its buckets.

    `each_in`: the usage is the sum of calls of so many input tokens each, which are billed by their own length.
    """
    counts = astuple(usage)
    rates = price.rates
    if price.cliffs:
        rates = price.rates_at(sum(counts[INPUT_TOKENS]) if each_in is None else each_in)
    if price.input_audio_ms_min and counts[_INPUT_AUDIO_MS]:
        counts = _at_least(counts, price.input_audio_ms_min)
    total = price.per_call_attousd
    unpriced: tuple[str, ...] = ()
    # Two or three of the buckets count anything: the others are passed over without a step of the loop.
    for count, rate in compress(zip(counts, rates), counts):  # noqa: B905 - strict costs a tenth; same length
        if rate is None:
            unpriced = _unpriced(counts, rates)
        else:
            total += count * rate
    return Cost(total, unpriced)


def charged_by(usage: Usage, price: Price, charged_nanousd: int | None) -> int:
    """The length, in input tokens, by which a usage's rates are chosen so that it comes to what was charged.

    Its own, unless only another comes to that: then it was a sum of calls of such a length, as a batch is.
    """
    lengths = (usage.tokens_in, 0, *(edge + 1 for edge, _ in price.cliffs if edge < usage.tokens_in))
    return next((one for one in lengths if cost(usage, price, one).nanousd == charged_nanousd), usage.tokens_in)


def total(costs: Iterable[Cost]) -> Cost:
    """The exact sum of a call's lines, which may be of several models."""
    return sum(costs, start=Cost(0))


def _at_least(counts: tuple[int, ...], input_audio_ms: int) -> tuple[int, ...]:
    billed = max(counts[_INPUT_AUDIO_MS], input_audio_ms)
    return (*counts[:_INPUT_AUDIO_MS], billed, *counts[_INPUT_AUDIO_MS + 1 :])


def _unpriced(counts: tuple[int, ...], rates: tuple[AttoUSD | None, ...]) -> tuple[str, ...]:
    return tuple(bucket for bucket, count, rate in zip(BUCKETS, counts, rates, strict=True) if count and rate is None)


def _union(left: tuple[str, ...], right: tuple[str, ...]) -> tuple[str, ...]:
    return left + tuple(bucket for bucket in right if bucket not in left)
