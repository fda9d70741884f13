"""Owns the most that a call can use of its model, beside its text: tokens in and out, and as what they may be billed.

Takes what the body asks for and the model's limits. What nothing bounds is Unbounded, in words that name the way out.
Pure. What it rests on: docs/internals/bounds.md.
"""

import re

from msgspec.structs import replace

from gateway.bounds.asked import Asked
from gateway.metering import attachments, tokens
from pricing.bound import Most, Unbounded
from pricing.catalog import Price
from pricing.limits import Limits
from pricing.rates import BUCKETS
from pricing.usage import Usage

# Instructions that models come with: at most 65 tokens were seen in recorded prompts (gpt-oss); schemas of answers
# took up to 115 beside their text.
TEMPLATE_TOKENS = 512
# An image costs no more than its formula's maximum; formulas were measured, so some is added, in percent.
_IMAGE_PERCENT = 125
# Whose reasoning may stand beside what the cap is on (docs/internals/metering.md, "What departs from OpenAI's shape").
_REASONS_BESIDE = frozenset({"xai", "perplexity"})

# Who writes to a cache only when told to; the others may always.
_WRITES_WHEN_TOLD = frozenset({"anthropic.messages", "bedrock.converse", "bedrock.invoke"})
_WRITES = ("cache_write", "cache_write_30m")
# Who has no cache that a request could ask to be written.
_NEVER_TOLD = frozenset({"openai", "azure"})
Caching = tuple[bool, bool]  # whether a text may ask for a cache, and for one that lasts an hour
_UNTOLD: Caching = (False, False)
_ATTACHED = ("input_audio", "input_image", "input_video")


def most_used(
    asked: Asked, caching: Caching, *, provider: str, reader: str, model: str, limits: Limits
) -> Most | Unbounded:
    """The most it can use beside its text, where tokens are billed."""
    tokens_in = _tokens_in(asked, model, limits)
    tokens_out = _tokens_out(asked, provider, model, limits)
    if isinstance(tokens_in, Unbounded):
        return tokens_in
    if isinstance(tokens_out, Unbounded):
        return tokens_out
    outputs = ("output_reasoning", "output_citation", *asked.output_buckets)
    fees = asked.tooling.fees
    other = asked.other if fees == _NOTHING else fees + asked.other
    return Most(tokens_in, tokens_out, _input_buckets(asked, caching, reader), outputs, other)


_HEARD, _READ = BUCKETS.index("input_audio_ms"), BUCKETS.index("input_text")
_NOTHING = Usage()


def most_at(price: Price, used: Most | Unbounded, asked: Asked) -> Most | Unbounded:
    """The most that is used of what a price is of; where it has no rate for tokens, none of them are billed."""
    if asked.parts.opaque and price.rates[_HEARD] is not None:
        return Unbounded(f"{shown(price.model)} bills what it hears by its length, which the request does not tell")
    if not asked.by_rate:
        return used
    rated = {bucket: count for bucket, count in asked.other.buckets() if price.rates[BUCKETS.index(bucket)] is not None}
    if price.rates[_READ] is not None:
        return used if isinstance(used, Unbounded) else replace(used, other=Usage(**rated))
    if rated:
        return Most(0, 0, other=Usage(**rated))
    lacking = ", ".join(bucket for bucket, _ in asked.other.buckets())
    return Unbounded(f"{shown(price.model)} has no rate for {lacking}: state one in price_overrides", unpriced=True)


def _tokens_in(asked: Asked, model: str, limits: Limits) -> int | Unbounded:
    """Beside the text, of which no byte makes more than one, in vocabularies of bytes or such as fall back on them."""
    if not reads_whole_context(asked, model):
        own = TEMPLATE_TOKENS + asked.tooling.tokens + asked.more_in
        each = attachments.largest_image(family(model)) or 0
        return own + asked.parts.images * tokens.scale(each, _IMAGE_PERCENT, 100)
    if limits.input_tokens_max is None:
        return Unbounded(
            f"nothing is known of how much {shown(model)} can read, and what is stored, fetched or attached may be as"
            " much: send text alone"
        )
    # Each use of a tool makes the model read everything once more.
    return limits.input_tokens_max * (asked.tooling.uses + 1)


def reads_whole_context(asked: Asked, model: str) -> bool:
    """Whether nothing but the model's limit bounds what it reads."""
    parts = asked.parts
    unknown_image = bool(parts.images) and attachments.largest_image(family(model)) is None
    return asked.whole_context or parts.opaque or unknown_image or bool(asked.tooling.uses)


def hides_output(asked: Asked) -> bool:
    """Whether tokens may be put out that a stream does not show as text: thoughts, sound, what a prediction missed."""
    return asked.reasons or bool(asked.output_buckets or asked.more_out or asked.tooling.uses)


def _tokens_out(asked: Asked, provider: str, model: str, limits: Limits) -> int | Unbounded:
    if not asked.puts_out:
        return 0
    cap, limit = asked.cap, limits.output_tokens_max
    beside = provider in _REASONS_BESIDE and "non-reasoning" not in model
    if limit is None and (cap is None or beside):
        return Unbounded(
            f"nothing is known of how much {shown(model)} can put out: cap its output tokens, if its API lets you"
        )
    one = min(each for each in (cap, limit) if each is not None)
    hidden = (limit or 0) if beside and cap is not None else 0
    return (one + hidden) * asked.answers * (asked.tooling.uses + 1) + asked.more_out


def caching_in(text: bytes, provider: str) -> Caching:
    """What a request's text may ask of its provider's cache. A word in escapes may be any word."""
    if provider in _NEVER_TOLD:
        return _UNTOLD
    escaped = b"\\" in text and b"\\u" in text  # one byte is found ten times as fast
    told = escaped or b"cache" in text
    return told, told and (escaped or b"1h" in text)


def _input_buckets(asked: Asked, caching: Caching, reader: str) -> tuple[str, ...]:
    """What the input may be billed as besides text."""
    if not asked.puts_out:
        return ()
    told, for_an_hour = caching
    writes = _WRITES if told or reader not in _WRITES_WHEN_TOLD else ()
    writes += ("cache_write_5m",) * told + ("cache_write_1h",) * for_an_hour
    writes += ("cache_write_12h",) * asked.cached_12h
    attached = _ATTACHED if asked.parts.opaque or asked.whole_context else ("input_image",) * bool(asked.parts.images)
    return (*writes, *attached)


_PLACES = re.compile(r"^(?:[a-z-]+\.)+")


def family(model: str) -> str:
    """A name as tables of families have it: without its maker, and at Bedrock its place, in front."""
    return _PLACES.sub("", model.rpartition("/")[2].lower())


def shown(name: str) -> str:
    """A name that a client sent, fit to be shown."""
    return repr(name[:64]) if name.isprintable() else "this model"
