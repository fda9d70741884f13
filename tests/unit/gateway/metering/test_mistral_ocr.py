"""Mistral's OCR: pages, and annotated pages where annotations were asked for or made."""

import json

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.mistral_ocr import read
from gateway.metering.reading import About, Reading


def told(request: object = None, usage_info: object = None, **members: object) -> Reading:
    body = {"pages": [{"index": 0}], "model": "mistral-ocr-2505-completion", "usage_info": usage_info, **members}
    return read(json.dumps(body).encode(), About("mistral", request=json.dumps(request).encode()))


def buckets(reading: Reading) -> list[dict[str, int]]:
    return [dict(line.usage.buckets()) for line in reading.lines]


PAGES = {"pages_processed": 3, "doc_size_bytes": 1000}
FORMAT = {"type": "json_schema"}


def test_pages_are_what_is_billed():
    reading = told({"model": "mistral-ocr-latest", "document_annotation_format": None}, PAGES)
    assert buckets(reading) == [{"input_pages": 3}]
    assert (reading.model, reading.provenance) == ("mistral-ocr-2505-completion", "reported")


@pytest.mark.parametrize("member", ["document_annotation_format", "bbox_annotation_format"])
def test_pages_are_annotated_where_it_was_asked_for(member: str):
    assert buckets(told({member: FORMAT}, PAGES)) == [{"input_annotated_pages": 3}]


def test_an_annotation_in_the_answer_is_enough():
    assert buckets(told("no request that can be read", PAGES, document_annotation="{}")) == [
        {"input_annotated_pages": 3}
    ]


@pytest.mark.parametrize(
    ("usage_info", "flags"),
    [(None, ()), ({}, ()), ({"pages_processed": -1}, (INCONSISTENT,)), ({"pages_processed": "3"}, (INCONSISTENT,))],
)
def test_no_sensible_pages_are_unknown(usage_info: object, flags: tuple[str, ...]):
    reading = told({}, usage_info)
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", flags)


def test_an_error_is_noticed():
    assert told({}, None, error={"message": "no"}).flags == (PROVIDER_ERROR,)
