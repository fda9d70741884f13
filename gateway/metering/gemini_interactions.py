"""Owns the reading of Gemini's interactions: a usage in the interaction, whole or in the last event of a stream.

Shapes are google-genai 3.4.0, _gaos/types/interactions. Cached tokens are part of the input; tool use is input
beside it, thoughts are output beside the output: 10 of 10 recorded totals. Every interaction names itself as work,
because a stored one can be fetched, and nothing in it says whether it ran in the background.
"""

import msgspec

from gateway.metering import gemini
from gateway.metering.counts import (
    INCONSISTENT,
    PROVIDER_ERROR,
    Contradiction,
    Count,
    check_total,
    is_stated,
    text_or_none,
)
from gateway.metering.reading import About, Line, Provenance, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# Where an interaction has not come to its end.
_UNFINISHED = frozenset(("queued", "in_progress"))
_SEARCH = "google_search"


class _Part(msgspec.Struct, frozen=True, gc=False):
    modality: object = None
    tokens: Count | None = None


class _Grounding(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    count: Count | None = None


class _Usage(msgspec.Struct, frozen=True, gc=False):
    total_input_tokens: Count | None = None
    total_cached_tokens: Count | None = None
    total_tool_use_tokens: Count | None = None
    total_output_tokens: Count | None = None
    total_thought_tokens: Count | None = None
    total_tokens: Count | None = None
    input_tokens_by_modality: list[_Part] | None = None
    cached_tokens_by_modality: list[_Part] | None = None
    tool_use_tokens_by_modality: list[_Part] | None = None
    output_tokens_by_modality: list[_Part] | None = None
    grounding_tool_count: list[_Grounding] | None = None


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    """What an event says beside itself: running totals. The SDK names the second, recorded was the first."""

    usage: msgspec.Raw = msgspec.Raw()
    total_usage: msgspec.Raw = msgspec.Raw()


class _Interaction(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    status: object = None
    model: object = None
    agent: object = None
    service_tier: object = None
    usage: msgspec.Raw = msgspec.Raw()
    error: object = None


class _Answer(_Interaction, frozen=True, gc=False):
    """A whole interaction, or an event that may hold one."""

    event_type: object = None
    interaction: _Interaction | None = None
    metadata: _Metadata | None = None


class _Request(msgspec.Struct, frozen=True, gc=False):
    background: object = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)
_requests = msgspec.json.Decoder(_Request)


def read(payload: bytes, about: About) -> Reading:
    """One interaction or event. Raises NotJson or msgspec.ValidationError for what is neither.

    One that goes on is "deferred"; but not in a stream that was not asked to leave it behind.
    """
    answer = jsontext.decode(_answers, payload)
    interaction = answer.interaction or answer
    goes_on = interaction.status in _UNFINISHED
    is_apart = not answer.event_type or _is_background(about)
    stated = msgspec.Raw() if goes_on else interaction.usage
    is_running = not is_stated(stated)
    if is_running and answer.metadata and not is_apart:
        stated = _running(answer.metadata)
    model = text_or_none(interaction.model) or text_or_none(interaction.agent)
    buckets, flags = _buckets(stated, model)
    if interaction.error is not None or answer.error is not None or answer.event_type == "error":
        flags += (PROVIDER_ERROR,)
    interaction_id = text_or_none(interaction.id)
    return Reading(
        lines=() if buckets is None else (Line(buckets),),
        provenance=_provenance(goes_on and is_apart, buckets, is_running),
        model=model,
        service_tier=text_or_none(interaction.service_tier),
        response_id=interaction_id,
        work_id=interaction_id,
        flags=flags,
    )


def _provenance(is_deferred: bool, buckets: Usage | None, is_running: bool) -> Provenance:
    if is_deferred:
        return "deferred"
    return "unknown" if buckets is None else "partial" if is_running else "reported"


def _running(metadata: _Metadata) -> msgspec.Raw:
    return metadata.usage if is_stated(metadata.usage) else metadata.total_usage


def _is_background(about: About) -> bool:
    try:
        return _requests.decode(about.request).background is True
    except (ValueError, RecursionError):
        return False


def _buckets(stated: msgspec.Raw, model: str | None) -> tuple[Usage | None, tuple[str, ...]]:
    if not is_stated(stated):
        return None, ()
    try:
        usage = jsontext.decode_member(_usages, stated)
        return _disjoint(usage, model), ()
    except (msgspec.ValidationError, Contradiction):
        return None, (INCONSISTENT,)


def _disjoint(usage: _Usage, model: str | None) -> Usage:
    whole = (usage.total_input_tokens or 0) + (usage.total_tool_use_tokens or 0)
    whole += (usage.total_output_tokens or 0) + (usage.total_thought_tokens or 0)
    check_total(usage.total_tokens, whole)
    prompt = gemini.pools(usage.total_input_tokens, _parts(usage.input_tokens_by_modality))
    tools = gemini.pools(usage.total_tool_use_tokens, _parts(usage.tool_use_tokens_by_modality))
    cached = gemini.drawn(prompt, usage.total_cached_tokens or 0, _parts(usage.cached_tokens_by_modality))
    output = gemini.pools(usage.total_output_tokens, _parts(usage.output_tokens_by_modality))
    searches = sum(tool.count or 0 for tool in usage.grounding_tool_count or () if tool.type == _SEARCH)
    searches = gemini.billed_searches(model, searches)
    return gemini.buckets(prompt, tools, cached, output, usage.total_thought_tokens or 0, searches)


def _parts(parts: list[_Part] | None) -> list[gemini.Part]:
    """The same as generateContent says it, in capitals."""
    return [gemini.Part((text_or_none(part.modality) or "").upper(), part.tokens) for part in parts or ()]
