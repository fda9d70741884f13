"""Owns the prices of the seed's models over a time, as rows: from when, and atto-USD for one of each bucket."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from control_plane.lake.seed.world import OFFERS, Offer
from pricing.catalog import Catalog
from pricing.money import AttoUSD
from pricing.overrides import Override
from pricing.rates import BUCKETS, Price

# No prompt of the seed is longer, so that no price for long prompts applies.
TOKENS_IN_MAX = 180_000

# What the seed's calls use.
PRICED = ("input_text", "cache_read_text", "cache_write_5m", "output_text", "output_reasoning")
_AT = tuple(BUCKETS.index(bucket) for bucket in PRICED)
# The one that has no list price: what its machines cost.
OWN = OFFERS["qwen-own"]
OWN_RATES: Mapping[str, str] = {"input_text": "0.12", "output_text": "0.45"}


class Rate(NamedTuple):
    """What an offer costs for a time; `match` is unpriced where nothing is known, and the rates are None."""

    offer: str
    from_s: int
    to_s: int
    match: str
    version: str
    attousd: tuple[int | None, ...]  # by PRICED


class Prices:
    """The list's, and from a moment on the company's own price of its own model."""

    def __init__(self, own_from_s: int) -> None:
        self._listed = Catalog.load()
        own = Override(OWN.upstream, OWN.requested, dict(OWN_RATES), starts_at_s=own_from_s)
        self._stated, self._stated_s = self._listed.with_overrides([own]), own_from_s

    def between(self, from_s: int, to_s: int) -> list[Rate]:
        """Every rate that holds at some moment of the time."""
        return [rate for name, offer in OFFERS.items() for rate in self._of(name, offer, from_s, to_s)]

    def _of(self, name: str, offer: Offer, from_s: int, to_s: int) -> Iterator[Rate]:
        at_s = from_s
        while at_s < to_s:
            is_stated = at_s >= self._stated_s
            catalog = self._stated if is_stated else self._listed
            found = catalog.find(offer.catalog, offer.answered, at_s, scope=offer.upstream)
            ends_s = to_s if is_stated else min(to_s, self._stated_s)
            if isinstance(found, Price):
                ends_s = min(ends_s, found.ends_at_s)
                yield Rate(name, at_s, ends_s, found.match, catalog.version, _attousd(found))
            else:
                yield Rate(name, at_s, ends_s, "unpriced", catalog.version, (None,) * len(PRICED))
            at_s = ends_s


def _attousd(price: Price) -> tuple[int | None, ...]:
    assert all(edge >= TOKENS_IN_MAX for edge, _ in price.cliffs), f"{price.model}: longer prompts cost more"
    assert not price.per_call_attousd, f"{price.model}: calls have a fee"
    return tuple(_whole(price.rates[index]) for index in _AT)


def _whole(rate: AttoUSD | None) -> int | None:
    assert rate is None or isinstance(rate, int), "a rate that is no whole number of atto-USD"
    return rate
