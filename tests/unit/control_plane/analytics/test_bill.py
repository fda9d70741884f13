from control_plane.analytics.bill import bill, catalog_of, price_of, rate
from control_plane.providers.tables import PriceOverride
from gateway.lake.schema import BUCKETS
from pricing.catalog import Catalog
from pricing.cost import cost
from pricing.usage import Usage

CATALOG = Catalog.load()
AT_S = 1_790_000_000


def row(usage: Usage | None, *, provider="openai", model="gpt-4o", tier="") -> dict:
    counts = {name: None if usage is None else getattr(usage, name) for name in BUCKETS}
    more = {"buckets_more": None, "provider": provider, "model": model, "upstream": provider, "service_tier": tier}
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
