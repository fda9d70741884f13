"""Owns the reading of OpenAI's embeddings and of those who speak its dialect, rerankers included: input, no output."""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Usage(msgspec.Struct, frozen=True, gc=False):
    prompt_tokens: Count | None = None
    total_tokens: Count | None = None  # Voyage states the total alone
    # Voyage's multimodal models bill text by the token and all else by the pixel, which the total has as tokens.
    text_tokens: Count | None = None
    image_pixels: Count | None = None
    video_pixels: Count | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    id: object = None
    model: object = None
    usage: msgspec.Raw = msgspec.Raw()
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_usages = msgspec.json.Decoder(_Usage)


def read(payload: bytes, provider: str) -> Reading:
    """One answer. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_answers, payload)
    usage, flags = _usage(answer.usage)
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        model=text_or_none(answer.model),
        response_id=text_or_none(answer.id),
        flags=flags,
    )


def _usage(stated: msgspec.Raw) -> tuple[Usage | None, tuple[str, ...]]:
    if not is_stated(stated):
        return None, ()
    try:
        usage = jsontext.decode_member(_usages, stated)
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)
    if usage.image_pixels or usage.video_pixels:
        pixels = (usage.image_pixels or 0) + (usage.video_pixels or 0)
        return Usage(input_text=usage.text_tokens or 0, input_pixels=pixels), ()
    tokens = usage.total_tokens if usage.prompt_tokens is None else usage.prompt_tokens
    return (None if tokens is None else Usage(input_text=tokens)), ()
