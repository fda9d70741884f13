from collections import Counter
from fractions import Fraction

from pricing.catalog import Catalog
from pricing.rates import BUCKETS, Price
from tests.support.lake_calls import sums
from tests.unit.control_plane.analytics.test_service import nanousd, same

CATALOG = Catalog.load()
CATALOGS = {"openai": "openai", "anthropic": "anthropic", "vllm": ""}


def rates(record):
    price = CATALOG.find(CATALOGS[record.provider], record.model, record.ts_ns // 10**9)
    return dict(zip(BUCKETS, price.rates, strict=True)) if isinstance(price, Price) else None


async def test_tokens_are_counted_priced_and_their_savings_summed(told):
    answer = await told.ask("tokens")
    counts, unpriced, costs, saved = Counter(), Counter(), Counter(), Counter()
    for record in told.records:
        for name, count in (record.buckets or {}).items():
            counts[name] += count
            if (known := rates(record)) is None:
                unpriced[name] += count
                continue
            costs[name] += count * known[name]
            if name.startswith("cache"):
                saved[name] += count * (known["input_text"] - known[name])
    rows = {row["bucket"]: row for row in answer["rows"]}
    assert {name: row["count"] for name, row in rows.items()} == counts
    assert {name: row["unpriced_count"] for name, row in rows.items()} == unpriced
    for name, row in rows.items():
        assert nanousd(row["cost_usd"]) == round(Fraction(costs[name], 10**9))
    together = sum(saved.values())
    assert nanousd(answer["saved_usd"]) == round(Fraction(together, 10**9))
    assert rows["cache_write_5m"]["saved_usd"].startswith("-")
    assert answer["unpriced_tokens"] == unpriced["cache_read_text"] + unpriced["cache_write_5m"]


async def test_the_share_of_cached_tokens_is_of_all_input(told):
    answer = await told.ask("tokens", model="gpt-4o")
    kept = [one for one in told.records if one.model == "gpt-4o"]
    assert same(answer["total"], kept)
    assert answer["cache_read_share"] == sums(kept).cache_read_tokens / sums(kept).tokens_in


async def test_nothing_saved_nothing(plane):
    headers = await plane.token(await plane.organization())
    answer = (await plane.client.get("/v1/metrics/tokens", headers=headers)).json()
    assert (answer["rows"], answer["saved_usd"], answer["cache_read_share"]) == ([], "0.00", None)
