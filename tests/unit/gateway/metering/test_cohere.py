"""Cohere: billed units of both versions, of chat, embeddings and reranking, and not the tokens beside them."""

import json

import pytest

from gateway.metering.cohere import read
from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.reading import Reading

TOKENS = {"input_tokens": 501, "output_tokens": 35}


def told(answer: object) -> Reading:
    return read(json.dumps(answer).encode(), "cohere")


def billed(**units: object) -> dict[str, object]:
    return {"billed_units": units, "tokens": TOKENS, "cached_tokens": 992}


CHAT = billed(input_tokens=6, output_tokens=33)
CASES = [
    ({"id": "a", "message": {"role": "assistant"}, "usage": CHAT}, {"input_text": 6, "output_text": 33}),
    ({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": CHAT}},
     {"input_text": 6, "output_text": 33}),
    ({"response_id": "a", "text": "Hi", "meta": CHAT}, {"input_text": 6, "output_text": 33}),
    ({"is_finished": True, "event_type": "stream-end", "response": {"response_id": "a", "meta": CHAT}},
     {"input_text": 6, "output_text": 33}),
    ({"id": "a", "generations": [{"text": "Hi"}], "meta": CHAT}, {"input_text": 6, "output_text": 33}),
    ({"embeddings": {"float": [[0.1]]}, "meta": billed(image_tokens=0, input_tokens=4)}, {"input_text": 4}),
    ({"embeddings": {}, "meta": billed(image_tokens=250, input_tokens=4)}, {"input_text": 4, "input_image": 250}),
    ({"embeddings": {}, "meta": billed(image_tokens=250, text_tokens=4, input_tokens=254)},
     {"input_text": 4, "input_image": 250}),
    ({"embeddings": {}, "meta": billed(images=3, input_tokens=None)}, {"input_images": 3}),
    ({"results": [{"index": 0}], "meta": billed(search_units=2)}, {"rerank_searches": 2}),
    # Its schema calls them numbers.
    ({"usage": billed(input_tokens=6.0, output_tokens=33.0)}, {"input_text": 6, "output_text": 33}),
    ({"usage": billed(input_tokens=0)}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "buckets"), CASES)
def test_what_is_billed_is_read(answer: object, buckets: dict[str, int]):
    reading = told(answer)
    assert [dict(line.usage.buckets()) for line in reading.lines] == [buckets]
    assert (reading.provenance, reading.model, reading.flags) == ("reported", None, ())


@pytest.mark.parametrize(
    ("usage", "flags"),
    [
        ({"tokens": TOKENS}, ()),
        ({"billed_units": {}}, ()),
        ({"billed_units": None}, ()),
        (None, ()),
        (billed(input_tokens=-1), (INCONSISTENT,)),
        (billed(input_tokens=1.5), (INCONSISTENT,)),
        (billed(input_tokens="1"), (INCONSISTENT,)),
    ],
)
def test_no_sensible_units_are_unknown(usage: object, flags: tuple[str, ...]):
    reading = told({"id": "a", "usage": usage})
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", flags)


def test_either_version_names_its_answer():
    assert [told({name: "r1"}).response_id for name in ("id", "response_id")] == ["r1", "r1"]


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "a", "message": "model 'command-r' was removed"},
        {"type": "message-end", "delta": {"error": "overloaded", "finish_reason": "ERROR"}},
        {"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR"},
    ],
)
def test_an_error_is_noticed(answer: object):
    assert told(answer).flags == (PROVIDER_ERROR,)
