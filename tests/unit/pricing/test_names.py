import pytest
from genai_prices.data import providers
from genai_prices.types import ClauseAnd, ClauseEquals, ClauseOr

from pricing.names import Names

NAMES = Names(providers)


@pytest.mark.parametrize(
    ("provider", "name", "model", "match"),
    [
        ("openai", "gpt-4o", "gpt-4o", "exact"),
        ("openai", "gpt-4o-2024-08-06", "gpt-4o", "alias"),
        ("openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13", "exact"),  # a price of its own
        ("openai", "gpt-6-sol-2026-09-22", "gpt-6-sol", "alias"),
        ("openai", "gpt-4o-realtime-preview-2024-12-17", "gpt-4o-realtime-preview", "alias"),
        ("openai", "gpt-3.5-turbo-instruct:20230824-v2", "gpt-3.5-turbo-instruct", "alias"),
        ("openai", "ft:gpt-4o-2024-08-06:acme:support:9aXyZ", "ft:gpt-4o", "alias"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::9aXyZ", "ft:gpt-4o-mini", "alias"),
        ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5", "exact"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "alias"),
        ("anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4-0", "alias"),
        ("anthropic", "claude-3-5-haiku-latest", "claude-3-5-haiku-latest", "exact"),
        ("anthropic", "claude-3-5-haiku-20241022", "claude-3-5-haiku-latest", "alias"),
        ("google", "gemini-2.0-flash-001", "gemini-2.0-flash", "alias"),
        ("google", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro", "alias"),
        ("google", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash", "alias"),
        ("google", "gemini-2.5-flash-lite-preview-tts", "gemini-2.5-flash-lite-preview-tts", "exact"),
        ("google", "gemini-flash-latest", "gemini-3.8-flash", "alias"),
        ("google", "models/gemini-2.5-flash", "gemini-2.5-flash", "exact"),
        ("google", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5", "alias"),
        ("mistral", "mistral-large-2411", "mistral-large", "alias"),
        ("x-ai", "grok-4-latest", "grok-4-0709", "alias"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b", "exact"),
        (
            "aws",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "regional.anthropic.claude-haiku-4-5-20251001-v1:0",
            "alias",
        ),
        ("aws", "anthropic.claude-3-haiku-20240307-v1:0", "regional.anthropic.claude-3-haiku-20240307-v1:0", "alias"),
        ("aws", "eu.amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", "alias"),
    ],
)
def test_what_providers_call_their_models_is_known(provider: str, name: str, model: str, match: str):
    resolved = NAMES.resolve(provider, name)
    assert resolved is not None
    assert (resolved.model.id, resolved.match) == (model, match)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "claude-sonnet-4-5-whatever"),
        ("anthropic", "claude-sonnet-4-5-20250929-whatever"),
        ("anthropic", "claude-opus-4-8-mini"),
        ("google", "gemini-2.5-pro-nonsense"),
        ("google", "my-gemini-1.5-pro-clone"),
        ("openai", "gpt-4o-xyz"),
        ("openai", "gpt-4o-2024-12-31"),  # a date its provider never released
        ("openai", "ft:gpt-4o-2024-whatever"),
        ("openai", "gpt-5-nano-turbo"),
        ("openai", ""),
        ("aws", "us.amazon.nova-lite-clone-v1:0"),
        ("aws", "elsewhere.amazon.nova-lite-v1:0"),
        ("openai", "claude-sonnet-4-5"),
        ("no-such-provider", "gpt-4o"),
        ("", "gpt-4o"),
    ],
)
def test_a_prefix_or_a_substring_is_not_a_name(provider: str, name: str):
    assert NAMES.resolve(provider, name) is None


def test_a_reseller_borrows_prices_for_what_its_own_table_lacks():
    azure = NAMES.resolve("azure", "gpt-4o-2024-08-06")
    assert azure is not None
    assert (azure.model.id, azure.match, azure.borrowed) == ("gpt-4o", "alias", True)
    # genai-prices gives this the price of o4-mini, which the name contains.
    deep_research = NAMES.resolve("azure", "o4-mini-deep-research")
    assert deep_research is not None
    assert deep_research.model.id == "o4-mini-deep-research"
    own = NAMES.resolve("azure", "o1")
    assert own is not None
    assert not own.borrowed


def _equalities(clause) -> list[str]:
    if isinstance(clause, ClauseEquals):
        return [clause.equals]
    clauses = clause.or_ if isinstance(clause, ClauseOr) else clause.and_ if isinstance(clause, ClauseAnd) else []
    return [text for inner in clauses for text in _equalities(inner)]


def test_every_name_that_genai_prices_spells_out_means_the_same_model_here():
    for provider in providers:
        for model in provider.models:
            for name in map(str.lower, (model.id, *_equalities(model.match))):
                theirs = provider.find_model(name)
                ours = NAMES.resolve(provider.id, name)
                assert (ours and not ours.borrowed and ours.model.id) == (theirs and theirs.id), (provider.id, name)
