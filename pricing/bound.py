"""Owns Bound: the most a call can cost, from the most it can use and the prices it may be billed at. Pure.

Every token counts as the dearest that it may turn out to be, at the dearest price that may hold. A discount that may
not come (a cache, a flexible tier) is never counted on.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from pricing.money import AttoUSD, ceil_attousd
from pricing.rates import BUCKETS, Price, Rates
from pricing.usage import Usage

# Of rates and buckets that occur together: models in use, times ways to ask them. A few hundred bytes each.
SHAPES_MAX = 4096

_NO_USAGE = Usage()
_ALWAYS = -1  # above it is every input, the empty one too
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
    unpriced: bool = False  # for want of a price alone: what the call uses may have a bound all the same
    of_tokens: str = ""  # of what is unpriced: why its tokens have no bound either


NOTHING = Bound(0)


class Line(msgspec.Struct, frozen=True, gc=False):
    """What calls alike cost at most by one table of rates: so much each, and so much for each token in and out.

    The table holds once more than `above` tokens go in. `unbounded`: it lacks a rate that may be needed.
    """

    above: int
    each_attousd: AttoUSD = 0
    input_attousd_per_token: AttoUSD = 0
    output_attousd_per_token: AttoUSD = 0
    unbounded: Unbounded | None = None


def bound(most: Most, prices: Sequence[Price]) -> Bound | Unbounded:
    """The bound of a call that may be billed at any of the prices, of which there is at least one."""
    assert prices, "a call without a price has no bound"
    return bound_at([line for price in prices for line in lines(most, price)], most.tokens_in)


def bound_at(known: Sequence[Line], tokens_in: int) -> Bound | Unbounded:
    """The bound of a call of so much input by any of the lines that hold then."""
    fixed_attousd: AttoUSD = 0
    output_attousd: AttoUSD = 0
    for line in known:
        if tokens_in <= line.above:
            continue
        if line.unbounded is not None:
            return line.unbounded
        # Compared by hand, for every call that is held passes here: max() takes twice as long.
        fixed = line.each_attousd + tokens_in * line.input_attousd_per_token
        if fixed > fixed_attousd:
            fixed_attousd = fixed
        if line.output_attousd_per_token > output_attousd:
            output_attousd = line.output_attousd_per_token
    return Bound(fixed_attousd, output_attousd)


def dearest_of(known: Sequence[Line]) -> tuple[Line, ...]:
    """The lines less those that another one is never below."""
    kept: list[Line] = []
    for line in known:
        if not any(_covers(other, line) for other in kept):
            kept = [other for other in kept if not _covers(line, other)]
            kept.append(line)
    return tuple(kept)


def _covers(line: Line, other: Line) -> bool:
    """Whether it holds wherever the other does, and is never below it."""
    return (
        line.unbounded is None
        and other.unbounded is None
        and line.above <= other.above
        and line.each_attousd >= other.each_attousd
        and line.input_attousd_per_token >= other.input_attousd_per_token
        and line.output_attousd_per_token >= other.output_attousd_per_token
    )


def lines(most: Most, price: Price) -> Iterator[Line]:
    """The lines of a price for calls that use at most so much, whatever their input, unless they have none.

    An actual input may be shorter than the most, and dearer for it: the lines of shorter ones hold too.
    """
    yield _line(most, price, price.rates, _ALWAYS)
    if most.tokens_in:
        for edge, rates in price.cliffs:
            yield _line(most, price, rates, edge)


def _line(most: Most, price: Price, rates: Rates, above: int) -> Line:
    into = _dearest(rates, _inputs(most.input_buckets) if most.tokens_in else ())
    out = _dearest(rates, ("output_text", *most.output_buckets) if most.tokens_out else ())
    other = _other(rates, most.other, price) if most.other != _NO_USAGE else 0
    if isinstance(into, _NoRate) or isinstance(out, _NoRate) or isinstance(other, _NoRate):
        return Line(above, unbounded=_unbounded((into, out, other), price))
    return Line(above, price.per_call_attousd + other, into, out)


class _NoRate(NamedTuple):
    """A bucket may be billed that has no rate, or one below zero, which says that it varies."""

    bucket: str
    varies: bool


def _unbounded(parts: tuple[AttoUSD | _NoRate, ...], price: Price) -> Unbounded:
    part = next(part for part in parts if isinstance(part, _NoRate))
    if part.varies:
        return Unbounded(f"the price of {price.model!r} varies: state a rate in price_overrides", unpriced=True)
    return Unbounded(f"{price.model!r} has no price for {part.bucket}: state a rate in price_overrides", unpriced=True)


@lru_cache(SHAPES_MAX)
def _inputs(input_buckets: tuple[str, ...]) -> tuple[str, ...]:
    """Every bucket that input may be billed as; each modality may come from a cache."""
    buckets = ("input_text", *input_buckets)
    cached = (bucket.replace("input_", "cache_read_") for bucket in buckets if bucket.startswith("input_"))
    return (*buckets, *cached)


@lru_cache(SHAPES_MAX)
def _dearest(rates: Rates, buckets: tuple[str, ...]) -> AttoUSD | _NoRate:
    """The dearest rate of any of the buckets; 0 where there are none."""
    dearest: AttoUSD = 0
    for bucket in buckets:
        rate = rates[_PLACE[bucket]]
        if rate is None or rate < 0:
            return _NoRate(bucket, rate is not None)
        dearest = max(dearest, rate)
    return dearest


def _other(rates: Rates, other: Usage, price: Price) -> AttoUSD | _NoRate:
    """What is no token, all of it. Short audio is billed as longer."""
    total: AttoUSD = 0
    for bucket, count in other.buckets():
        rate = rates[_PLACE[bucket]]
        if rate is None or rate < 0:
            return _NoRate(bucket, rate is not None)
        total += rate * (max(count, price.input_audio_ms_min) if bucket == "input_audio_ms" else count)
    return total
