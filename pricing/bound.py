"""Owns Bound: the most a call can cost, from the most it can use and the prices it may be billed at. Pure.

Every token counts as the dearest that it may turn out to be, at the dearest price that may hold. A discount that may
not come (a cache, a flexible tier) is never counted on.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from pricing.money import AttoUSD, ceil_attousd
from pricing.rates import BUCKETS, Price, Rates
from pricing.usage import Usage

_NO_USAGE = Usage()
_PLACE = {bucket: place for place, bucket in enumerate(BUCKETS)}


class Most(msgspec.Struct, frozen=True, gc=False):
    """The most a call can use. All of its input, read from a cache or not, may be billed as any of `input_buckets`."""

    tokens_in: int
    tokens_out: int
    # What tokens may be billed as besides text; input may come from a cache in each of its modalities.
    input_buckets: tuple[str, ...] = ()
    output_buckets: tuple[str, ...] = ()
    other: Usage = Usage()  # searches, pages, seconds: what is no token


class Bound(msgspec.Struct, frozen=True, gc=False):
    """No call costs more: so much whatever it puts out, and so much for each token that it does."""

    fixed_attousd: AttoUSD
    output_attousd_per_token: AttoUSD = 0

    def nanousd(self, tokens_out: int) -> int:
        """The most in nano-USD, rounded up, where at most so many tokens are put out."""
        return ceil_attousd(self.fixed_attousd + tokens_out * self.output_attousd_per_token)

    def __or__(self, other: "Bound") -> "Bound":
        """A bound of both."""
        return Bound(
            max(self.fixed_attousd, other.fixed_attousd),
            max(self.output_attousd_per_token, other.output_attousd_per_token),
        )


class Unbounded(msgspec.Struct, frozen=True, gc=False):
    """Nothing bounds the cost of a call, and why: words for its caller, which name the way out."""

    reason: str


NOTHING = Bound(0)


def bound(most: Most, prices: Sequence[Price]) -> Bound | Unbounded:
    """The bound of a call that may be billed at any of the prices, of which there is at least one."""
    assert prices, "a call without a price has no bound"
    inputs = _input_places(most.input_buckets) if most.tokens_in else ()
    outputs = _places(("output_text", *most.output_buckets)) if most.tokens_out else ()
    total = NOTHING
    for price in prices:
        other = () if most.other == _NO_USAGE else tuple(_billed(most.other, price).buckets())
        places = (*inputs, *outputs, *(_PLACE[bucket] for bucket, _ in other))
        for rates in _reachable(price, most.tokens_in):
            fault = _fault(rates, places, price)
            if fault is not None:
                return fault
            input_attousd = most.tokens_in * _dearest(rates, inputs)
            other_attousd = sum(count * (rates[_PLACE[bucket]] or 0) for bucket, count in other)
            total |= Bound(price.per_call_attousd + input_attousd + other_attousd, _dearest(rates, outputs))
    return total


def _reachable(price: Price, tokens_in: int) -> Iterator[Rates]:
    """The rates of every length of input up to `tokens_in`: the actual one may be shorter, and dearer for it."""
    yield price.rates
    for edge, rates in price.cliffs:
        if tokens_in > edge:
            yield rates


def _fault(rates: Rates, places: tuple[int, ...], price: Price) -> Unbounded | None:
    """What may be billed and has no rate, or one below zero, which says that it varies."""
    for place in places:
        rate = rates[place]
        if rate is None:
            return Unbounded(f"{price.model!r} has no price for {BUCKETS[place]}: state a rate in price_overrides")
        if rate < 0:
            return Unbounded(f"the price of {price.model!r} varies: state a rate in price_overrides")
    return None


# The same few combinations of buckets are asked for by every call: some for each API, with and without attachments.
@lru_cache(maxsize=256)
def _input_places(named: tuple[str, ...]) -> tuple[int, ...]:
    """The rates of every bucket that input may be billed as; each modality may come from a cache."""
    buckets = ("input_text", *named)
    cached = (bucket.replace("input_", "cache_read_") for bucket in buckets if bucket.startswith("input_"))
    return _places((*buckets, *cached))


@lru_cache(maxsize=256)
def _places(buckets: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(_PLACE[bucket] for bucket in buckets)


def _dearest(rates: Rates, places: tuple[int, ...]) -> AttoUSD:
    return max([rates[place] or 0 for place in places], default=0)


def _billed(usage: Usage, price: Price) -> Usage:
    """What is billed of it: short audio is billed as longer."""
    if not usage.input_audio_ms:
        return usage
    return replace(usage, input_audio_ms=max(usage.input_audio_ms, price.input_audio_ms_min))
