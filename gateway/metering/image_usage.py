"""Owns the usage of models that make images, as the images API and Responses' tool state it, made disjoint.

Texts and images are parts of both totals, priced apart (provider_facts section 1).
"""

import msgspec

from gateway.metering.counts import Count, draw
from pricing.usage import Usage


class _Parts(msgspec.Struct, frozen=True, gc=False):
    text_tokens: Count | None = None
    image_tokens: Count | None = None


class _CachedParts(msgspec.Struct, frozen=True, gc=False):
    cached_text_tokens: Count | None = None
    cached_image_tokens: Count | None = None


class ImageUsage(msgspec.Struct, frozen=True, gc=False):
    """What making images took. Output that is not said to be text is images."""

    input_tokens: Count = 0
    output_tokens: Count = 0
    total_tokens: Count | None = None
    input_tokens_details: _Parts | None = None
    output_tokens_details: _Parts | None = None
    cached_tokens_details: _CachedParts | None = None


def image_buckets(images: ImageUsage) -> Usage:
    """Disjoint buckets whose sum is what the totals say."""
    parts_in, parts_out = images.input_tokens_details or _Parts(), images.output_tokens_details or _Parts()
    cached = images.cached_tokens_details or _CachedParts()
    text = [images.input_tokens]
    image = draw(text, parts_in.image_tokens or 0)
    output = [images.output_tokens]
    output_text = draw(output, parts_out.text_tokens or 0)[0]
    return Usage(
        cache_read_text=draw(text, cached.cached_text_tokens or 0)[0],
        cache_read_image=draw(image, cached.cached_image_tokens or 0)[0],
        input_text=text[0],
        input_image=image[0],
        output_text=output_text,
        output_image=output[0],
    )
