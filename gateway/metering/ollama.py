"""Owns the reading of Ollama's own API: chat and generation, whose last object has the counts, and embeddings."""

import msgspec

from gateway.metering.counts import INCONSISTENT, INPUT_NOT_COUNTED, PROVIDER_ERROR, Count, draw, text_or_none
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage

# A request without a prompt only moves the model in or out of memory; its answer has no counts.
_NOTHING_RUN = ("load", "unload")


class _Counts(msgspec.Struct, frozen=True, gc=False):
    """Cached tokens are part of the prompt's (ollama, api/types.go); thinking is part of the output."""

    prompt_eval_count: Count | None = None
    prompt_eval_cached_count: Count | None = None
    eval_count: Count | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    model: object = None
    done: object = None
    done_reason: object = None
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_counts = msgspec.json.Decoder(_Counts)


def read(payload: bytes, provider: str) -> Reading:
    """One object of chat or generation. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_answers, payload)
    reading = Reading(model=text_or_none(answer.model), flags=() if answer.error is None else (PROVIDER_ERROR,))
    if answer.done is not True:
        return reading
    if answer.done_reason in _NOTHING_RUN:
        return msgspec.structs.replace(reading, lines=(Line(Usage()),), provenance="reported")
    return _counted(payload, reading)


def read_embedding(payload: bytes, provider: str) -> Reading:
    """One answer of an embedding; the older endpoint's has no count. Raises as `read`."""
    answer = jsontext.decode(_answers, payload)
    reading = Reading(model=text_or_none(answer.model), flags=() if answer.error is None else (PROVIDER_ERROR,))
    return _counted(payload, reading)


def _counted(payload: bytes, reading: Reading) -> Reading:
    try:
        counts = jsontext.decode(_counts, payload)
    except msgspec.ValidationError:
        return msgspec.structs.replace(reading, flags=(*reading.flags, INCONSISTENT))
    if counts.prompt_eval_count is None and counts.eval_count is None:
        return reading
    prompt = [counts.prompt_eval_count or 0]
    cached = draw(prompt, counts.prompt_eval_cached_count or 0)[0]
    line = Line(Usage(input_text=prompt[0], cache_read_text=cached, output_text=counts.eval_count or 0))
    if counts.prompt_eval_count is None:
        # Before version 0.2 a prompt found in the cache was not counted (ollama issue 2068): unknown, not zero.
        flags = (*reading.flags, INPUT_NOT_COUNTED)
        return msgspec.structs.replace(reading, lines=(line,), provenance="partial", flags=flags)
    return msgspec.structs.replace(reading, lines=(line,), provenance="reported")
