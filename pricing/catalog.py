"""Owns Catalog: what a model of a provider costs at a moment, in a context. Immutable, versioned, swapped whole.

The prices are those of the pinned genai-prices package, read from the data it ships; its own lookup,
whose caches grow with every name a client sends, and its updating thread are not used. What has no
price is Unpriced, with the reason, and never 0.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib.metadata import version
from typing import Literal

import msgspec
from genai_prices.data import providers
from genai_prices.data_units import unit_data
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)
from genai_prices.units import UnitRegistry

from pricing.context import Context, Modifiers, read_context
from pricing.names import Names, Resolved
from pricing.overrides import Override, Overrides, Terms
from pricing.rates import (
    ALWAYS_S,
    EMPTY_SHEET,
    FREE_SHEET,
    UNITS,
    Match,
    Price,
    Sheet,
    Unit,
    compile_rates,
    per_call_attousd,
)

__all__ = ["Catalog", "Context", "Override", "Price", "Unpriced"]

Reason = Literal["unknown_model", "unknown_context", "no_rates"]

# No model name comes near (the catalog's longest has 61 characters), and none that is longer is looked up or
# kept: names come from clients, and an override for every model would otherwise give each of them a price.
NAME_CHARS_MAX = 256

# Far more than the (model, context) pairs one deployment uses; at 1 to 3 kB each, 12 MB at most. When it is
# full it starts anew: a client that sends thousands of snapshot names costs recompiling, never memory.
CACHED_PRICES_MAX = 4096

# Names whose listed ones are remembered, unknown ones too: 2 MB at most, of the longest.
CACHED_NAMES_MAX = 4096

# Groq bills speech by the second, ten at least (console.groq.com/docs/speech-to-text); so does genai-prices.
_INPUT_AUDIO_MS_MIN = {("groq", "whisper-large-v3"): 10_000, ("groq", "whisper-large-v3-turbo"): 10_000}

# USD for a million tokens of audio in and out, of models of which genai-prices has the price of text alone
# (developers.openai.com/api/docs/models/gpt-4o-audio-preview and …/gpt-4o-mini-audio-preview, "Audio tokens").
_AUDIO_USD = {"gpt-4o-audio-preview": (40, 80), "gpt-4o-mini-audio-preview": (10, 20)}

# DeepSeek's peak hours are those of working days in Beijing, and off-peak prices hold all day at weekends
# (api-docs.deepseek.com/quick_start/pricing, since 2026-08-23 by genai-prices, which has no condition for it). Holidays
# are in no list. The hours are within the same day in UTC; noon there is off-peak.
_PEAKS_ON_WORKING_DAYS = frozenset((time(1, tzinfo=UTC), time(6, tzinfo=UTC)))
_WEEKENDS_SINCE = date(2026, 8, 23)
_WEEKEND = (5, 6)
_OFF_PEAK = time(12, tzinfo=UTC)

# genai-prices gives no rates to what is free, nor to what it does not know the rates of. This ending says that
# its tokens are free (openrouter.ai/docs/guides/routing/model-variants/free).
_FREE = ":free"

_UNITS = UnitRegistry(unit_data)


class Unpriced(msgspec.Struct, frozen=True):
    """No price, and why: the model is not in the catalog, its tier is not, or the catalog has no rates for it."""

    reason: Reason


class Catalog:
    """All prices, with an operator's overrides. Make one with `load`; but for a bounded cache it never changes."""

    __slots__ = ("_cache", "_listed", "_names", "_overrides", "version")

    version: str

    def __init__(self, names: Names, overrides: Sequence[Override]) -> None:
        self._names = names
        self._overrides = Overrides(overrides)
        self._cache: dict[tuple[str, str, Context, str, bool], Price] = {}
        self._listed: dict[tuple[str, str], str] = {}
        self.version = _version(overrides)

    @classmethod
    def load(cls, overrides: Sequence[Override] = ()) -> "Catalog":
        """The catalog of the installed genai-prices. Its version names both the data and the overrides."""
        return cls(Names(providers), overrides)

    def with_overrides(self, overrides: Sequence[Override]) -> "Catalog":
        """The same data under other overrides, without reading it again: loading takes 50 ms, this microseconds."""
        return Catalog(self._names, overrides)

    def find(
        self,
        provider: str,
        model: str,
        at_s: int,
        context: Context = (),
        *,
        scope: str = "",
        mapped: bool = False,
    ) -> Price | Unpriced:
        """The price of a model at a second since the epoch, for a call of the context its answer states.

        `provider` is genai-prices' id, "" for what only overrides price; `scope` is what overrides call the
        upstream; `mapped` says that an operator's map, not the answer, named the model.
        """
        key = (provider, model, context, scope, mapped)
        price = self._cache.get(key)
        if price is not None and price.starts_at_s <= at_s < price.ends_at_s:
            return price
        found = _too_long(model, context) or self._find(provider, model, at_s, context, scope, mapped)
        if isinstance(found, Price):
            if len(self._cache) >= CACHED_PRICES_MAX:
                self._cache.clear()
            self._cache[key] = found
        return found

    def listed(self, provider: str, model: str) -> str:
        """The one name under which a model of several names is listed; "" for one that is not.

        At Bedrock that is "" too where the list has a heading in place of a name (`regional.…`).
        """
        if len(model) > NAME_CHARS_MAX:
            return ""
        found = self._listed.get((provider, model))
        if found is None:
            resolved = self._names.resolve(provider, model.lower())
            found = resolved.model.id if resolved is not None and resolved.model.is_match(resolved.model.id) else ""
            if len(self._listed) >= CACHED_NAMES_MAX:
                self._listed.clear()
            self._listed[provider, model] = found
        return found

    def _find(
        self, provider: str, model: str, at_s: int, context: Context, scope: str, mapped: bool
    ) -> Price | Unpriced:
        resolved = self._names.resolve(provider, model.lower())
        listed_model = model if resolved is None else resolved.model.id
        terms, changes_s = self._overrides.find(scope, (model.lower(), listed_model.lower()), at_s)
        listed = _listed(provider, resolved, at_s, context)
        if isinstance(listed, Unpriced):
            if terms is None or not terms.usd:
                return listed
            listed = EMPTY_SHEET
        if resolved is not None:
            changes_s += _changes(resolved.model, at_s)
        sheet = listed if terms is None else terms.applied_to(listed)
        return _price(provider, listed_model, _match(resolved, terms, mapped), sheet, _around(at_s, changes_s))


