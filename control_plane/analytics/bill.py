"""Owns bills: what each bucket of a usage costs at the prices of its time. Pure but for the catalog it is given.

A record has its cost and the version of the prices, not the rates. Bills are made anew from the catalog as it is now,
for the time of the call; where that does not come to the recorded cost, the record is right.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from control_plane.analytics.schema import Bucket
from control_plane.analytics.totals import nanousd
from control_plane.api.money import usd
from control_plane.lake.query import Row
from control_plane.providers.tables import PriceOverride
from gateway.lake.schema import BUCKETS
from gateway.providers import PROVIDERS
from pricing.catalog import Catalog, Context
from pricing.cost import charged_by, cost
from pricing.money import AttoUSD, round_attousd
from pricing.overrides import Override
from pricing.rates import BUCKETS as RATED
from pricing.rates import Price, Rates
from pricing.usage import Usage

_MILLION = 10**6


class Bill(NamedTuple):
    """`buckets` None: the usage is unknown. `total_nanousd` None: a bucket of it has no price."""

    buckets: list[Bucket] | None
    total_nanousd: int | None
    model: str | None


def catalog_of(listed: Catalog, overrides: Sequence[PriceOverride]) -> Catalog:
    """The catalog under an organization's own prices."""
    return listed.with_overrides(
        [
            Override(one.upstream, one.model, one.rates, one.multiplier, one.starts_at_s, one.ends_at_s)
            for one in overrides
        ]
    )


def bill(row: Row, catalog: Catalog) -> Bill:
    """Of one call's row."""
    if row["input_text"] is None:
        return Bill(None, None, None)
    usage = Usage(**{name: row[name] or 0 for name in BUCKETS}, **_more(row))
    price = price_of(
        catalog, row["provider"], row["model"], row["ts_us"] // 10**6, row["upstream"], row["service_tier"]
    )
    if price is None:
        lines = [Bucket(bucket=name, count=n, usd_per_million=None, cost_usd=None) for name, n in usage.buckets()]
        return Bill(lines, None, None)
    each_in = charged_by(usage, price, None if row["cost_usd"] is None else nanousd(row["cost_usd"]))
    amount, rates = cost(usage, price, each_in), price.rates_at(each_in)
    lines = [_line(name, count, rates) for name, count in usage.buckets()]
    return Bill(lines, amount.nanousd if amount.complete else None, price.model)


def price_of(
    catalog: Catalog, provider: str, model: str, at_s: int, upstream: str = "", tier: str = ""
) -> Price | None:
    """None where there is none."""
    known = PROVIDERS.get(provider)
    context: Context = (("service_tier", tier),) if tier else ()
    found = catalog.find(known.catalog if known else "", model, at_s, context, scope=upstream)
    return found if isinstance(found, Price) else None


def rate(rates: Rates, bucket: str) -> AttoUSD | None:
    """For one."""
    return rates[_PLACE[bucket]]


_PLACE: Mapping[str, int] = {name: place for place, name in enumerate(RATED)}


def _line(name: str, count: int, rates: Rates) -> Bucket:
    each = rate(rates, name)
    if each is None:
        return Bucket(bucket=name, count=count, usd_per_million=None, cost_usd=None)
    return Bucket(
        bucket=name,
        count=count,
        usd_per_million=usd(round_attousd(each * _MILLION)),
        cost_usd=usd(round_attousd(each * count)),
    )


def _more(row: Row) -> dict[str, Any]:
    known = frozenset(RATED)
    return {name: count for name, count in dict(row["buckets_more"] or {}).items() if name in known}
