"""Owns Bound: the most a call can cost, from the most it can use and the prices it may be billed at. Pure.

Every token counts as the dearest that it may turn out to be, at the dearest price that may hold. A discount that may
not come (a cache, a flexible tier) is never counted on.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from pricing.money import AttoUSD, ceil_attousd
from pricing.rates import BUCKETS, Price, Rates
from pricing.usage import Usage

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
    total = NOTHING
    for price in prices:
        for rates in _reachable(price, most.tokens_in):
            fault = _fault(rates, most, price)
            if fault is not None:
                return fault
            total = total | _at(rates, most, price)
    return total


def _reachable(price: Price, tokens_in: int) -> Iterator[Rates]:
    """The rates of every length of input up to `tokens_in`: the actual one may be shorter, and dearer for it."""
    yield price.rates
    for edge, rates in price.cliffs:
        if tokens_in > edge:
            yield rates


def _fault(rates: Rates, most: Most, price: Price) -> Unbounded | None:
    """What may be billed and has no rate, or one below zero, which says that it varies."""
    for bucket in (*_inputs(most), *_outputs(most), *(bucket for bucket, _ in most.other.buckets())):
        rate = rates[_PLACE[bucket]]
        if rate is None:
            return Unbounded(f"{price.model!r} has no price for {bucket}: state a rate in price_overrides")
        if rate < 0:
            return Unbounded(f"the price of {price.model!r} varies: state a rate in price_overrides")
    return None


def _at(rates: Rates, most: Most, price: Price) -> Bound:
    input_attousd = most.tokens_in * _dearest(rates, _inputs(most))
    other_attousd = sum(count * (rates[_PLACE[bucket]] or 0) for bucket, count in _billed(most.other, price).buckets())
    return Bound(price.per_call_attousd + input_attousd + other_attousd, _dearest(rates, _outputs(most)))


def _inputs(most: Most) -> tuple[str, ...]:
    """Every bucket that input may be billed as; each modality may come from a cache."""
    if not most.tokens_in:
        return ()
    buckets = ("input_text", *most.input_buckets)
    cached = (bucket.replace("input_", "cache_read_") for bucket in buckets if bucket.startswith("input_"))
    return (*buckets, *cached)


def _outputs(most: Most) -> tuple[str, ...]:
    return ("output_text", *most.output_buckets) if most.tokens_out else ()


def _dearest(rates: Rates, buckets: tuple[str, ...]) -> AttoUSD:
    return max((rates[_PLACE[bucket]] or 0 for bucket in buckets), default=0)


def _billed(usage: Usage, price: Price) -> Usage:
    """What is billed of it: short audio is billed as longer."""
    if not usage.input_audio_ms:
        return usage
    return replace(usage, input_audio_ms=max(usage.input_audio_ms, price.input_audio_ms_min))
