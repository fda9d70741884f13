"""Owns the vocabulary of price modifiers: what providers call a tier, and what the catalog calls it.

Closed on purpose. A value nobody has listed is not the standard price, it is unknown: an answer from a
tier we have never heard of must not be billed as if it came from the usual one.
"""

from fractions import Fraction
from typing import NamedTuple

Context = tuple[tuple[str, str], ...]

# Ways to say "the list price", compared in lower case. OpenAI: auto, default; Anthropic: standard, and for
# inference_geo global or not_available; Groq: on_demand; Vertex trafficType: ON_DEMAND; the *_UNSPECIFIED of
# Google's enums. Source: the SDKs' literals, read 2026-11.
_STANDARD = frozenset(
    {
        "",
        "auto",
        "default",
        "standard",
        "on_demand",
        "global",
        "not_available",
        "unspecified",
        "service_tier_unspecified",
        "traffic_type_unspecified",
    }
)

# Names for one thing, by which a catalog variant is found. Whatever is not here goes by its own name.
_SYNONYMS: dict[tuple[str, str], tuple[str, str]] = {
    ("service_tier", "batch"): ("processing", "batch"),  # Anthropic reports batches as a tier
    ("traffic_type", "on_demand_priority"): ("service_tier", "priority"),  # Vertex AI
    ("traffic_type", "on_demand_flex"): ("service_tier", "flex"),
}

# Tiers that cost what the standard one does. console.groq.com/docs/flex-processing: "Pricing matches the
# on-demand tier." Groq's `performance` is bought capacity, without a price per token: unknown here.
_SAME_PRICE = frozenset({("groq", "service_tier", "flex")})

# Token prices times this. platform.claude.com/docs/en/build-with-claude/data-residency: inference_geo "us" is
# 1.1x on every token category, on top of any other modifier; searches are not tokens.
_TOKEN_FACTORS = {("anthropic", "inference_geo", "us"): Fraction(11, 10)}


class Modifiers(NamedTuple):
    """A context in the catalog's words: the variant to price by (empty: the list price) and a factor on tokens."""

    variant: dict[str, str]
    token_factor: Fraction


def read_context(provider: str, context: Context) -> Modifiers:
    """Modifiers of a provider's own words. A word of no vocabulary stays, and then matches no variant."""
    variant: dict[str, str] = {}
    token_factor = Fraction(1)
    for name, raw in context:
        value = raw.lower()
        if value in _STANDARD or (provider, name, value) in _SAME_PRICE:
            continue
        factor = _TOKEN_FACTORS.get((provider, name, value))
        if factor is not None:
            token_factor *= factor
            continue
        name, value = _SYNONYMS.get((name, value), (name, value))
        variant[name] = value
    return Modifiers(variant, token_factor)
