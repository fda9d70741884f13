"""Owns the reading of the Responses API: `usage`, and what hosted tools used beside it.

Shapes and overlaps are provider_facts section 1. Events before the last have `"usage":null`, so the
last statement holds, be the response completed, incomplete or failed.
"""

from typing import TypeVar

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Contradiction, Count, is_stated, text_or_none
from gateway.metering.image_usage import ImageUsage, image_buckets
from gateway.metering.openai_usage import TokenUsage
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# Where a background response has not come to its end (openai 3.54.0, types/responses/response_status.py).
_UNFINISHED = frozenset(("queued", "in_progress"))

# Where the answer does not echo the tool's model (openai 3.54.0, types/responses/tool.py, ImageGeneration.model).
IMAGE_MODEL_DEFAULT = "gpt-image-2.6-sunburst"
IMAGE_MODEL_ASSUMED = "image_model_assumed"

T = TypeVar("T")


class _SearchUsage(msgspec.Struct, frozen=True, gc=False):
    num_requests: Count = 0


class _ToolUsage(msgspec.Struct, frozen=True, gc=False):
    image_gen: ImageUsage | None = None
    web_search: _SearchUsage | None = None


class _Hosted(msgspec.Struct, frozen=True, gc=False):
    """Tools that xAI ran and bills by the call (docs.x.ai/developers/tools/tool-usage-details)."""

    web_search_calls: Count = 0
    x_search_calls: Count = 0
    file_search_calls: Count = 0
    document_search_calls: Count = 0


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
    background: object = None
    status: object = None
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
_usages = msgspec.json.Decoder(TokenUsage)
_tools = msgspec.json.Decoder(list[_Typed])
_items = msgspec.json.Decoder(list[_Item])
_hosted = msgspec.json.Decoder(_Hosted)


def read(payload: bytes, provider: str) -> Reading:
    """One response or event. Raises NotJson or msgspec.ValidationError for what is neither."""
    answer = jsontext.decode(_answers, payload)
    response = answer.response or answer
    # Only what runs in the background is told of twice: an ordinary response that is fetched again was charged.
    runs_apart = response.background is True
    is_deferred = runs_apart and response.status in _UNFINISHED
    lines, flags = ((), ()) if is_deferred else _lines(response)
    if response.error is not None or answer.error is not None or answer.type == "error":
        flags += (PROVIDER_ERROR,)
    response_id = text_or_none(response.id)
    return Reading(
        lines=lines,
        provenance="deferred" if is_deferred else "reported" if lines else "unknown",
        model=text_or_none(response.model),
        service_tier=text_or_none(response.service_tier),
        response_id=response_id,
        work_id=response_id if runs_apart else None,
        flags=flags,
    )


def _lines(response: _Response) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    if not is_stated(response.usage):
        return (), ()
    try:
        usage = jsontext.decode_member(_usages, response.usage)
        buckets = usage.buckets()
    except (msgspec.ValidationError, Contradiction):
        return (), (INCONSISTENT,)
    images, flags = _image_line(response)
    web_searches, file_searches = _searches(response, usage)
    own = Usage(**buckets, web_searches=web_searches, file_searches=file_searches)
    return (Line(own), *images), flags + ((INCONSISTENT,) if usage.is_overdrawn else ())


def _searches(response: _Response, usage: TokenUsage) -> tuple[int, int]:
    """Billable web and file searches: as stated, else as counted. Opening a page is no search."""
    hosted = _hosted_by_xai(usage)
    if hosted is not None:
        return hosted.web_search_calls + hosted.x_search_calls, hosted.file_search_calls + hosted.document_search_calls
    items = _decoded(_items, response.output)
    calls = [item for item in items if item.type == "web_search_call" and (not item.action or _is_search(item.action))]
    stated = response.tool_usage.web_search if response.tool_usage else None
    file_searches = sum(item.type == "file_search_call" for item in items)
    return (stated.num_requests if stated else len(calls)), file_searches


def _hosted_by_xai(usage: TokenUsage) -> _Hosted | None:
    stated = usage.server_side_tool_usage_details
    try:
        return jsontext.decode_member(_hosted, stated) if is_stated(stated) else None
    except msgspec.ValidationError:
        return None


def _is_search(action: _Typed) -> bool:
    return action.type == "search"


def _image_line(response: _Response) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Images are made by a model of their own, at its prices; `usage` does not hold their tokens."""
    images = response.tool_usage.image_gen if response.tool_usage else None
    if images is None or not images.input_tokens + images.output_tokens:
        return (), ()
    named = [text_or_none(tool.model) for tool in _decoded(_tools, response.tools) if tool.type == "image_generation"]
    model = next((name for name in named if name), None)
    line = Line(image_buckets(images), model or IMAGE_MODEL_DEFAULT)
    return (line,), () if model else (IMAGE_MODEL_ASSUMED,)


def _decoded(decoder: msgspec.json.Decoder[list[T]], member: msgspec.Raw) -> list[T]:
    """A list that only refines the numbers: one of another shape is as good as none."""
    try:
        return jsontext.decode_member(decoder, member) if is_stated(member) else []
    except msgspec.ValidationError:
        return []
