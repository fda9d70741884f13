"""Every model, every date window, every variant: our integers against genai-prices' own Decimal calculation."""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)
from genai_prices.types import Usage as ReferenceUsage

from pricing.catalog import Catalog, Unpriced
from pricing.cost import cost
from pricing.money import nanousd
from pricing.names import Names
from pricing.rates import Price
from pricing.usage import Usage

A_DAY = datetime(2026, 11, 23, 12, tzinfo=UTC)

# genai-prices' overlapping units -> our disjoint buckets, written out once more and by hand. Units that are
# missing have no counterpart in Usage; test_no_model_prices_a_unit_without_a_bucket says that nobody prices them.
_CACHE_READS = ("cache_read_text", "cache_read_audio", "cache_read_image", "cache_read_video")
_CACHE_WRITES = ("cache_write", "cache_write_5m", "cache_write_30m", "cache_write_1h")
_TEXT_OUT = ("output_text", "output_reasoning", "output_citation")
COUNTED = {
    "input_tokens": ("input_text", "input_audio", "input_image", "input_video", *_CACHE_READS, *_CACHE_WRITES),
    "input_text_tokens": ("input_text", "cache_read_text", *_CACHE_WRITES),
    "input_audio_tokens": ("input_audio", "cache_read_audio"),
    "input_image_tokens": ("input_image", "cache_read_image"),
    "input_video_tokens": ("input_video", "cache_read_video"),
    "cache_read_tokens": _CACHE_READS,
    "cache_text_read_tokens": ("cache_read_text",),
    "cache_audio_read_tokens": ("cache_read_audio",),
    "cache_image_read_tokens": ("cache_read_image",),
    "cache_video_read_tokens": ("cache_read_video",),
    "cache_write_tokens": _CACHE_WRITES,
    "cache_write_5m_tokens": ("cache_write_5m",),
    "cache_write_1h_tokens": ("cache_write_1h",),
    "cache_text_write_tokens": _CACHE_WRITES,
    "cache_text_write_5m_tokens": ("cache_write_5m",),
    "cache_text_write_1h_tokens": ("cache_write_1h",),
    "output_tokens": (*_TEXT_OUT, "output_audio", "output_image", "output_video"),
    "output_text_tokens": _TEXT_OUT,
    "output_audio_tokens": ("output_audio",),
    "output_image_tokens": ("output_image",),
    "output_video_tokens": ("output_video",),
    "output_reasoning_tokens": ("output_reasoning",),
    "output_text_reasoning_tokens": ("output_reasoning",),
    "output_citation_tokens": ("output_citation",),
    "output_text_citation_tokens": ("output_citation",),
    "web_searches": ("web_searches",),
    "storage_searches": ("file_searches",),
    "input_characters": ("input_characters",),
    "input_document_pages": ("input_pages", "input_annotated_pages"),
    "input_annotated_document_pages": ("input_annotated_pages",),
    "input_text_messages": ("input_messages",),
    "rerank_searches": ("rerank_searches",),
    "input_pixels": ("input_pixels",),
}
SECONDS = {
    "audio_seconds": ("input_audio_ms", "output_audio_ms"),
    "input_audio_seconds": ("input_audio_ms",),
    "output_audio_seconds": ("output_audio_ms",),
}
BUCKETS = tuple(dict.fromkeys(bucket for buckets in (COUNTED | SECONDS).values() for bucket in buckets))

# Tiers whose published table stops at the short context; above it ours keeps the model's surcharge and
# genai-prices' does not. docs/internals/pricing.md, "Exceptions".
FLAT_TIERS_ABOVE_272K = {
    ("openai", "gpt-5.4", ("service_tier", "priority")),
    ("openai", "gpt-5.4", ("service_tier", "fast")),
    ("openai", "gpt-5.5", ("service_tier", "priority")),
    ("openai", "gpt-5.5", ("service_tier", "fast")),
    ("openai", "gpt-5.5-pro", ("service_tier", "flex")),
    ("openai", "gpt-5.5-pro", ("processing", "batch")),
}
# Whose audio genai-prices prices as their text. The same page.
AUDIO_AS_TEXT = {("openai", "gpt-4o-audio-preview"), ("openai", "gpt-4o-mini-audio-preview")}


