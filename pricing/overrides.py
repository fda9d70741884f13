"""Owns Override: rates an operator states — negotiated, or of a self-hosted model. Parsed once, at the edge."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

import msgspec

from pricing.rates import ALWAYS_S, BUCKETS, BUCKETS_PER_UNIT, UNITS, Sheet, Unit

# What a rate is the price of, in the way price lists state it. All other buckets: a million (of tokens, characters).
COUNT_PER_RATE: Mapping[str, int] = {
    "web_searches": 1_000,
    "file_searches": 1_000,
    "input_pages": 1_000,
    "input_annotated_pages": 1_000,
    "input_messages": 1_000,
    "input_audio_ms": 3_600_000,  # the price of an hour
    "output_audio_ms": 3_600_000,
    "rerank_searches": 1_000,
    "input_images": 1_000,
    "input_pixels": 1_000_000_000,
    "output_images": 1,
}
_MILLION = 1_000_000
# Of a rate or a multiplier. A thousand dollars a token is nobody's price, and what a call holds must be countable.
DIGITS_MAX, DECIMALS_MAX = 9, 30


class Override(msgspec.Struct, frozen=True):
    """One statement of an operator: `rates` lay over the list price, or `multiplier` scales it.

    Where the model has no list price the rates are the price, and text rates stand for what has none of its
    own: input_text for all input, output_text for all output. Stated rates hold at any service tier and
    input length. In force in [starts_at_s, ends_at_s). Raises ValueError, saying what to write instead.
    """

    scope: str  # the upstream it is about, as the caller of Catalog.find names it; "*" is every one
    model: str  # as requested or as the catalog names it; "*" is every model
    rates: dict[str, str] = {}  # bucket of Usage -> USD per COUNT_PER_RATE, else per million
    multiplier: str = ""  # "0.85" is 15 % off the list price
    starts_at_s: int | None = None
    ends_at_s: int | None = None

    def __post_init__(self) -> None:
        if not self.scope or not self.model:
            raise ValueError('price override: scope and model must be named; "*" is every one')
        if bool(self.rates) == bool(self.multiplier):
            raise ValueError(f"price override for {self.model!r}: give either rates or a multiplier")
        starts_at_s, ends_at_s = self.window
        if starts_at_s >= ends_at_s:
            raise ValueError(f"price override for {self.model!r}: ends_at_s must be later than starts_at_s")
        self.terms()

    @property
    def window(self) -> tuple[int, int]:
        return self.starts_at_s or 0, ALWAYS_S if self.ends_at_s is None else self.ends_at_s

    def terms(self) -> "Terms":
        """The override as numbers."""
        if self.multiplier:
            return Terms({}, _amount(f"price override for {self.model!r}: multiplier", self.multiplier))
        return Terms(dict(self._priced_unit(bucket, rate) for bucket, rate in self.rates.items()), None)

    def _priced_unit(self, bucket: str, rate: str) -> tuple[Unit, Fraction]:
        if bucket not in UNITS:
            raise ValueError(
                f"price override for {self.model!r}: no bucket {bucket!r}; choose from {', '.join(BUCKETS)}"
            )
        usd = _amount(f"price override for {self.model!r}: {bucket}", rate)
        usd_per_bucket = usd / COUNT_PER_RATE.get(bucket, _MILLION)
        return _inherited(UNITS[bucket]), usd_per_bucket * BUCKETS_PER_UNIT.get(bucket, 1)


class Terms(NamedTuple):
    """USD for one of each stated unit; or a factor on the whole list price."""

    usd: Mapping[Unit, Fraction]
    factor: Fraction | None

    def applied_to(self, sheet: Sheet) -> Sheet:
        return sheet.scaled(self.factor) if self.factor is not None else sheet.overlaid(self.usd)


class Overrides:
    """A set of overrides, found by scope and model; of those in force the most specific, then the last stated."""

    __slots__ = ("_by_target",)

    def __init__(self, overrides: Sequence[Override]) -> None:
        self._by_target: dict[tuple[str, str], list[tuple[Override, Terms]]] = {}
        for override in overrides:
            target = (override.scope, override.model.lower())
            self._by_target.setdefault(target, []).append((override, override.terms()))

    def find(self, scope: str, names: Sequence[str], at_s: int) -> tuple[Terms | None, list[int]]:
        """The terms in force for a model under any of its lower-case names, and every second at which that changes."""
        changes_s: list[int] = []
        in_force: Terms | None = None
        for target in ((s, name) for s in (scope, "*") for name in (*names, "*")):
            for override, terms in reversed(self._by_target.get(target, ())):
                starts_at_s, ends_at_s = override.window
                changes_s += (starts_at_s, ends_at_s)
                if in_force is None and starts_at_s <= at_s < ends_at_s:
                    in_force = terms
        return in_force, changes_s


def _inherited(unit: Unit) -> Unit:
    """The unit a stated rate prices: text is the usual modality, so its rate is what the others inherit."""
    return unit - {("modality", "text")} if ("family", "tokens") in unit else unit


def _amount(what: str, text: str) -> Fraction:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f'{what}: {text!r} is not a decimal number; write it like "0.15"') from None
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{what}: {text!r} must be 0 or more")
    if amount and not -DECIMALS_MAX <= amount.adjusted() < DIGITS_MAX:
        raise ValueError(f"{what}: {text!r} must be below 10^{DIGITS_MAX}, and 0 or not below 10^-{DECIMALS_MAX}")
    return Fraction(amount)
