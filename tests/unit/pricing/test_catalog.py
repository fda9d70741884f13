"""The catalog, and one test for each hazard of the price data that a gateway must not inherit."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelPrice, TieredPrices

from pricing.catalog import CACHED_NAMES_MAX, CACHED_PRICES_MAX, NAME_CHARS_MAX, Catalog, Price, Unpriced
from pricing.cost import cost
from pricing.overrides import Override
from pricing.rates import ALWAYS_S
from pricing.usage import Usage

NOW_S = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
CATALOG = Catalog.load()
CHAT = Usage(input_text=1000, cache_read_text=2000, output_text=300, output_reasoning=100)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def priced(provider: str, model: str, at_s: int = NOW_S, context=(), catalog: Catalog = CATALOG, **options) -> Price:
    price = catalog.find(provider, model, at_s, context, **options)
    assert isinstance(price, Price), price
    return price


def nanousd(usage: Usage, *found, **options) -> int:
    charged = cost(usage, priced(*found, **options))
    assert charged.complete
    return charged.nanousd


def test_a_chat_costs_what_the_price_list_says():
    # gpt-4o: $2.50 in, $1.25 from cache, $10 out, each per million.
    assert nanousd(CHAT, "openai", "gpt-4o") == 2_500_000 + 2_500_000 + 4_000_000


@pytest.mark.parametrize("provider", ["openai", "azure"])
@pytest.mark.parametrize(
    ("model", "usd"),
    [("gpt-4o-audio-preview-2025-06-03", (2.5, 40, 10, 80)), ("gpt-4o-mini-audio-preview", (0.15, 10, 0.6, 20))],
)
def test_audio_of_models_that_are_listed_without_it_has_its_own_price(
    provider: str, model: str, usd: tuple[float, ...]
):
    for bucket, price in zip(("input_text", "input_audio", "output_text", "output_audio"), usd, strict=True):
        assert nanousd(Usage(**{bucket: 1_000_000}), provider, model) == round(price * 10**9)


def test_the_price_says_how_it_was_found():
    assert priced("openai", "gpt-4o").match == "exact"
    assert priced("openai", "gpt-4o-2024-08-06").match == "alias"
    assert priced("azure", "gpt-4o").match == "alias"  # OpenAI's price list, not Azure's own
    assert priced("azure", "gpt-4o", mapped=True).match == "mapped"
    assert priced("openai", "GPT-4o").model == "gpt-4o"


@pytest.mark.parametrize(
    ("provider", "model", "listed"),
    [
        ("openai", "gpt-4o", "gpt-4o"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
        ("openai", "GPT-4o", "gpt-4o"),
        ("azure", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", ""),
        ("openai", "gpt-4o-xyz", ""),
        ("openai", "g" * 257, ""),
        ("", "gpt-4o", ""),
    ],
)
def test_a_model_of_several_names_is_listed_under_one(provider, model, listed):
    assert CATALOG.listed(provider, model) == CATALOG.listed(provider, model) == listed


def test_listed_names_are_remembered_to_a_limit():
    catalog = Catalog.load()
    for number in range(CACHED_NAMES_MAX + 2):
        catalog.listed("openai", f"made-up-{number}")
    assert len(catalog._listed) <= CACHED_NAMES_MAX


def test_what_is_not_in_the_catalog_is_unpriced():
    for provider, model in (
        ("openai", "gpt-4o-xyz"),
        ("anthropic", "claude-sonnet-4-5-whatever"),
        ("google", "gemini-2.5-pro-nonsense"),
        ("", "gpt-4o"),
        ("no-such-provider", "gpt-4o"),
    ):
        assert CATALOG.find(provider, model, NOW_S) == Unpriced("unknown_model")


def test_a_model_without_rates_is_unpriced_and_not_free():
    assert CATALOG.find("openai", "moderation", NOW_S) == Unpriced("no_rates")


def test_a_free_model_is_priced_at_zero():
    assert nanousd(CHAT, "openrouter", "qwen/qwen3-coder:free") == 0
    searched = cost(Usage(web_searches=1), priced("openrouter", "qwen/qwen3-coder:free"))
    assert searched.unpriced_buckets == ("web_searches",)


# Contexts


@pytest.mark.parametrize(
    ("provider", "model", "context"),
    [
        ("openai", "gpt-5", ("service_tier", "flexx")),
        ("openai", "gpt-5", ("service_tier", "scale")),
        ("openai", "gpt-4o", ("region", "eu")),
        ("anthropic", "claude-sonnet-4-5", ("speed", "fast")),  # has no fast mode
        ("anthropic", "claude-sonnet-4-5", ("service_tier", "priority")),  # a commitment, no price per token
        ("google", "gemini-2.5-flash", ("traffic_type", "PROVISIONED_THROUGHPUT")),
        ("azure", "gpt-5", ("service_tier", "priority")),  # OpenAI's premium is not Azure's
    ],
)
def test_a_context_the_catalog_does_not_know_is_not_the_standard_price(provider, model, context):
    assert CATALOG.find(provider, model, NOW_S, (context,)) == Unpriced("unknown_context")


def test_two_modifiers_are_priced_only_where_the_catalog_has_both_together():
    context = (("speed", "fast"), ("service_tier", "batch"))
    assert CATALOG.find("anthropic", "claude-opus-5-5", NOW_S, context) == Unpriced("unknown_context")


def test_a_known_tier_has_its_price():
    one_million_each = Usage(input_text=10**5, output_text=10**5)
    assert nanousd(one_million_each, "openai", "gpt-5", context=(("service_tier", "default"),)) == 1_125_000_000
    assert nanousd(one_million_each, "openai", "gpt-5", context=(("service_tier", "flex"),)) == 562_500_000
    assert nanousd(one_million_each, "openai", "gpt-5", context=(("service_tier", "priority"),)) == 2_250_000_000
    assert nanousd(one_million_each, "anthropic", "claude-opus-5-5", context=(("speed", "fast"),)) == 4_800_000_000


def test_a_tier_of_before_its_price_is_known_is_unpriced():
    flex = (("service_tier", "flex"),)
    assert CATALOG.find("openai", "gpt-5", at("2026-10-11T23:59:59"), flex) == Unpriced("unknown_context")
    assert priced("openai", "gpt-5", at("2026-10-12T00:00:00"), flex)


def test_inference_in_the_united_states_costs_a_tenth_more_but_searches_do_not():
    usage = Usage(input_text=1000, cache_write_1h=1000, output_text=1000, web_searches=1)
    searches = nanousd(Usage(web_searches=1), "anthropic", "claude-opus-4-8")
    list_price = nanousd(usage, "anthropic", "claude-opus-4-8") - searches
    in_the_us = nanousd(usage, "anthropic", "claude-opus-4-8", context=(("inference_geo", "us"),)) - searches
    assert searches == 10_000_000
    assert in_the_us * 10 == list_price * 11


# Time


def test_a_price_starts_at_midnight_utc():
    one_token = Usage(input_text=1)
    assert nanousd(one_token, "google", "gemini-4-argon", at("2026-11-30T23:59:59")) == 2000
    assert nanousd(one_token, "google", "gemini-4-argon", at("2026-12-01T00:00:00")) == 4000


def test_a_price_from_before_the_first_dated_one_is_the_undated_one():
    # Long context cost more on claude-opus-4-6 until 2026-03-13.
    long_prompt = Usage(input_text=200_001)
    assert nanousd(long_prompt, "anthropic", "claude-opus-4-6", at("2026-03-12T23:59:59")) == 200_001 * 10_000
    assert nanousd(long_prompt, "anthropic", "claude-opus-4-6", at("2026-03-13T00:00:00")) == 200_001 * 5_000


def test_off_peak_prices_follow_the_clock_and_the_cache_follows_too():
    catalog, one_token = Catalog.load(), Usage(output_text=1)
    hours = ("00:29:59", "00:30:00", "16:29:59", "16:30:00", "23:59:59")
    for day in ("2026-11-23", "2026-11-24"):
        found = [nanousd(one_token, "deepseek", "deepseek-chat", at(f"{day}T{hour}"), (), catalog) for hour in hours]
        assert found == [550, 1100, 1100, 550, 550]


@pytest.mark.parametrize(("day", "peak"), [("27", True), ("28", False), ("29", False), ("30", True)])
def test_deepseek_s_peak_hours_are_those_of_working_days(day: str, peak: bool):
    catalog, one_token = Catalog.load(), Usage(input_text=1)
    for hour in ("01:00:00", "09:59:59"):
        found = nanousd(one_token, "deepseek", "deepseek-flash", at(f"2026-11-{day}T{hour}"), (), catalog)
        assert found == (300 if peak else 150)
    assert nanousd(one_token, "deepseek", "deepseek-flash", at(f"2026-11-{day}T12:00:00"), (), catalog) == 150


def test_a_price_says_until_when_it_holds():
    price = priced("deepseek", "deepseek-chat", at("2026-11-23T12:00:00"))
    assert (price.starts_at_s, price.ends_at_s) == (at("2026-11-23T00:30:00"), at("2026-11-23T16:30:00"))
    assert priced("openai", "gpt-3.5-turbo-1106").ends_at_s == ALWAYS_S


# Cliffs


@pytest.mark.parametrize(
    ("provider", "model", "highest_cheap_tokens", "rates_nanousd"),
    [
        ("openai", "gpt-6-sol", 272_000, (2000, 4000)),
        ("google", "gemini-2.5-pro", 200_000, (1250, 2500)),
        ("anthropic", "claude-haiku-5-5", 100_000, (100, 500)),
        ("x-ai", "grok-4.7", 199_999, (2000, 4000)),  # "at or above 200k"
    ],
)
def test_long_context_reprices_every_token(provider, model, highest_cheap_tokens, rates_nanousd):
    below, above = rates_nanousd
    n = highest_cheap_tokens
    assert nanousd(Usage(input_text=n), provider, model) == n * below
    assert nanousd(Usage(input_text=n + 1), provider, model) == (n + 1) * above
    assert nanousd(Usage(input_text=n, output_text=1), provider, model) < n * above


def test_a_tier_published_for_short_context_keeps_the_models_surcharge():
    # genai-prices would charge 272,001 tokens of gpt-5.5-pro flex half of what the same tier charges 272,000 for.
    flex, priority = (("service_tier", "flex"),), (("service_tier", "priority"),)
    assert nanousd(Usage(input_text=272_000), "openai", "gpt-5.5-pro", context=flex) == 272_000 * 15_000
    assert nanousd(Usage(input_text=272_001), "openai", "gpt-5.5-pro", context=flex) == 272_001 * 30_000
    long_answer = Usage(input_text=272_001, output_text=1)
    assert nanousd(long_answer, "openai", "gpt-5.5", context=priority) == 272_001 * 25_000 + 112_500


def test_every_openai_tier_that_publishes_long_context_has_the_same_surcharge_as_the_standard_one():
    openai = next(provider for provider in providers if provider.id == "openai")
    compared = 0
    for model in openai.models:
        standard = model.prices if isinstance(model.prices, ModelPrice) else model.prices[-1].prices
        for variant in model.price_variants or ():
            for key in ("input_mtok", "output_mtok"):
                tier, usual = getattr(variant.prices, key), getattr(standard, key)
                if isinstance(tier, TieredPrices):
                    compared += 1
                    assert _surcharges(tier) == _surcharges(usual), (model.id, variant.when)
    assert compared > 20


def _surcharges(price: TieredPrices) -> list[tuple[int, Decimal]]:
    return [(tier.start, tier.price / price.base) for tier in price.tiers]


# Buckets


def test_a_twelve_hour_cache_write_is_not_sold_at_the_plain_rate():
    charged = cost(Usage(input_text=1, cache_write_12h=5), priced("openai", "gpt-6-sol"))
    assert charged.unpriced_buckets == ("cache_write_12h",)
    own_rate = Catalog.load([Override("*", "gpt-6-sol", {"cache_write_12h": "5"})])
    assert nanousd(Usage(cache_write_12h=5), "openai", "gpt-6-sol", catalog=own_rate) == 25_000


def test_a_thirty_minute_cache_write_is_the_plain_one():
    price = priced("openai", "gpt-6-sol")
    assert cost(Usage(cache_write_30m=5), price) == cost(Usage(cache_write=5), price)


def test_more_read_from_cache_than_sent_is_no_error():
    # OpenRouter has reported this of Gemini; overlapping numbers make genai-prices raise.
    assert nanousd(Usage(cache_read_text=2161, cache_write=2161), "openai", "gpt-6-sol") == 2161 * (200 + 2500)


def test_a_search_on_a_model_without_a_price_for_it_is_named():
    charged = cost(Usage(input_text=1, web_searches=1), priced("groq", "openai/gpt-oss-120b"))
    assert charged.unpriced_buckets == ("web_searches",)


def test_hourly_audio_and_request_fees_are_priced():
    assert nanousd(Usage(input_audio_ms=60_000), "openai", "whisper-1") == 6_000_000
    assert nanousd(Usage(output_text=1000), "perplexity", "sonar") == 12_000_000 + 1_000_000


def test_groq_bills_ten_seconds_of_speech_at_least():
    one_second, ten_seconds = Usage(input_audio_ms=1000), Usage(input_audio_ms=10_000)
    model = ("groq", "whisper-large-v3-turbo")
    assert nanousd(one_second, *model) == nanousd(ten_seconds, *model) == 111_111


# Overrides


def test_a_self_hosted_model_costs_what_its_override_says():
    overrides = [Override("vllm", "Qwen/Qwen3-8B", {"input_text": "0.10", "output_text": "0.40"})]
    catalog = Catalog.load(overrides)
    price = priced("", "qwen/qwen3-8b", catalog=catalog, scope="vllm")
    assert (price.match, price.model) == ("override", "qwen/qwen3-8b")
    assert priced("", "Qwen/Qwen3-8B", catalog=catalog, scope="vllm").rates == price.rates
    assert cost(CHAT, price).nanousd == 3000 * 100 + 400 * 400
    assert catalog.find("", "qwen/qwen3-8b", NOW_S, scope="other") == Unpriced("unknown_model")


def test_stated_rates_lie_over_the_list_price():
    catalog = Catalog.load([Override("*", "gpt-4o", {"input_text": "2"})])
    # The dated name is the same model; reading from cache and output stay at list price.
    assert nanousd(CHAT, "openai", "gpt-4o-2024-08-06", catalog=catalog) == 2_000_000 + 2_500_000 + 4_000_000
    assert priced("openai", "gpt-4o-2024-05-13", catalog=catalog).match == "exact"


def test_stated_rates_hold_above_a_cliff_and_in_a_tier():
    catalog = Catalog.load([Override("*", "gpt-6-sol", {"input_text": "1"})])
    flex = (("service_tier", "flex"),)
    assert nanousd(Usage(input_text=300_000), "openai", "gpt-6-sol", catalog=catalog) == 300_000_000
    assert nanousd(Usage(input_text=3, output_text=1), "openai", "gpt-6-sol", NOW_S, flex, catalog) == 3000 + 5000


def test_stated_rates_are_all_there_is_in_a_context_without_a_list_price():
    catalog = Catalog.load([Override("*", "gpt-5", {"input_text": "9"})])
    price = priced("openai", "gpt-5", context=(("service_tier", "scale"),), catalog=catalog)
    assert cost(Usage(input_text=1, output_text=1), price).unpriced_buckets == ("output_text",)


def test_a_multiplier_scales_the_list_price_and_makes_none():
    catalog = Catalog.load([Override("*", "*", multiplier="0.9")])
    assert nanousd(CHAT, "openai", "gpt-4o", catalog=catalog) * 10 == nanousd(CHAT, "openai", "gpt-4o") * 9
    assert nanousd(Usage(web_searches=1), "openai", "gpt-5", catalog=catalog) == 9_000_000
    assert catalog.find("openai", "gpt-4o-xyz", NOW_S) == Unpriced("unknown_model")


def test_an_override_holds_in_its_time_only():
    override = Override("*", "gpt-4o", {"input_text": "0"}, starts_at_s=NOW_S, ends_at_s=NOW_S + 10)
    catalog = Catalog.load([override])
    found = [priced("openai", "gpt-4o", NOW_S + s, catalog=catalog).match for s in (-1, 0, 9, 10)]
    assert found == ["exact", "override", "override", "exact"]


def test_a_fraction_of_an_attousd_is_kept():
    catalog = Catalog.load([Override("*", "m", {"input_text": "0.0000000000001"})])
    price = priced("", "m", catalog=catalog)
    assert cost(Usage(input_text=1), price).attousd == Fraction(1, 10)


# Version and cache


def test_the_version_names_the_data_and_the_overrides():
    override = Override("*", "gpt-4o", {"input_text": "2", "output_text": "3"})
    same = Override("*", "gpt-4o", {"output_text": "3", "input_text": "2"})
    assert CATALOG.version == f"genai-prices/{version('genai-prices')}"
    overridden = CATALOG.with_overrides([override]).version
    assert overridden.startswith(f"{CATALOG.version}+")
    assert overridden == Catalog.load([same]).version
    assert overridden != Catalog.load([override, override]).version


def test_other_overrides_make_another_catalog():
    catalog = CATALOG.with_overrides([Override("*", "gpt-4o", multiplier="0")])
    assert nanousd(CHAT, "openai", "gpt-4o", catalog=catalog) == 0
    assert nanousd(CHAT, "openai", "gpt-4o") > 0


def test_the_same_price_is_found_again_without_compiling_it():
    assert priced("openai", "gpt-4o", NOW_S) is priced("openai", "gpt-4o", NOW_S + 1)


def test_names_that_clients_make_up_do_not_grow_the_cache():
    catalog = Catalog.load()
    for n in range(1000):
        catalog.find("openai", f"gpt-4o-{n}x", NOW_S)
        catalog.find("openai", "gpt-5", NOW_S, (("service_tier", f"tier-{n}"),))
    assert len(catalog._cache) == 0


def test_snapshot_names_fill_the_cache_to_its_limit_and_no_further():
    catalog = Catalog.load([Override("*", "*", {"input_text": "1"})])
    for n in range(CACHED_PRICES_MAX + 10):
        catalog.find("", f"model-{n}", NOW_S)
    assert len(catalog._cache) == 10


def test_a_name_longer_than_any_is_neither_looked_up_nor_kept():
    catalog = Catalog.load([Override("*", "*", {"input_text": "1"})])
    fine_tune = "ft:gpt-4o-2024-08-06:acme::"
    longest = fine_tune + "x" * (NAME_CHARS_MAX - len(fine_tune))
    assert priced("openai", longest).model == "ft:gpt-4o"
    assert catalog.find("openai", longest + "x", NOW_S) == Unpriced("unknown_model")
    too_long = (("service_tier", "x" * (NAME_CHARS_MAX + 1)),)
    assert catalog.find("openai", "gpt-5", NOW_S, too_long) == Unpriced("unknown_context")
    assert len(catalog._cache) == 0