def test_every_price_of_every_model_costs_what_genai_prices_calculates():
    catalog = Catalog(Names([_by_id_alone(provider) for provider in providers]), ())
    chance = random.Random(2026)
    compared, differing = 0, set()
    for provider in providers:
        for model in provider.models:
            for at in _moments(model):
                for context in _contexts(model):
                    price = catalog.find(provider.id, model.id, int(at.timestamp()), context)
                    if not _has_price(model, at, context):
                        assert isinstance(price, Unpriced), (provider.id, model.id, at, context)
                        continue
                    assert isinstance(price, Price), (provider.id, model.id, at, context)
                    for usage in _usages(chance, price):
                        compared += 1
                        if cost(usage, price).nanousd != _reference_nanousd(provider, model, at, context, usage):
                            heard = usage.input_audio + usage.cache_read_audio + usage.output_audio
                            above = heard if (provider.id, model.id) in AUDIO_AS_TEXT else usage.tokens_in > 272_000
                            assert above, (provider.id, model.id, at, context, usage)
                            differing.add((provider.id, model.id, *context))
    assert compared > 16_000
    assert differing == FLAT_TIERS_ABOVE_272K | AUDIO_AS_TEXT


def test_no_model_prices_a_unit_without_a_bucket():
    priced = {
        key
        for provider in providers
        for model in provider.models
        for prices in (*(price.prices for price in _dated(model)), *(v.prices for v in model.price_variants or ()))
        for key, price in vars(prices).items()
        if price is not None
    }
    units = {unit.get("price_key", usage_key): usage_key for usage_key, unit in unit_data.items()}
    assert {units[key] for key in priced} <= {*COUNTED, *SECONDS, "requests"}


def test_every_bucket_that_genai_prices_has_a_unit_for_is_compared():
    unpriced = {"cache_write_12h", "input_images", "output_images", "trained_tokens"}
    assert set(Usage.__struct_fields__) - set(BUCKETS) == unpriced


def _by_id_alone(provider: Provider) -> Provider:
    """The provider with every model found by its id: names are another test's matter."""
    models = [dataclasses.replace(model, match=ClauseEquals(equals=model.id)) for model in provider.models]
    return dataclasses.replace(provider, models=models)


def _dated(model: ModelInfo) -> list[ConditionalPrice]:
    return [ConditionalPrice(prices=model.prices)] if isinstance(model.prices, ModelPrice) else model.prices


def _moments(model: ModelInfo) -> list[datetime]:
    """A day of no change, and for every change the last second before it and the first of it."""
    edges = {edge for price in (*_dated(model), *(model.price_variants or ())) for edge in _edges(price)}
    return [A_DAY, *sorted(moment for edge in edges for moment in (edge - timedelta(seconds=1), edge))]


def _edges(price: ConditionalPrice | PriceVariant) -> Iterator[datetime]:
    if isinstance(price.constraint, StartDateConstraint):
        yield datetime.combine(price.constraint.start_date, time(), UTC)
    elif isinstance(price.constraint, TimeOfDateConstraint):
        for at in (price.constraint.start_time, price.constraint.end_time):
            yield datetime.combine(A_DAY.date(), at, at.tzinfo or UTC)


def _contexts(model: ModelInfo) -> list[tuple[tuple[str, str], ...]]:
    return [(), *{tuple(variant.when.items()): None for variant in model.price_variants or ()}]


def _has_price(model: ModelInfo, at: datetime, context: Sequence[tuple[str, str]]) -> bool:
    """Whether genai-prices has rates for this context then; where it has none it takes the standard ones."""
    variants = [v for v in model.price_variants or () if v.constraint is None or v.constraint.active(at)]
    known = not context or any(variant.when == dict(context) for variant in variants)
    rates = vars(model.get_prices(at, dict(context))).values()
    return known and (model.id.endswith(":free") or any(rate is not None for rate in rates))


def _usages(chance: random.Random, price: Price) -> Iterator[Usage]:
    # Groq's transcriptions hear and do not speak; all others may be sent anything.
    buckets = ("input_audio_ms",) if price.input_audio_ms_min else BUCKETS
    for _ in range(3):
        yield Usage(**{bucket: chance.randrange(10**6) for bucket in buckets if chance.random() < 0.3})
    everything = Usage(**{bucket: chance.randrange(10 ** chance.randrange(1, 5)) for bucket in buckets})
    yield everything
    # The same at each cliff, one token above it, and well above it.
    for edge, _ in price.cliffs:
        for tokens_in in (edge, edge + 1, edge + chance.randrange(10**6)):
            yield everything + Usage(input_text=max(0, tokens_in - everything.tokens_in))


def _reference_nanousd(
    provider: Provider, model: ModelInfo, at: datetime, context: Sequence[tuple[str, str]], usage: Usage
) -> int:
    counts = {unit: sum(getattr(usage, bucket) for bucket in buckets) for unit, buckets in COUNTED.items()}
    seconds = {unit: Decimal(sum(getattr(usage, bucket) for bucket in SECONDS[unit])) / 1000 for unit in SECONDS}
    with localcontext(prec=80):  # the default 28 digits would round hourly prices
        reference = model.calc_price(
            ReferenceUsage(**counts, **seconds), provider, genai_request_timestamp=at, price_context=dict(context)
        )
        return nanousd(reference.total_price.quantize(Decimal("1e-9"), ROUND_HALF_EVEN))
