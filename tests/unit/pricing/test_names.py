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
        # As the clients of these providers and the sandbox write them.
        ("mistral", "mistral-small-latest", "mistral-small-latest", "exact"),
        ("mistral", "codestral-latest", "codestral", "alias"),
        ("mistral", "codestral-embed", "codestral-embed-2505", "alias"),
        ("mistral", "mistral-embed", "mistral-embed", "exact"),
        ("mistral", "mistral-ocr-latest", "mistral-ocr-latest", "exact"),
        (
            "together",
            "meta-llama/llama-3.3-70b-instruct-turbo",
            "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "exact",
        ),
        ("together", "meta-llama/llama-3-70b-chat-hf", "meta-llama/Llama-3-70b-chat-hf", "exact"),
        ("cohere", "command-r-08-2024", "command-r", "alias"),
        ("cohere", "command-r-plus-08-2024", "command-r-plus", "alias"),
        ("cohere", "command-r7b-12-2024", "command-r7b", "alias"),
        ("cohere", "command-a-03-2025", "command-a", "alias"),
        ("cohere", "embed-v4.0", "embed-v4.0", "exact"),
        ("voyageai", "voyage-3.5-lite", "voyage-3.5-lite", "exact"),
        ("voyageai", "voyage-context-3", "voyage-context-3", "exact"),
        ("deepseek", "deepseek-chat", "deepseek-chat", "exact"),
        ("deepseek", "deepseek-reasoner", "deepseek-reasoner", "exact"),
        ("x-ai", "grok-3-mini", "grok-3-mini", "exact"),
        ("x-ai", "grok-4-fast-reasoning", "grok-4-fast-reasoning", "exact"),
        ("perplexity", "sonar", "sonar", "exact"),
        ("perplexity", "sonar-deep-research", "sonar-deep-research", "exact"),
        ("moonshotai", "kimi-k2.6", "kimi-k2.6", "exact"),
        ("moonshotai", "kimi-k2-0905-preview", "kimi-k2-0905-preview", "exact"),
        ("zai", "glm-4.5-air", "GLM-4.5-Air", "exact"),
        ("zai", "glm-4.6", "GLM-4.6", "exact"),
        ("cerebras", "llama3.1-8b", "llama3.1-8b", "exact"),
        ("cerebras", "gpt-oss-120b", "gpt-oss-120b", "exact"),
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
        ("openai", "claude-sonnet-4-5"),
        ("cohere", "command-r-03-2024"),  # it cost three times as much as what is listed
        ("cohere", "rerank-v3.5"),
        ("together", "deepseek-ai/deepseek-v3"),
        ("voyageai", "voyage-multimodal-3"),
        ("zai", "glm-4.5-flash"),
        ("cerebras", "zai-glm-4.6"),
        ("moonshotai", "kimi-latest"),
        ("no-such-provider", "gpt-4o"),
        ("", "gpt-4o"),
    ],
)
def test_a_prefix_or_a_substring_is_not_a_name(provider: str, name: str):
    assert NAMES.resolve(provider, name) is None


# Bedrock's ids: docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html.
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"),
        ("us.amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"),
        ("us.amazon.nova-2-lite-v1:0", "regional.amazon.nova-2-lite-v1:0"),
        ("jp.amazon.nova-2-lite-v1:0", "regional.amazon.nova-2-lite-v1:0"),
        ("global.amazon.nova-2-lite-v1:0", "global.amazon.nova-2-lite-v1:0"),
        ("us.meta.llama3-3-70b-instruct-v1:0", "meta.llama3-3-70b-instruct-v1:0"),
        ("us.deepseek.r1-v1:0", "deepseek.r1-v1:0"),
        ("amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0"),
        ("amazon.titan-embed-text-v1", "amazon.titan-embed-text-v1"),
        ("mistral.mistral-large-2402-v1:0", "mistral.mistral-large-2402-v1:0"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "regional.anthropic.claude-3-sonnet-20240229-v1:0"),
        ("us.anthropic.claude-3-sonnet-20240229-v1:0", "regional.anthropic.claude-3-sonnet-20240229-v1:0"),
        ("apac.anthropic.claude-3-haiku-20240307-v1:0", "regional.anthropic.claude-3-haiku-20240307-v1:0"),
        ("eu.anthropic.claude-3-5-sonnet-20240620-v1:0", "regional.anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "regional.anthropic.claude-opus-4-5-v1:0"),
        ("global.anthropic.claude-opus-4-5-20251101-v1:0", "global.anthropic.claude-opus-4-5-v1:0"),
        ("us.anthropic.claude-opus-4-6-v1", "regional.anthropic.claude-opus-4-6-v1:0"),
        ("au.anthropic.claude-sonnet-4-6", "regional.anthropic.claude-sonnet-4-6-v1:0"),
        ("us.anthropic.claude-opus-4-8", "regional.anthropic.claude-opus-4-8-v1:0"),
        ("global.anthropic.claude-opus-5", "global.anthropic.claude-opus-5"),
        ("us.zai.glm-5.3", "regional.zai.glm-5.3"),
    ],
)
def test_a_bedrock_name_means_the_model_at_the_price_of_its_geography(name: str, model: str):
    resolved = NAMES.resolve("aws", name)
    assert resolved is not None
    assert resolved.model.id == model


@pytest.mark.parametrize(
    "name",
    [
        "eu.amazon.nova-micro-v1:0",  # only the price of the United States is listed, and Europe's is higher
        "eu.meta.llama3-2-1b-instruct-v1:0",
        "global.amazon.nova-micro-v1:0",
        "global.anthropic.claude-3-haiku-20240307-v1:0",
        "us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0",
        "us-gov.anthropic.claude-opus-4-8",
        "amazon.nova-2-lite-v1:0",
        "xx.amazon.nova-micro-v1:0",
        "bus.anthropic.claude-opus-4-8",
        "us.anthropic.claude-opus-4-6-v2:0",
        "us.anthropic.claude-opus-4-55-v1:0",
        "amazon.nova-micro-v2:0",
        "us.amazon.nova-micro-v1:O",
        "amazon.titan-text-express-v1:0:8k",  # of provisioned throughput, which is billed by the hour
        "amazon.titan-tg1-large",
        "anthropic.claude-instant-v1",
        "cohere.embed-english-v3",
        "openai.gpt-oss-120b",
    ],
)
def test_a_bedrock_name_whose_price_is_not_listed_is_unknown(name: str):
    assert NAMES.resolve("aws", name) is None


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
