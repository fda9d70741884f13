"""Owns prices as a table that SQL multiplies with what calls used: exact integers, a row for each price and length."""

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

import msgspec

from pricing.catalog import Catalog, Price
from pricing.rates import BUCKETS

# Prices that start and end within the time, for one model; a model has a handful.
SEGMENTS_MAX = 1000
_FOREVER = 2**62


class Used(msgspec.Struct, frozen=True):
    """Calls that are priced alike. `catalog` is whose prices they have."""

    provider: str
    catalog: str
    upstream: str
    model: str
    mapped: bool
    tier: str


class Rate(msgspec.Struct, frozen=True):
    """Rates in parts of an atto-USD, for calls of so many input tokens: above `above`, up to `upto`."""

    used: Used
    from_s: int
    to_s: int
    above: int
    upto: int
    per_call: int
    input_audio_ms_min: int
    rates: tuple[int | None, ...]


class RateTable(msgspec.Struct, frozen=True):
    """`parts` of a rate are one atto-USD: prices by the hour are no whole ones."""

    rates: tuple[Rate, ...]
    parts: int


def table(used: Iterable[Used], catalog: Catalog, from_s: int, to_s: int) -> RateTable:
    """Every price that holds in the time for calls that are used; what has none has no row."""
    found = [(one, price) for one in used for price in _prices(one, catalog, from_s, to_s)]
    amounts = [amount for _, price in found for amount in _amounts(price)]
    parts = math.lcm(*(Fraction(amount).denominator for amount in amounts)) if amounts else 1
    return RateTable(tuple(rate for one, price in found for rate in _rates(one, price, parts)), parts)


def _prices(used: Used, catalog: Catalog, from_s: int, to_s: int) -> Iterator[Price]:
    context = (("service_tier", used.tier),) if used.tier else ()
    at_s = from_s
    for _ in range(SEGMENTS_MAX):
        price = catalog.find(used.catalog, used.model, at_s, context, scope=used.upstream, mapped=used.mapped)
        if not isinstance(price, Price):
            return
        yield price
        at_s = price.ends_at_s
        if at_s >= to_s:
            return


def _amounts(price: Price) -> Iterator[int | Fraction]:
    yield price.per_call_attousd
    for rates in (price.rates, *(rates for _, rates in price.cliffs)):
        yield from (rate for rate in rates if rate is not None)


def _rates(used: Used, price: Price, parts: int) -> Iterator[Rate]:
    """The base rates up to the first cliff, and each cliff's up to the next."""
    edges = [(-1, price.rates), *sorted(price.cliffs)]
    for (above, rates), upto in zip(edges, [*(edge for edge, _ in edges[1:]), _FOREVER], strict=True):
        yield Rate(
            used,
            price.starts_at_s,
            min(price.ends_at_s, _FOREVER),
            above,
            upto,
            _whole(price.per_call_attousd, parts),
            price.input_audio_ms_min,
            tuple(None if rate is None else _whole(rate, parts) for rate in rates),
        )


def _whole(amount: int | Fraction, parts: int) -> int:
    whole = Fraction(amount) * parts
    assert whole.denominator == 1, "parts are a multiple of every denominator"
    return whole.numerator


COLUMNS: Mapping[str, str] = {
    "provider": "VARCHAR", "upstream": "VARCHAR", "model": "VARCHAR", "mapped": "BOOLEAN", "tier": "VARCHAR",
    "from_s": "BIGINT", "to_s": "BIGINT", "above": "BIGINT", "upto": "BIGINT", "per_call": "HUGEINT",
    "input_audio_ms_min": "BIGINT", **{f"rate_{bucket}": "HUGEINT" for bucket in BUCKETS},
}  # fmt: skip


def row(rate: Rate) -> tuple[object, ...]:
    """A rate in the order of COLUMNS."""
    used = rate.used
    return (
        used.provider, used.upstream, used.model, used.mapped, used.tier, rate.from_s, rate.to_s, rate.above,
        rate.upto, rate.per_call, rate.input_audio_ms_min, *rate.rates,
    )  # fmt: skip
