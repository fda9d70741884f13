from typing import Any

import pytest

from gateway.bounds.asked import Asked
from gateway.bounds.parts import Parts
from gateway.bounds.tools import Tooling
from gateway.worst_usage import TEMPLATE_TOKENS, caching_in, family, most_used, reads_whole_context, shown
from pricing.bound import Most, Unbounded
from pricing.limits import Limits

LIMITS = Limits(10_000, 1000)


def most(asked: Asked, limits: Limits = LIMITS, **how: Any) -> Most | Unbounded:
    named = {"caching": (False, False), "provider": "openai", "reader": "openai.chat", "model": "gpt-4o"} | how
    return most_used(asked, limits=limits, **named)


@pytest.mark.parametrize(
    ("asked", "tokens_in", "tokens_out"),
    [
        (Asked(), TEMPLATE_TOKENS, 1000),
        (Asked(cap=10), TEMPLATE_TOKENS, 10),
        (Asked(cap=5000), TEMPLATE_TOKENS, 1000),
        (Asked(cap=10, answers=3, more_in=7, more_out=2), TEMPLATE_TOKENS + 7, 32),
        (Asked(puts_out=False), TEMPLATE_TOKENS, 0),
        (Asked(whole_context=True, cap=1), 10_000, 1),
        (Asked(tooling=Tooling(uses=2), cap=10), 30_000, 30),
    ],
)
def test_what_is_asked_for_and_the_model_s_limits_bound_its_tokens(asked: Asked, tokens_in: int, tokens_out: int):
    found = most(asked)
    assert isinstance(found, Most)
    assert (found.tokens_in, found.tokens_out) == (tokens_in, tokens_out)


def test_reasoning_beside_the_cap_is_as_much_as_the_model_can_put_out():
    found = most(Asked(cap=10), provider="xai", model="grok-4")
    assert isinstance(found, Most)
    assert found.tokens_out == 1010


@pytest.mark.parametrize("asked", [Asked(), Asked(cap=10, whole_context=True), Asked(cap=10, parts=Parts(opaque=True))])
def test_what_only_an_unknown_limit_would_bound_is_unbounded(asked: Asked):
    found = most(asked, Limits(None, None))
    assert isinstance(found, Unbounded)
    assert "nothing is known of how much" in found.reason


@pytest.mark.parametrize(
    ("text", "provider", "caching"),
    [
        (b'{"a":"b"}', "anthropic", (False, False)),
        (b'{"cache_control":{}}', "anthropic", (True, False)),
        (b'{"cache_control":{"ttl":"1h"}}', "anthropic", (True, True)),
        (rb'{"\u0063ache_control":{}}', "anthropic", (True, True)),
        (b'{"cache_control":{"ttl":"1h"}}', "openrouter", (True, True)),
        (b'{"a":"the cache of 1h"}', "openai", (False, False)),
    ],
)
def test_a_text_may_ask_for_a_cache_where_its_provider_listens(text: bytes, provider: str, caching: tuple[bool, bool]):
    assert caching_in(text, provider) == caching


def test_writes_to_a_cache_are_counted_on_where_they_may_be():
    told = most(Asked(), caching=(True, True), provider="anthropic", reader="anthropic.messages")
    untold = most(Asked(), provider="anthropic", reader="anthropic.messages")
    unasked = most(Asked())
    assert isinstance(told, Most)
    assert isinstance(untold, Most)
    assert isinstance(unasked, Most)
    assert {"cache_write_5m", "cache_write_1h"} <= set(told.input_buckets)
    assert not untold.input_buckets
    assert unasked.input_buckets == ("cache_write", "cache_write_30m")


def test_an_image_whose_model_has_no_known_largest_may_fill_its_context():
    asked = Asked(parts=Parts(images=1))
    assert not reads_whole_context(asked, "gpt-4o")
    assert reads_whole_context(asked, "unheard-of")


def test_a_model_is_known_by_its_family_and_shown_if_it_can_be():
    assert family("us.anthropic.Claude-3-Haiku") == "claude-3-haiku"
    assert family("meta/llama-3") == "llama-3"
    assert shown("gpt-4o") == "'gpt-4o'"
    assert shown("a\nb") == "this model"
