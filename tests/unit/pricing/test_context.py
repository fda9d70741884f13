from fractions import Fraction

import pytest

from pricing.context import read_context


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        ("openai", "service_tier", "default"),
        ("openai", "service_tier", "auto"),
        ("anthropic", "service_tier", "standard"),
        ("anthropic", "speed", "standard"),
        ("anthropic", "inference_geo", "global"),
        ("anthropic", "inference_geo", "not_available"),
        ("groq", "service_tier", "on_demand"),
        ("groq", "service_tier", "flex"),  # documented to cost the same
        ("google", "service_tier", "STANDARD"),
        ("google", "traffic_type", "ON_DEMAND"),
        ("google", "traffic_type", "TRAFFIC_TYPE_UNSPECIFIED"),
        ("x-ai", "service_tier", ""),
    ],
)
def test_the_usual_tier_by_any_of_its_names_is_the_list_price(provider: str, name: str, value: str):
    assert read_context(provider, ((name, value),)) == ({}, 1)


@pytest.mark.parametrize(
    ("provider", "context", "variant"),
    [
        ("openai", ("service_tier", "flex"), {"service_tier": "flex"}),
        ("openai", ("service_tier", "priority"), {"service_tier": "priority"}),
        ("anthropic", ("service_tier", "batch"), {"processing": "batch"}),
        ("anthropic", ("speed", "fast"), {"speed": "fast"}),
        ("google", ("traffic_type", "ON_DEMAND_PRIORITY"), {"service_tier": "priority"}),
        ("google", ("traffic_type", "ON_DEMAND_FLEX"), {"service_tier": "flex"}),
        ("openai", ("service_tier", "flexx"), {"service_tier": "flexx"}),  # which no catalog has
        ("groq", ("service_tier", "performance"), {"service_tier": "performance"}),
    ],
)
def test_other_tiers_are_called_as_the_catalog_calls_them(provider: str, context: tuple[str, str], variant: dict):
    assert read_context(provider, (context,)) == (variant, 1)


def test_inference_in_the_united_states_costs_a_tenth_more_at_anthropic_only():
    assert read_context("anthropic", (("inference_geo", "us"),)) == ({}, Fraction(11, 10))
    assert read_context("openai", (("inference_geo", "us"),)) == ({"inference_geo": "us"}, 1)


def test_modifiers_are_read_together():
    context = (("service_tier", "standard"), ("speed", "fast"), ("inference_geo", "us"))
    assert read_context("anthropic", context) == ({"speed": "fast"}, Fraction(11, 10))
