import pytest

from pricing.limits import Limits, find_limits


@pytest.mark.parametrize(
    ("provider", "model", "limits"),
    [
        ("openai", "gpt-4o", Limits(128_000, 16_384)),
        ("openai", "gpt-4o-2024-05-13", Limits(128_000, 4_096)),
        ("openai", "gpt-4-0613", Limits(8_192, 8_192)),
        ("azure", "gpt-4-32k", Limits(32_768, 32_768)),
        ("openai", "davinci-002", Limits(16_384, 16_384)),
        ("anthropic", "claude-haiku-4-5-20251001", Limits(200_000, 64_000)),
        ("aws", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", Limits(200_000, 64_000)),
        ("groq", "openai/gpt-oss-120b", Limits(131_072, 65_536)),
        ("x-ai", "grok-4.20-0309-reasoning", Limits(1_000_000, 1_000_000)),
    ],
)
def test_a_listed_name_has_its_own_limits(provider, model, limits):
    assert find_limits(provider, model) == limits


def test_a_snapshot_that_is_not_listed_has_its_model_s():
    assert find_limits("openai", "gpt-4.1-mini-2027-01-01") == find_limits("openai", "gpt-4.1-mini")


def test_a_name_whose_snapshots_alone_are_listed_has_the_largest_of_theirs():
    assert find_limits("openai", "gpt-4o-audio-preview") == Limits(128_000, 16_384)


def test_a_model_listed_twice_has_the_larger_limit():
    # 65,535 at Vertex AI, 65,536 at the Gemini API.
    assert find_limits("google", "gemini-2.5-pro") == Limits(1_048_576, 65_536)


def test_a_reseller_s_model_has_the_limits_of_its_maker_where_those_are_larger():
    assert find_limits("azure", "gpt-5-chat-latest") == find_limits("openai", "gpt-5-chat-latest")
    # 32,000 in Azure's list.
    assert find_limits("azure", "gpt-realtime-2.1") == Limits(128_000, 32_000)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-4o-whatever"), ("openai", "gpt-4"[:-1]), ("openai", ""), ("", "gpt-4o"), ("nobody", "gpt-4o"),
        ("anthropic", "claude-haiku"), ("openai", "gpt-4o\0"), ("openai", " gpt-4o"), ("openrouter", "openai/gpt-4o"),
    ],
)  # fmt: skip
def test_what_is_not_listed_is_never_guessed(provider, model):
    assert find_limits(provider, model) is None


def test_a_model_that_puts_out_no_tokens_has_no_limit_of_them():
    found = find_limits("openai", "text-embedding-3-small")
    assert found is not None
    assert found.output_tokens_max is None