def _price(provider: str, model: str, match: Match, sheet: Sheet, span_s: tuple[int, int]) -> Price:
    rates, cliffs = compile_rates(sheet)
    return Price(
        provider=provider,
        model=model,
        match=match,
        rates=rates,
        cliffs=cliffs,
        per_call_attousd=per_call_attousd(sheet),
        input_audio_ms_min=_INPUT_AUDIO_MS_MIN.get((provider, model), 0),
        starts_at_s=span_s[0],
        ends_at_s=span_s[1],
    )


def _too_long(model: str, context: Context) -> Unpriced | None:
    if len(model) > NAME_CHARS_MAX:
        return Unpriced("unknown_model")
    return Unpriced("unknown_context") if any(len(value) > NAME_CHARS_MAX for _, value in context) else None


def _version(overrides: Sequence[Override]) -> str:
    data = f"genai-prices/{version('genai-prices')}"
    if not overrides:
        return data
    return f"{data}+{hashlib.sha256(msgspec.json.encode(overrides, order='sorted')).hexdigest()[:8]}"


def _match(resolved: Resolved | None, terms: Terms | None, mapped: bool) -> Match:
    if terms is not None or resolved is None:
        return "override"
    return "mapped" if mapped else resolved.match


def _listed(provider: str, resolved: Resolved | None, at_s: int, context: Context) -> Sheet | Unpriced:
    """The list price, before any override."""
    if resolved is None:
        return Unpriced("unknown_model")
    modifiers = read_context(provider, context)
    at = datetime.fromtimestamp(at_s, UTC)
    if provider == "deepseek" and at.weekday() in _WEEKEND and at.date() >= _WEEKENDS_SINCE:
        at = _without_peaks(resolved.model, at)
    if modifiers.variant and not _has_variant(resolved, modifiers, at):
        return Unpriced("unknown_context")
    sheet = _with_audio(
        resolved.model.id, _sheet(resolved.model.get_prices(at, modifiers.variant), resolved.model.get_prices(at))
    )
    if not sheet.usd:
        return FREE_SHEET if resolved.model.id.endswith(_FREE) else Unpriced("no_rates")
    return sheet if modifiers.token_factor == 1 else sheet.scaled(modifiers.token_factor, tokens_only=True)


