"""Owns the reading of Cohere's own API, both versions: chat, generation, embeddings and reranking.

What is billed stands in `billed_units`; the `tokens` beside it hold what Cohere itself adds to a prompt. No
answer names its model.
"""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, WholeNumber, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Units(msgspec.Struct, frozen=True, gc=False):
    """Disjoint, but for `text_tokens`: where they are stated, they are the part of the input that is text."""

    input_tokens: WholeNumber | None = None
    text_tokens: WholeNumber | None = None
    image_tokens: WholeNumber | None = None
    images: WholeNumber | None = None
    output_tokens: WholeNumber | None = None
    search_units: WholeNumber | None = None


class _Billed(msgspec.Struct, frozen=True, gc=False):
    billed_units: msgspec.Raw = msgspec.Raw()


class _Ended(msgspec.Struct, frozen=True, gc=False):
    """What the last event of a stream tells: `delta` of version 2, `response` of version 1."""

    usage: _Billed | None = None
    meta: _Billed | None = None
    finish_reason: object = None
    error: object = None


class _Answer(_Ended, frozen=True, gc=False):
    id: object = None
    response_id: object = None
    message: msgspec.Raw = msgspec.Raw()  # the answer's; a text where it is an error's
    delta: _Ended | None = None
    response: _Ended | None = None


_answers = msgspec.json.Decoder(_Answer)
_units = msgspec.json.Decoder(_Units)


def read(payload: bytes, provider: str) -> Reading:
    """One answer, or one event. Raises NotJson or msgspec.ValidationError for what is neither."""
    answer = jsontext.decode(_answers, payload)
    told = [part for part in (answer, answer.delta, answer.response) if part is not None]
    usage, flags = _usage(told)
    if bytes(answer.message).startswith(b'"') or any(part.error or part.finish_reason == "ERROR" for part in told):
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        response_id=text_or_none(answer.id) or text_or_none(answer.response_id),
        flags=flags,
    )


def _usage(told: list[_Ended]) -> tuple[Usage | None, tuple[str, ...]]:
    for billed in (billed for part in told for billed in (part.usage, part.meta)):
        if billed is not None and is_stated(billed.billed_units):
            try:
                units = _units.decode(billed.billed_units)
            except msgspec.ValidationError:
                return None, (INCONSISTENT,)
            return (None if units == _Units() else _buckets(units)), ()
    return None, ()


def _buckets(units: _Units) -> Usage:
    return Usage(
        input_text=int((units.input_tokens if units.text_tokens is None else units.text_tokens) or 0),
        input_image=int(units.image_tokens or 0),
        input_images=int(units.images or 0),
        output_text=int(units.output_tokens or 0),
        rerank_searches=int(units.search_units or 0),
    )
