"""Owns the reading of Vertex AI's `predict`: embeddings of text, counted one by one.

Newer models are billed by the token; older ones state characters, for all of the call. The answer names no model.
"""

import msgspec

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR, WholeNumber, is_stated
from gateway.metering.reading import Line, Reading
from gateway.wire import jsontext
from pricing.usage import Usage


class _Statistics(msgspec.Struct, frozen=True, gc=False):
    token_count: WholeNumber | None = None


class _Embeddings(msgspec.Struct, frozen=True, gc=False):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct, frozen=True, gc=False):
    embeddings: _Embeddings | None = None


class _Metadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    billable_character_count: WholeNumber | None = None


class _Answer(msgspec.Struct, frozen=True, gc=False):
    predictions: msgspec.Raw = msgspec.Raw()  # of other models (images, old chat) they have other shapes
    metadata: msgspec.Raw = msgspec.Raw()
    error: object = None


_answers = msgspec.json.Decoder(_Answer)
_predictions = msgspec.json.Decoder(list[_Prediction])
_metadata = msgspec.json.Decoder(_Metadata)


def read(payload: bytes, provider: str) -> Reading:
    """One answer. Raises NotJson or msgspec.ValidationError for what is none."""
    answer = jsontext.decode(_answers, payload)
    try:
        usage, flags = _usage(answer), ()
    except msgspec.ValidationError:
        usage, flags = None, (INCONSISTENT,)
    if answer.error is not None:
        flags += (PROVIDER_ERROR,)
    return Reading(
        lines=() if usage is None else (Line(usage),),
        provenance="unknown" if usage is None else "reported",
        flags=flags,
    )


def _usage(answer: _Answer) -> Usage | None:
    predictions = _predictions.decode(answer.predictions) if is_stated(answer.predictions) else []
    embeddings = [prediction.embeddings for prediction in predictions if prediction.embeddings]
    counts = [found.statistics.token_count for found in embeddings if found.statistics]
    tokens = [int(count) for count in counts if count is not None]
    if tokens:
        return Usage(input_text=sum(tokens))
    metadata = _metadata.decode(answer.metadata) if is_stated(answer.metadata) else _Metadata()
    characters = metadata.billable_character_count
    return None if characters is None else Usage(input_characters=int(characters))
