"""Owns OpenAI's overlapping token details, as its APIs share them, made disjoint. Knows no event.

Everything in the details is part of the total beside them (provider_facts section 1).
"""

import msgspec

from gateway.metering.counts import Count, check_total, draw, draw_parts


class _WriteDetails(msgspec.Struct, frozen=True, gc=False):
    ttl_30m_tokens: Count | None = None
    ttl_12h_tokens: Count | None = None


class _CachedDetails(msgspec.Struct, frozen=True, gc=False):
    """Parts of the cached tokens, which Realtime alone tells."""

    text_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class InputDetails(msgspec.Struct, frozen=True, gc=False):
    """Parts of the input tokens."""

    cached_tokens: Count | None = None
    cached_tokens_details: _CachedDetails | None = None
    cache_write_tokens: Count | None = None
    cache_write_tokens_details: _WriteDetails | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None
    video_tokens: Count | None = None


class OutputDetails(msgspec.Struct, frozen=True, gc=False):
    """Parts of the output tokens."""

    reasoning_tokens: Count | None = None
    audio_tokens: Count | None = None
    image_tokens: Count | None = None


class TokenUsage(msgspec.Struct, frozen=True, gc=False):
    """The usage of Responses and of what came after it; Realtime spells the details in the singular."""

    input_tokens: Count
    output_tokens: Count
    total_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    input_token_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    output_token_details: OutputDetails | None = None
    server_side_tool_usage_details: msgspec.Raw = msgspec.Raw()  # xAI's

    @property
    def details_in(self) -> InputDetails:
        return self.input_tokens_details or self.input_token_details or InputDetails()

    @property
    def is_overdrawn(self) -> bool:
        return overdrawn(self.input_tokens, self.details_in, self.details_in.cached_tokens or 0)

    def buckets(self) -> dict[str, int]:
        """Disjoint buckets whose sum is what the totals say. Raises Contradiction where those disagree."""
        check_total(self.total_tokens, self.input_tokens + self.output_tokens)
        details_in = self.details_in
        details_out = self.output_tokens_details or self.output_token_details or OutputDetails()
        return {
            **input_buckets(self.input_tokens, details_in, details_in.cached_tokens or 0),
            **output_buckets(self.output_tokens, details_out, details_out.reasoning_tokens or 0, 0),
        }


def input_buckets(total: int, details: InputDetails, cached: int) -> dict[str, int]:
    """Disjoint input buckets whose sum is `total`, whatever the details claim.

    Where it is not said which modality the cached tokens had, text is served from the cache first.
    """
    if not (details.audio_tokens or details.image_tokens or details.video_tokens or details.cache_write_tokens):
        cached = min(cached, total)  # nearly every answer: text, some of it read from the cache
        return {"input_text": total - cached, "cache_read_text": cached}
    pools = [total]
    audio, image, video = (
        draw(pools, part or 0)[0] for part in (details.audio_tokens, details.image_tokens, details.video_tokens)
    )
    pools += [audio, image, video]
    cache_text, cache_audio, cache_image, cache_video = _draw_cached(pools, cached, details.cached_tokens_details)
    write = details.cache_write_tokens or 0
    ttl = details.cache_write_tokens_details or _WriteDetails()
    write_30m = sum(draw(pools, min(write, ttl.ttl_30m_tokens or 0)))
    write_12h = sum(draw(pools, min(write - write_30m, ttl.ttl_12h_tokens or 0)))
    write_other = sum(draw(pools, write - write_30m - write_12h))
    return {
        "input_text": pools[0],
        "input_audio": pools[1],
        "input_image": pools[2],
        "input_video": pools[3],
        "cache_read_text": cache_text,
        "cache_read_audio": cache_audio,
        "cache_read_image": cache_image,
        "cache_read_video": cache_video,
        "cache_write": write_other,
        "cache_write_30m": write_30m,
        "cache_write_12h": write_12h,
    }


def _draw_cached(pools: list[int], cached: int, details: _CachedDetails | None) -> list[int]:
    """The cached tokens by modality, taken out of the pools of all: as stated, and what is not from the first."""
    stated = (details.text_tokens, details.audio_tokens, details.image_tokens) if details else ()
    return draw_parts(pools, cached, (part or 0 for part in stated))


def overdrawn(total: int, details: InputDetails, cached: int) -> bool:
    """Whether the parts exceed the total, as OpenRouter once reported: read and write both 2161 of 2168."""
    return cached + (details.cache_write_tokens or 0) > total


def output_buckets(total: int, details: OutputDetails, reasoning_within: int, reasoning_beside: int) -> dict[str, int]:
    """Disjoint output buckets whose sum is `total` and the reasoning that the total leaves out.

    Reasoning within may exceed the total by rounding (OpenRouter: 11 of 10); what is billed is the total.
    """
    if not (details.audio_tokens or details.image_tokens):
        within = min(reasoning_within, total)  # nearly every answer
        return {"output_text": total - within, "output_reasoning": within + reasoning_beside}
    pools = [total]
    reasoning, audio, image = (
        draw(pools, part or 0)[0] for part in (reasoning_within, details.audio_tokens, details.image_tokens)
    )
    return {
        "output_text": pools[0],
        "output_reasoning": reasoning + reasoning_beside,
        "output_audio": audio,
        "output_image": image,
    }
