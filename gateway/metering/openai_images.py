"""Owns the reading of the images API: what an image model used, and beside it the author of an SVG.

Shapes are provider_facts section 1 and openai 3.54.0, types/images_response.py. Streaming takes one image a call
("Streaming is only supported with n=1"), so the last event holds.
"""

import msgspec

from gateway.metering.counts import (
    INCONSISTENT,
    PROVIDER_ERROR,
    Contradiction,
    Count,
    check_total,
    draw,
    is_stated,
    text_or_none,
)
from gateway.metering.image_usage import ImageUsage, image_buckets
from gateway.metering.reading import About, Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Svg(msgspec.Struct, frozen=True, gc=False):
    """A model that writes the SVG after the picture that another one made."""

    input_tokens: Count
    output_tokens: Count
    reasoning_tokens: Count = 0
    total_tokens: Count | None = None
    model: object = None


class _Image(msgspec.Struct, frozen=True, gc=False):
    """One image of the answer; only that it is there matters."""


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer or an event."""

    type: object = None
    model: object = None
    data: list[_Image] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    svg_usage: msgspec.Raw = msgspec.Raw()
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(ImageUsage)
_svgs = msgspec.json.Decoder(_Svg)


def read(payload: bytes, about: About) -> Reading:
    """One answer or event. Raises NotJson or msgspec.ValidationError for what is neither."""
    answer = jsontext.decode(_answers, payload)
    lines, flags = _lines(answer)
    if answer.error is not None or answer.type == "error":
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=lines,
        provenance="reported" if lines else "unknown",
        model=text_or_none(answer.model),
        flags=flags,
    )


def _lines(answer: _Answer) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    try:
        lines = _image_lines(answer.usage) + _svg_lines(answer.svg_usage)
    except (msgspec.ValidationError, Contradiction):
        return (), (INCONSISTENT,)
    if not lines and answer.data:
        # DALL-E states no usage: it is billed by the image.
        lines = (Line(Usage(output_images=len(answer.data))),)
    return lines, ()


def _image_lines(stated: msgspec.Raw) -> tuple[Line, ...]:
    if not is_stated(stated):
        return ()
    usage = jsontext.decode_member(_usages, stated)
    check_total(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    return (Line(image_buckets(usage)),)


def _svg_lines(stated: msgspec.Raw) -> tuple[Line, ...]:
    """Reasoning is part of the output, unless the total holds it beside."""
    if not is_stated(stated):
        return ()
    usage = _svgs.decode(stated)
    beside = usage.total_tokens == usage.input_tokens + usage.output_tokens + usage.reasoning_tokens
    output = [usage.output_tokens + usage.reasoning_tokens * beside]
    check_total(usage.total_tokens, usage.input_tokens + output[0])
    reasoning = draw(output, usage.reasoning_tokens)[0]
    buckets = Usage(input_text=usage.input_tokens, output_text=output[0], output_reasoning=reasoning)
    return (Line(buckets, text_or_none(usage.model)),)