def _with_audio(model: str, sheet: Sheet) -> Sheet:
    usd = zip((UNITS["input_audio"], UNITS["output_audio"]), _AUDIO_USD.get(model, ()), strict=False)
    return sheet.overlaid({unit: Fraction(price, 10**6) for unit, price in usd if unit not in sheet.usd})


def _without_peaks(model: ModelInfo, at: datetime) -> datetime:
    """A moment of the same day at which a model's off-peak prices hold, if its peaks are those of working days."""
    dated = [] if isinstance(model.prices, ModelPrice) else [price.constraint for price in model.prices]
    starts = frozenset(each.start_time for each in dated if isinstance(each, TimeOfDateConstraint))
    return datetime.combine(at.date(), _OFF_PEAK) if starts == _PEAKS_ON_WORKING_DAYS else at


def _has_variant(resolved: Resolved, modifiers: Modifiers, at: datetime) -> bool:
    # A reseller's tiers are its own: Azure's priority is not priced by OpenAI's table.
    return not resolved.borrowed and any(
        variant.when == modifiers.variant and (variant.constraint is None or variant.constraint.active(at))
        for variant in resolved.model.price_variants or ()
    )


def _sheet(prices: ModelPrice, standard: ModelPrice) -> Sheet:
    """Published prices as a sheet. `standard` are the same model's without a context."""
    prices_above = {
        key: _levels(price, getattr(standard, key)) for key, price in vars(prices).items() if price is not None
    }
    edges = tuple(sorted({edge for above in prices_above.values() for edge in above} - {_BASE}))
    usd: dict[Unit, tuple[Fraction, ...]] = {}
    for key, above in prices_above.items():
        unit = _UNITS.unit_for_price_key(key)
        applicable = (max(start for start in above if start <= edge) for edge in (_BASE, *edges))
        usd[frozenset(unit.dimensions.items())] = tuple(above[start] / unit.per for start in applicable)
    return Sheet(edges, usd)


_BASE = -1  # below every edge, as an input of 0 tokens is above it


def _levels(price: Decimal | TieredPrices, standard: Decimal | TieredPrices | None) -> dict[int, Fraction]:
    """One published price above each of its edges, `_BASE` included."""
    if isinstance(price, TieredPrices):
        return {_BASE: Fraction(price.base)} | {tier.start: Fraction(tier.price) for tier in price.tiers}
    base = Fraction(price)
    if isinstance(standard, TieredPrices) and standard.base:
        # A service tier whose table gives the short-context rate alone (gpt-5.4, gpt-5.5: priority, fast;
        # gpt-5.5-pro: flex, batch) keeps the model's long-context surcharge, as every OpenAI tier that
        # publishes both does; genai-prices drops it. docs/internals/pricing.md, "Exceptions".
        surcharges = {tier.start: Fraction(tier.price) / Fraction(standard.base) for tier in standard.tiers}
        return {_BASE: base} | {edge: base * surcharge for edge, surcharge in surcharges.items()}
    return {_BASE: base}


def _changes(model: ModelInfo, at_s: int) -> list[int]:
    """The seconds around a moment at which one of the model's prices or variants may start or end."""
    dated: list[ConditionalPrice | PriceVariant] = list(model.price_variants or ())
    dated += [] if isinstance(model.prices, ModelPrice) else model.prices
    return [second for price in dated for second in _constraint_changes(price.constraint, at_s)]


def _constraint_changes(constraint: StartDateConstraint | TimeOfDateConstraint | None, at_s: int) -> Iterator[int]:
    if isinstance(constraint, StartDateConstraint):
        yield _utc_s(constraint.start_date, time())
    elif isinstance(constraint, TimeOfDateConstraint):
        today = datetime.fromtimestamp(at_s, UTC).date()
        for days in (-1, 0, 1):  # the neighbours of a daily change are at most a day away, in any zone
            day = today + timedelta(days=days)
            yield _utc_s(day, constraint.start_time)
            yield _utc_s(day, constraint.end_time)


def _utc_s(day: date, at: time) -> int:
    """Seconds since the epoch; a time that names no zone is UTC, as genai-prices reads it."""
    return int(datetime.combine(day, at, at.tzinfo or UTC).timestamp())


def _around(at_s: int, changes_s: Sequence[int]) -> tuple[int, int]:
    """The longest span around a moment without a change: [from, until)."""
    return (
        max((second for second in changes_s if second <= at_s), default=0),
        min((second for second in changes_s if second > at_s), default=ALWAYS_S),
    )
