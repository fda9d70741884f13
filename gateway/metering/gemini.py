"""Owns the reading of Gemini: generateContent, streamed or not, and embeddings; Vertex speaks the same.

The rules are provider_facts section 0 (6) and section 1: cached tokens are part of the prompt, tool
use is input beside it, thoughts are output beside the candidates, and every chunk repeats the
running totals, which may fall.
"""

import re
from collections.abc import Sequence

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, draw, draw_parts, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# Where a modality stands in a pool of [text, audio, image, video]. Pages of documents are counted and priced
# as images. Vertex writes numbers instead of names where asked to (google.cloud.aiplatform.v1 Modality).
_PLACES: dict[str | int | None, int] = {
    "AUDIO": 1, "IMAGE": 2, "DOCUMENT": 2, "VIDEO": 3,
    4: 1, 2: 2, 5: 2, 3: 3,
}  # fmt: skip
_MODALITIES = 4
# Models before Gemini 3 are billed for a prompt that searched, later ones for each of its queries
# (ai.google.dev/gemini-api/docs/pricing, "Grounding with Google Search").
_BILLED_BY_PROMPT = re.compile(r"gemini-(live-)?[12]\b")


class Part(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    modality: str | int | None = None
    token_count: Count | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    total_token_count: Count | None = None
    prompt_tokens_details: list[Part] | None = None
    prompt_token_details: list[Part] | None = None  # the same, as embeddings spell it
    cache_tokens_details: list[Part] | None = None
    candidates_tokens_details: list[Part] | None = None
    tool_use_prompt_tokens_details: list[Part] | None = None
    service_tier: object = None  # Gemini API
    traffic_type: object = None  # Vertex


class Grounding(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    web_search_queries: list[str] | None = None
    image_search_queries: list[str] | None = None  # billed as those of the web are

    @property
    def queries(self) -> int:
        return len(self.web_search_queries or ()) + len(self.image_search_queries or ())


class _Candidate(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    finish_reason: object = None
    grounding_metadata: Grounding | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    response_id: object = None
    model_version: object = None
    usage_metadata: msgspec.Raw = msgspec.Raw()
    candidates: list[_Candidate] | None = None
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)


def read(payload: bytes, provider: str) -> Reading:
    """One answer or chunk; a chunk is "reported" if a candidate ends on it, else "partial".

    Raises NotJson or msgspec.ValidationError for what is neither.
    """
    answer = jsontext.decode(_answers, payload)
    candidates = answer.candidates or []
    usage, flags = _usage(answer.usage_metadata)
    searches = billed_searches(text_or_none(answer.model_version), _searches(candidates))
    counted = _buckets(usage, searches) if usage else None
    final = any(candidate.finish_reason is not None for candidate in candidates)
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=(Line(counted),) if counted else (),
        provenance="unknown" if counted is None else "reported" if final else "partial",
        model=text_or_none(answer.model_version),
        service_tier=text_or_none(usage.service_tier) if usage else None,
        context=_context(usage) if usage else (),
        response_id=text_or_none(answer.response_id),
        flags=flags,
    )


def _usage(stated: msgspec.Raw) -> tuple[_Usage | None, tuple[str, ...]]:
    """The usage if it states tokens and its total agrees. Vertex sends chunks with a traffic type alone."""
    try:
        usage = jsontext.decode_member(_usages, stated) if is_stated(stated) else _Usage()
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)
    counts = (
        usage.prompt_token_count,
        usage.candidates_token_count,
        usage.thoughts_token_count,
        usage.tool_use_prompt_token_count,
    )
    if all(count is None for count in counts):
        return None, ()
    agrees = not usage.total_token_count or usage.total_token_count == sum(count or 0 for count in counts)
    return (usage, ()) if agrees else (None, (INCONSISTENT,))


def _context(usage: _Usage) -> tuple[tuple[str, str], ...]:
    traffic = text_or_none(usage.traffic_type)
    return (("traffic_type", traffic),) if traffic else ()


def _searches(candidates: list[_Candidate]) -> int:
    """Queries put to Google Search."""
    grounded = (candidate.grounding_metadata for candidate in candidates)
    return sum(grounding.queries for grounding in grounded if grounding)


def billed_searches(model: str | None, queries: int) -> int:
    """What of the queries that a prompt caused is billed by a model, named as its answer does."""
    once = model is not None and _BILLED_BY_PROMPT.match(model.rpartition("/")[2])
    return min(queries, 1) if once else queries


def _buckets(usage: _Usage, web_searches: int) -> Usage:
    prompt = pools(usage.prompt_token_count, usage.prompt_tokens_details or usage.prompt_token_details)
    tools = pools(usage.tool_use_prompt_token_count, usage.tool_use_prompt_tokens_details)
    cached = drawn(prompt, usage.cached_content_token_count or 0, usage.cache_tokens_details)
    output = pools(usage.candidates_token_count, usage.candidates_tokens_details)
    return buckets(prompt, tools, cached, output, usage.thoughts_token_count or 0, web_searches)


def buckets(
    prompt: list[int], tools: list[int], cached: list[int], output: list[int], thoughts: int, web_searches: int
) -> Usage:
    """What pools by modality come to; `prompt` is what no cache served, tool use is input beside it."""
    text, audio, image, video = (part + tool for part, tool in zip(prompt, tools, strict=True))
    return Usage(
        input_text=text,
        input_audio=audio,
        input_image=image,
        input_video=video,
        cache_read_text=cached[0],
        cache_read_audio=cached[1],
        cache_read_image=cached[2],
        cache_read_video=cached[3],
        output_text=output[0],
        output_audio=output[1],
        output_image=output[2],
        output_video=output[3],
        output_reasoning=thoughts,
        web_searches=web_searches,
    )


def pools(total: int | None, details: Sequence[Part] | None) -> list[int]:
    """The total by modality; what the details do not claim is text, and they never claim more than there is."""
    rest, claimed = [total or 0], [0] * _MODALITIES
    for part in details or ():
        place = _PLACES.get(part.modality, 0)
        if place:
            claimed[place] += draw(rest, part.token_count or 0)[0]
    return [rest[0], *claimed[1:]]


def drawn(prompt: list[int], cached: int, details: Sequence[Part] | None) -> list[int]:
    """The cached part of the prompt by modality, taken out of `prompt`."""
    return draw_parts(prompt, cached, pools(cached, details))
