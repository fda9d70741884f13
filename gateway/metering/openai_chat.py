"""Owns the reading of chat and legacy completions, of OpenAI and of everything that speaks its dialect.

Shapes and overlaps are provider_facts section 1. One reader serves the whole family, because the
members are told apart by arithmetic that the answer itself contains; what arithmetic cannot tell
stands in `QUIRKS`.
"""

import re

import msgspec

from gateway.metering.counts import (
    INCONSISTENT,
    PROVIDER_ERROR,
    Count,
    Seconds,
    is_stated,
    milliseconds,
    text_or_none,
)
from gateway.metering.openai_usage import InputDetails, OutputDetails, input_buckets, output_buckets, overdrawn
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class Quirk(msgspec.Struct, frozen=True):
    """How a provider departs from OpenAI, where reasoning is within `completion_tokens`.

    `beside`: reasoning tokens come on top of it, even where no total says so. `total_without_reasoning`:
    and the total leaves them out. `hidden_output`: the total holds output that no other number names.
    """

    beside: bool = False
    total_without_reasoning: bool = False
    hidden_output: bool = False


_OPENAI = Quirk()
QUIRKS: dict[str, Quirk] = {
    # total = prompt + completion + reasoning in 4 of 4 recordings.
    "xai": Quirk(beside=True),
    # sonar-deep-research: reasoning and citation tokens are billed beside completion (genai-prices 0.2.3,
    # perplexity: both add to output), and the total names neither.
    "perplexity": Quirk(beside=True, total_without_reasoning=True),
    # Google's OpenAI-compatible endpoint shows thoughts only in the total: 35 + 12 against 109, recorded.
    "gemini": Quirk(hidden_output=True),
    # May be any of these origins, Google's too.
    "openai-compatible": Quirk(hidden_output=True),
}


# Models that search the web before they answer, once for every request (developers.openai.com/api/docs/guides/
# tools-web-search, "Chat Completions"); no answer of theirs says so.
_SEARCHES_ALWAYS = re.compile(r".+-search-(?:preview|api)(?:-\d{4}-\d\d-\d\d)?")
_SELLS_SEARCHERS = frozenset(("openai", "azure"))


class _Usage(msgspec.Struct, frozen=True, gc=False):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    # Cached tokens outside the details: DeepSeek; Moonshot, Together and Hugging Face; Mistral.
    prompt_cache_hit_tokens: Count | None = None
    cached_tokens: Count | None = None
    num_cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None  # Perplexity, Azure's DeepSeek
    citation_tokens: Count | None = None  # Perplexity
    num_search_queries: Count | None = None  # Perplexity
    prompt_audio_seconds: Seconds | None = None  # Mistral's Voxtral; its tokens are in the total alone


class _Timings(msgspec.Struct, frozen=True, gc=False):
    """llama.cpp's own count, which it sends even where it sends no usage."""

    prompt_n: Count
    predicted_n: Count
    cache_n: Count = 0


class _Groq(msgspec.Struct, frozen=True, gc=False):
    usage: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct, frozen=True, gc=False):
    finish_reason: object = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer or one chunk of a stream. Numbers stay raw until something needs them."""

    id: object = None
    model: object = None
    service_tier: object = None
    choices: list[_Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    x_groq: _Groq | None = None
    timings: msgspec.Raw = msgspec.Raw()
    error: object = None


_NO_INPUT_DETAILS = InputDetails()
_NO_OUTPUT_DETAILS = OutputDetails()

_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)
_timings = msgspec.json.Decoder(_Timings)


def read(payload: bytes, provider: str) -> Reading:
    """One answer or chunk: "reported" if its usage is final, "partial" if it is a running total.

    Raises NotJson or msgspec.ValidationError for what is no answer at all.
    """
    answer = jsontext.decode(_answers, payload)
    usage, flags = _usage(answer, QUIRKS.get(provider, _OPENAI))
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    model = text_or_none(answer.model)
    if usage is not None and model is not None and provider in _SELLS_SEARCHERS and _SEARCHES_ALWAYS.fullmatch(model):
        usage = msgspec.structs.replace(usage, web_searches=1)
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported" if _is_final(answer) else "partial",
        model=model,
        service_tier=text_or_none(answer.service_tier),
        response_id=text_or_none(answer.id),
        flags=flags,
    )


def _is_final(answer: _Answer) -> bool:
    """A running total stands on a chunk whose choices are still being written."""
    return not answer.choices or any(choice.finish_reason is not None for choice in answer.choices)


def _usage(answer: _Answer, quirk: Quirk) -> tuple[Usage | None, tuple[str, ...]]:
    stated = _stated(answer)
    try:
        if stated:
            return _disjoint(jsontext.decode_member(_usages, stated), quirk)
        if is_stated(answer.timings):
            return _from_timings(jsontext.decode_member(_timings, answer.timings)), ()
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)
    return None, ()


def _stated(answer: _Answer) -> msgspec.Raw | None:
    """Groq repeats the usage in `x_groq`, where older streams have it alone: it counts once."""
    if is_stated(answer.usage):
        return answer.usage
    return answer.x_groq.usage if answer.x_groq and is_stated(answer.x_groq.usage) else None


def _from_timings(timings: _Timings) -> Usage:
    return Usage(input_text=timings.prompt_n, cache_read_text=timings.cache_n, output_text=timings.predicted_n)


def _disjoint(usage: _Usage, quirk: Quirk) -> tuple[Usage | None, tuple[str, ...]]:
    """The buckets, and flags; None where the answer states nothing or contradicts itself."""
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None, ()
    beside = _reasoning_beside(usage, quirk)
    if beside is None:
        return None, (INCONSISTENT,)
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    details_in = usage.prompt_tokens_details or _NO_INPUT_DETAILS
    details_out = usage.completion_tokens_details or _NO_OUTPUT_DETAILS
    cached = _cached(usage, details_in)
    buckets = input_buckets(prompt, details_in, cached)
    buckets |= output_buckets(completion, details_out, 0 if beside else _reasoning(usage), beside)
    if usage.citation_tokens or usage.num_search_queries or usage.prompt_audio_seconds:
        buckets["output_citation"] = usage.citation_tokens or 0
        buckets["web_searches"] = usage.num_search_queries or 0
        buckets["input_audio_ms"] = milliseconds(usage.prompt_audio_seconds or 0)
    return Usage(**buckets), (INCONSISTENT,) if overdrawn(prompt, details_in, cached) else ()


def _cached(usage: _Usage, details: InputDetails) -> int:
    if details.cached_tokens is not None:
        return details.cached_tokens
    return usage.prompt_cache_hit_tokens or usage.cached_tokens or usage.num_cached_tokens or 0


def _reasoning(usage: _Usage) -> int:
    details = usage.completion_tokens_details
    if details is not None and details.reasoning_tokens is not None:
        return details.reasoning_tokens
    return usage.reasoning_tokens or 0


def _reasoning_beside(usage: _Usage, quirk: Quirk) -> int | None:
    """How many output tokens `completion_tokens` leaves out; None: the total contradicts its parts."""
    parts = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
    stated = usage.total_tokens
    if quirk.beside and (stated is None or quirk.total_without_reasoning):
        return _reasoning(usage)
    excess = 0 if stated is None or usage.prompt_audio_seconds else stated - parts
    if excess == 0:
        return 0
    if excess == _reasoning(usage) or (excess > 0 and quirk.hidden_output):
        return excess
    return None
