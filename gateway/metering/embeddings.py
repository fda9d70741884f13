"""Owns the reading of OpenAI's embeddings and of those who speak its dialect: input, and nothing else."""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, Count, is_stated, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Usage(msgspec.Struct, frozen=True, gc=False):
    prompt_tokens: Count | None = None
    total_tokens: Count | None = None  # Voyage states the total alone


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
    tokens, flags = _tokens(answer.usage)
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if tokens is None else (Line(Usage(input_text=tokens)),),
        provenance="unknown" if tokens is None else "reported",
        model=text_or_none(answer.model),
        response_id=text_or_none(answer.id),
        flags=flags,
    )


def _tokens(stated: msgspec.Raw) -> tuple[int | None, tuple[str, ...]]:
    if not is_stated(stated):
        return None, ()
    try:
        usage = jsontext.decode_member(_usages, stated)
    except msgspec.ValidationError:
        return None, (INCONSISTENT,)
    return (usage.total_tokens if usage.prompt_tokens is None else usage.prompt_tokens), ()
