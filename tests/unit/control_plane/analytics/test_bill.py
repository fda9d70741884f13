from decimal import Decimal

from control_plane.analytics.bill import bill, catalog_of, price_of, rate
from control_plane.api.money import usd
from control_plane.providers.tables import PriceOverride
from gateway.lake.schema import BUCKETS
from pricing.catalog import Catalog
from pricing.cost import cost
from pricing.money import round_attousd
from pricing.usage import Usage

CATALOG = Catalog.load()
AT_S = 1_790_000_000


def row(usage: Usage | None, *, provider="openai", model="gpt-4o", tier="", charged=None) -> dict:
    counts = {name: None if usage is None else getattr(usage, name) for name in BUCKETS}
    more = {"buckets_more": None, "provider": provider, "model": model, "upstream": provider, "service_tier": tier}
    more["cost_usd"] = None if charged is None else Decimal(charged).scaleb(-9)
    return {**counts, **more, "ts_us": AT_S * 10**6}


def test_a_bill_comes_to_what_the_gateway_charged():
    usage = Usage(input_text=1234, cache_read_text=9_000, output_text=77, output_reasoning=5)
    billed = bill(row(usage), CATALOG)
    price = CATALOG.find("openai", "gpt-4o", AT_S)
    assert billed.total_nanousd == cost(usage, price).nanousd
    assert billed.model == "gpt-4o"
    assert [(line.bucket, line.count) for line in billed.buckets] == list(usage.buckets())
    assert billed.buckets[0].usd_per_million == "2.50"
    assert billed.buckets[0].cost_usd == "0.003085"


def test_a_batch_is_billed_by_the_length_of_its_requests():
    """Of which the record tells nothing but what they came to."""
    usage, edge = Usage(input_text=900_000, output_text=1000), 200_000
    price = CATALOG.find("anthropic", "claude-sonnet-4-5", AT_S)
    assert [one for one, _ in price.cliffs] == [edge]
    for each_in in (edge, edge + 1):
        charged = cost(usage, price, each_in).nanousd
        billed = bill(row(usage, provider="anthropic", model="claude-sonnet-4-5", charged=charged), CATALOG)
        assert billed.total_nanousd == charged
        assert billed.buckets[0].cost_usd == usd(round_attousd(rate(price.rates_at(each_in), "input_text") * 900_000))


def test_a_usage_that_is_unknown_has_no_bill():
    assert bill(row(None), CATALOG) == (None, None, None)


def test_a_model_without_a_price_has_lines_and_no_amounts():
    billed = bill(row(Usage(input_text=5), provider="vllm", model="own-model"), CATALOG)
    assert billed.total_nanousd is None
    assert [(line.count, line.cost_usd, line.usd_per_million) for line in billed.buckets] == [(5, None, None)]


def test_a_bucket_without_a_rate_leaves_the_total_unknown():
    billed = bill(row(Usage(input_text=5, output_images=2)), CATALOG)
    assert billed.total_nanousd is None
    assert [line.cost_usd is None for line in billed.buckets] == [False, True]


def test_an_organizations_own_prices_count():
    own = PriceOverride(
        upstream="*", model="gpt-4o", rates={"input_text": "1"}, multiplier="", starts_at_s=None, ends_at_s=None
    )
    price = price_of(catalog_of(CATALOG, [own]), "openai", "gpt-4o", AT_S, "openai")
    assert rate(price.rates, "input_text") == 10**12
    assert price.match == "override"
