"""Names of tests give the number of the budget case that they are of."""

import json

import msgspec
import pytest

from gateway.bounds.asked import Asked, Body
from gateway.bounds.media import predict
from gateway.endpoints import APIS
from gateway.examine import Call
from gateway.worst_case import WorstCase, worst_case
from pricing.bound import Unbounded
from pricing.overrides import Override
from tests.support.stages import NOW_S
from tests.support.worst_cases import (
    CATALOG,
    CHAT,
    GEMINI,
    IMAGE,
    bounded,
    refused,
    route_at,
)


def test_7_embeddings_put_out_nothing():
    found = bounded("/openai/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a" * 500, [1, 2, 3]]})
    assert found.tokens_out == 0
    assert found.tokens_in >= 500
    assert found.bound.nanousd(0) == found.nanousd > 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/openai/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "n": 1}),
        ("/openai/v1/audio/speech", {"model": "gpt-4o-mini-tts", "input": "a", "voice": "alloy"}),
        ("/openai/v1/audio/transcriptions", {"model": "whisper-1"}),
        ("/voyage/v1/multimodalembeddings", {"model": "voyage-multimodal-3", "inputs": [{"content": [IMAGE]}]}),
        ("/cohere/v2/embed", {"model": "embed-v4.0", "images": ["data:image/png;base64,AAAA"]}),
    ],
)
def test_7_what_has_no_estimator_is_refused(path, body):
    assert refused(path, body)


def test_7_an_image_that_is_billed_by_the_piece_has_a_bound():
    priced = CATALOG.with_overrides([Override("openai", "dall-e-3", {"output_images": "0.08"})])
    found = bounded("/openai/v1/images/generations", {"model": "dall-e-3", "prompt": "a", "n": 4}, catalog=priced)
    assert found.nanousd == 4 * 80_000_000


def test_9_pages_of_a_document_are_bounded_by_those_that_are_read():
    model, url = "mistral-ocr-latest", {"type": "document_url", "document_url": "https://example.com/a.pdf"}
    ten, every = ({"model": model, "document": url} | more for more in ({"pages": list(range(10))}, {}))
    assert bounded("/mistral/v1/ocr", every).nanousd == 100 * bounded("/mistral/v1/ocr", ten).nanousd > 0
    for ranges in ("0-5", ["0-900"], [1, "2-9"], []):
        asked = {"model": model, "document": url, "pages": ranges}
        assert bounded("/mistral/v1/ocr", asked) == bounded("/mistral/v1/ocr", every)


@pytest.mark.parametrize(
    ("reader", "model", "tokens"),
    [
        ("openai.realtime", "gpt-realtime", (32_000, 4_096)),
        ("gemini.live", "gemini-2.5-flash-native-audio-preview-12-2025", (131_072, 8_192)),
    ],
)
def test_21_a_session_is_judged_by_one_response(reader, model, tokens):
    endpoint = next(row.endpoint for rows in APIS.values() for row in rows if row.endpoint.reader == reader)
    path = GEMINI if reader == "gemini.live" else CHAT
    route = msgspec.structs.replace(route_at(path), endpoint=endpoint)
    found = worst_case(Call(model, True, "", b"", False, b""), route, CATALOG, NOW_S)
    assert isinstance(found, WorstCase)
    assert (found.tokens_in, found.tokens_out, found.open_ended) == (*tokens, False)


def test_7_speech_is_billed_by_the_character_or_by_the_token():
    rates = {"input_characters": "15"}
    priced = CATALOG.with_overrides([Override("openai", "by-character", rates)])
    body = {"model": "by-character", "input": "a" * 1000, "voice": "alloy"}
    found = bounded("/openai/v1/audio/speech", body, catalog=priced)
    assert 1000 * 15_000 <= found.nanousd < 1200 * 15_000


def test_7_transcriptions_that_are_billed_by_the_token_may_fill_the_context():
    found = bounded("/openai/v1/audio/transcriptions", {"model": "gpt-4o-transcribe"})
    assert (found.tokens_in, found.tokens_out) == (16_000, 2_000)


def test_7_a_reranker_reads_the_query_once_for_every_document():
    priced = CATALOG.with_overrides([Override("voyage", "rerank-2.5", {"input_text": "0.05"})])
    body = {"model": "rerank-2.5", "query": "q" * 100, "documents": ["d" * 10] * 50}
    assert bounded("/voyage/v1/rerank", body, catalog=priced).tokens_in > 100 * 50


def test_7_a_search_of_a_reranker_is_of_a_hundred_documents():
    priced = CATALOG.with_overrides([Override("cohere", "rerank-v3.5", {"rerank_searches": "2"})])
    body = {"model": "rerank-v3.5", "query": "q", "documents": ["d"] * 250}
    found = bounded("/cohere/v2/rerank", body, catalog=priced)
    assert found.nanousd >= 3 * 2_000_000
    assert found.nanousd % 2_000_000 == 0


def test_7_edits_of_images_are_refused():
    route = route_at("/openai/v1/images/edits")
    found = worst_case(Call("dall-e-2", False, "", b"", False, b"--x"), route, CATALOG, NOW_S)
    assert isinstance(found, Unbounded)


def test_7_of_vertex_s_predictions_only_embeddings_of_text_have_a_bound():
    body = {"instances": [{"content": "a" * 99}]}

    def at(model: str) -> Body:
        return Body(json.dumps(body).encode(), "vertex", model)

    assert predict(at("text-embedding-005")) == Asked(puts_out=False)
    assert isinstance(predict(at("multimodalembedding@001")), Unbounded)
    assert isinstance(predict(at("imagen-3.0-generate-002")), Unbounded)
