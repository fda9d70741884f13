from fractions import Fraction

from control_plane.backtest.rates import COLUMNS, Used, row, table
from pricing.catalog import Catalog
from pricing.overrides import Override
from pricing.rates import BUCKETS

CATALOG = Catalog.load()
GPT = Used("openai", "openai", "openai", "gpt-4o", False, "")


def test_a_rate_is_what_the_catalog_says():
    [rate] = table([GPT], CATALOG, 1_790_000_000, 1_790_000_001).rates
    price = CATALOG.find("openai", "gpt-4o", 1_790_000_000, scope="openai")
    assert rate.rates == price.rates  # type: ignore[union-attr]
    assert (rate.above, len(row(rate))) == (-1, len(COLUMNS))


def test_what_has_no_price_has_no_row():
    assert table([Used("openai", "openai", "openai", "no-such-model", False, "")], CATALOG, 0, 1).rates == ()
    assert table([], CATALOG, 0, 1).parts == 1


def test_prices_by_the_hour_are_parts_of_an_atto_dollar():
    catalog = CATALOG.with_overrides([Override("*", "speech", {"input_audio_ms": "0.1"})])
    found = table([Used("openai", "openai", "openai", "speech", False, "")], catalog, 0, 1)
    whole = found.rates[0].rates[BUCKETS.index("input_audio_ms")]
    assert Fraction(whole or 0, found.parts) == Fraction(10**17, 3_600_000)
    assert found.parts == 9


def test_a_price_that_changes_has_a_row_for_each_time():
    catalog = CATALOG.with_overrides([Override("*", "gpt-4o", {"input_text": "1"}, starts_at_s=1000, ends_at_s=2000)])
    found = table([GPT], catalog, 500, 2500)
    assert [(rate.from_s, min(rate.to_s, 2500)) for rate in found.rates] == [(0, 1000), (1000, 2000), (2000, 2500)]


def test_long_inputs_have_rates_of_their_own():
    long = Used("google", "google", "gemini", "gemini-2.5-pro", False, "")
    assert [(rate.above, rate.upto > 10**9) for rate in table([long], CATALOG, 1_790_000_000, 1_790_000_001).rates] == [
        (-1, False), (200_000, True),
    ]  # fmt: skip
