"""Owns the reading of the Responses API: `usage`, and what hosted tools used beside it.

Shapes and overlaps are provider_facts section 1. Events before the last have `"usage":null`, so the
last statement holds, be the response completed, incomplete or failed.
"""

from typing import TypeVar

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, draw, is_stated, text_or_none
from gateway.metering.openai_usage import InputDetails, OutputDetails, input_buckets, output_buckets, overdrawn
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# Where the answer does not echo the tool's model (openai 3.54.0, types/responses/tool.py, ImageGeneration.model).
IMAGE_MODEL_DEFAULT = "gpt-image-2.6-sunburst"
IMAGE_MODEL_ASSUMED = "image_model_assumed"

T = TypeVar("T")


class _Usage(msgspec.Struct, frozen=True, gc=False):
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class _Parts(msgspec.Struct, frozen=True, gc=False):
    text_tokens: Count | None = None
    image_tokens: Count | None = None


class _CachedParts(msgspec.Struct, frozen=True, gc=False):
    cached_text_tokens: Count | None = None
    cached_image_tokens: Count | None = None


class _ImageUsage(msgspec.Struct, frozen=True, gc=False):
    input_tokens: Count = 0
    output_tokens: Count = 0
    input_tokens_details: _Parts | None = None
    output_tokens_details: _Parts | None = None
    cached_tokens_details: _CachedParts | None = None


class _SearchUsage(msgspec.Struct, frozen=True, gc=False):
    num_requests: Count = 0


class _ToolUsage(msgspec.Struct, frozen=True, gc=False):
    image_gen: _ImageUsage | None = None
    web_search: _SearchUsage | None = None


class _Typed(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    model: object = None


class _Item(msgspec.Struct, frozen=True, gc=False):
    type: object = None
    action: _Typed | None = None


class _Response(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    model: object = None
    service_tier: object = None
    usage: msgspec.Raw = msgspec.Raw()
    tool_usage: _ToolUsage | None = None
    tools: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    error: object = None


class _Answer(_Response, frozen=True, gc=False):
    """A whole response, or an event that holds one in `response`."""

    type: object = None
    response: _Response | None = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)
_tools = msgspec.json.Decoder(list[_Typed])
_items = msgspec.json.Decoder(list[_Item])


def read(payload: bytes, provider: str) -> Reading:
    """One response or event. Raises NotJson or msgspec.ValidationError for what is neither."""
    answer = jsontext.decode(_answers, payload)
    response = answer.response or answer
    lines, flags = _lines(response)
    if response.error is not None or answer.error is not None or answer.type == "error":
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=lines,
        provenance="reported" if lines else "unknown",
        model=text_or_none(response.model),
        service_tier=text_or_none(response.service_tier),
        response_id=text_or_none(response.id),
        flags=flags,
    )


def _lines(response: _Response) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    if not is_stated(response.usage):
        return (), ()
    try:
        usage = jsontext.decode_member(_usages, response.usage)
    except msgspec.ValidationError:
        return (), (INCONSISTENT,)
    if usage.total_tokens is not None and usage.total_tokens != usage.input_tokens + usage.output_tokens:
        return (), (INCONSISTENT,)
    images, flags = _image_line(response)
    return (Line(_main(response, usage)), *images), flags + _overdrawn(usage)


def _main(response: _Response, usage: _Usage) -> Usage:
    details_in = usage.input_tokens_details or InputDetails()
    details_out = usage.output_tokens_details or OutputDetails()
    web_searches, file_searches = _searches(response)
    return Usage(
        **input_buckets(usage.input_tokens, details_in, details_in.cached_tokens or 0),
        **output_buckets(usage.output_tokens, details_out, details_out.reasoning_tokens or 0, 0),
        web_searches=web_searches,
        file_searches=file_searches,
    )


def _overdrawn(usage: _Usage) -> tuple[str, ...]:
    details = usage.input_tokens_details or InputDetails()
    return (INCONSISTENT,) if overdrawn(usage.input_tokens, details, details.cached_tokens or 0) else ()


def _searches(response: _Response) -> tuple[int, int]:
    """Billable web and file searches: as stated, else as counted. Opening a page is no search."""
    items = _decoded(_items, response.output)
    calls = [item for item in items if item.type == "web_search_call" and (not item.action or _is_search(item.action))]
    stated = response.tool_usage.web_search if response.tool_usage else None
    file_searches = sum(item.type == "file_search_call" for item in items)
    return (stated.num_requests if stated else len(calls)), file_searches


def _is_search(action: _Typed) -> bool:
    return action.type == "search"


def _image_line(response: _Response) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Images are made by a model of their own, at its prices; `usage` does not hold their tokens."""
    images = response.tool_usage.image_gen if response.tool_usage else None
    if images is None or not images.input_tokens + images.output_tokens:
        return (), ()
    named = [text_or_none(tool.model) for tool in _decoded(_tools, response.tools) if tool.type == "image_generation"]
    model = next((name for name in named if name), None)
    line = Line(_image_buckets(images), model or IMAGE_MODEL_DEFAULT)
    return (line,), () if model else (IMAGE_MODEL_ASSUMED,)


def _image_buckets(images: _ImageUsage) -> Usage:
    parts_in, parts_out = images.input_tokens_details or _Parts(), images.output_tokens_details or _Parts()
    cached = images.cached_tokens_details or _CachedParts()
    text, image = [images.input_tokens], [parts_in.image_tokens or 0]
    draw(text, image[0])
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


def _decoded(decoder: msgspec.json.Decoder[list[T]], member: msgspec.Raw) -> list[T]:
    """A list that only refines the numbers: one of another shape is as good as none."""
    try:
        return jsontext.decode_member(decoder, member) if is_stated(member) else []
    except msgspec.ValidationError:
        return []
