"""Owns the question about usage by bucket: what each cost, and what caches saved."""

from collections.abc import Sequence

from control_plane.analytics.asked import Asked
from control_plane.analytics.bill import price_of, rate
from control_plane.analytics.schema import TokenRow, Tokens
from control_plane.analytics.service import SQL, ask_together
from control_plane.analytics.totals import share, totals
from control_plane.api.money import usd
from control_plane.lake.query import Lake, Question, Row
from gateway.lake.schema import BUCKETS
from pricing.catalog import Catalog
from pricing.money import AttoUSD, round_attousd
from pricing.rates import Rates


async def tokens(lake: Lake, asked: Asked, catalog: Catalog) -> Tokens:
    whole, by_model = await ask_together(
        lake, [Question(SQL[name], "hourly", asked.scope) for name in ("summary", "tokens")]
    )
    total = totals(whole.rows[0])
    lines = [line for name in BUCKETS if (line := _line(name, by_model.rows, catalog)) is not None]
    return Tokens(
        about=asked.about(whole, by_model),
        total=total,
        rows=[line.row() for line in lines],
        cache_read_share=share(total.cache_read_tokens or 0, total.tokens_in or 0),
        saved_usd=usd(round_attousd(sum(line.saved_attousd for line in lines))),
        unpriced_tokens=sum(line.unpriced for line in lines if line.is_cached),
    )


class _Line:
    """One bucket over all models and days."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.is_cached = bucket.startswith("cache_")
        self.count = self.unpriced = 0
        self.cost_attousd: AttoUSD = 0
        self.saved_attousd: AttoUSD = 0

    def add(self, count: int, rates: Rates | None) -> None:
        self.count += count
        each = None if rates is None else rate(rates, self.bucket)
        uncached = None if rates is None or not self.is_cached else rate(rates, _uncached(self.bucket))
        if each is None or (self.is_cached and uncached is None):
            self.unpriced += count
            return
        self.cost_attousd += count * each
        self.saved_attousd += 0 if uncached is None else count * (uncached - each)

    def row(self) -> TokenRow:
        is_priced = self.unpriced < self.count
        return TokenRow(
            bucket=self.bucket,
            count=self.count,
            unpriced_count=self.unpriced,
            cost_usd=usd(round_attousd(self.cost_attousd)) if is_priced else None,
            saved_usd=usd(round_attousd(self.saved_attousd)) if self.is_cached and is_priced else None,
        )


def _line(bucket: str, rows: Sequence[Row], catalog: Catalog) -> _Line | None:
    line = _Line(bucket)
    for row in rows:
        if row[bucket]:
            price = price_of(catalog, row["provider"], row["model"], row["day_s"])
            line.add(row[bucket], None if price is None else price.rates)
    return line if line.count else None


def _uncached(bucket: str) -> str:
    """What the tokens would have been without a cache. Writes are priced as text, whatever they are."""
    return "input_text" if bucket.startswith("cache_write") else bucket.replace("cache_read", "input")
