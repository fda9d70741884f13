from typing import Any

import pytest

from gateway.sandbox.bill import MODELS, Tokens
from gateway.sandbox.quirks import QUIRKS, Counted, reasons_in
from gateway.sandbox.refusals import WORDINGS

MODEL_OF = {
    "xai": "grok-3-mini",
    "openrouter": "openai/gpt-4o-mini",
    "perplexity": "sonar",
}


def usage(provider: str, model: str = "", **buckets: int) -> Any:
    """What that provider says of 10 uncached and 90 cached input tokens, 5 visible and 7 hidden ones."""
    prompt = Tokens(input=10, cache_read=90, **buckets)
    counted = Counted(MODELS[model or MODEL_OF.get(provider, "kimi-k2.6")], prompt, visible=5, reasoning=7)
    return QUIRKS[provider].usage(counted)


@pytest.mark.parametrize("provider", QUIRKS)
def test_every_total_is_the_sum_of_what_it_holds(provider: str):
    said = usage(provider)

    hidden_beside = {"xai": (5, 112), "perplexity": (5, 105)}
    completion, total = hidden_beside.get(provider, (12, 112))
    assert said["prompt_tokens"] == 100
    assert (said["completion_tokens"], said["total_tokens"]) == (completion, total)


@pytest.mark.parametrize("provider", ["mistral", "groq", "deepseek", "xai", "openrouter", "cerebras", "zai", "vllm"])
def test_cached_tokens_are_a_detail_of_the_prompt(provider: str):
    assert usage(provider)["prompt_tokens_details"]["cached_tokens"] == 90


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ("mistral", {"num_cached_tokens": 90}),
        ("deepseek", {"prompt_cache_hit_tokens": 90, "prompt_cache_miss_tokens": 10}),
        ("together", {"cached_tokens": 90}),
        ("moonshot", {"cached_tokens": 90}),
        ("perplexity", {"search_context_size": "low"}),
        # 10 × 0.3 + 90 × 0.075 + 12 × 0.5 µUSD, in ticks of 10⁻¹⁰ USD.
        ("xai", {"cost_in_usd_ticks": 157_500}),
        ("openrouter", {"is_byok": False, "cost": (1500 + 90 * 75 + 12 * 600) / 1e9}),
    ],
)
def test_each_has_members_of_its_own(provider: str, said: dict[str, Any]):
    assert said.items() <= usage(provider).items()


def test_deep_research_says_what_no_total_holds():
    said = usage("perplexity", "sonar-deep-research", citation=40, web_searches=3)

    assert (said["reasoning_tokens"], said["citation_tokens"], said["num_search_queries"]) == (7, 40, 3)
    assert said["total_tokens"] == 105


def test_groq_repeats_its_usage_and_llama_cpp_counts_without_one():
    counted = Counted(MODELS["llama-3.3-70b-versatile"], Tokens(input=10, cache_read=90), visible=5, reasoning=0)

    assert QUIRKS["groq"].last(counted)["x_groq"]["usage"] == QUIRKS["groq"].usage(counted)
    timings = QUIRKS["llama.cpp"].last(counted)["timings"]
    assert (timings["prompt_n"], timings["cache_n"], timings["predicted_n"]) == (10, 90, 5)


def test_mistral_shows_thoughts_as_content():
    assert reasons_in(QUIRKS["deepseek"], "so") == {"reasoning_content": "so"}
    assert reasons_in(QUIRKS["mistral"], "so")["content"][0]["thinking"][0]["text"] == "so"


def test_every_provider_with_quirks_can_refuse():
    assert set(QUIRKS) == set(WORDINGS) - {"voyage"}
