"""Embeddings: input, and nothing else."""

import pytest

from gateway.metering.counts import INCONSISTENT, PROVIDER_ERROR
from gateway.metering.embeddings import read


@pytest.mark.parametrize(
    "usage",
    [
        b'{"prompt_tokens":8,"total_tokens":8}',
        b'{"total_tokens":8}',
        b'{"prompt_tokens":8,"total_tokens":8,"completion_tokens":0,"prompt_audio_seconds":null}',
    ],
)
def test_the_prompt_is_the_usage(usage: bytes):
    body = b'{"object":"list","data":[{"embedding":[0.1,0.2]}],"model":"text-embedding-3-small","usage":' + usage + b"}"
    reading = read(body, "openai")
    assert [dict(line.usage.buckets()) for line in reading.lines] == [{"input_text": 8}]
    assert (reading.model, reading.provenance) == ("text-embedding-3-small", "reported")


def test_a_reranker_bills_what_it_read():
    voyage = (
        b'{"object":"list","data":[{"relevance_score":0.6,"index":0}],"model":"rerank-2","usage":{"total_tokens":43}}'
    )
    together = b'{"results":[],"usage":{"prompt_tokens":43,"completion_tokens":0,"total_tokens":43}}'
    for body in (voyage, together):
        assert [dict(line.usage.buckets()) for line in read(body, "voyage").lines] == [{"input_text": 43}]


def test_voyage_bills_contextualized_texts_by_the_token_and_pictures_by_the_pixel():
    contextualized = b'{"data":[{"object":"list","data":[],"index":0}],"model":"m","usage":{"total_tokens":14}}'
    multimodal = b'{"data":[],"usage":{"text_tokens":5,"image_pixels":2000000,"total_tokens":3576}}'
    video = b'{"data":[],"usage":{"text_tokens":0,"image_pixels":0,"video_pixels":1120,"total_tokens":1}}'
    text_alone = b'{"data":[],"usage":{"text_tokens":5,"image_pixels":0,"total_tokens":5}}'
    found = [dict(read(body, "voyage").lines[0].usage.buckets())
             for body in (contextualized, multimodal, video, text_alone)]  # fmt: skip
    assert found == [
        {"input_text": 14}, {"input_text": 5, "input_pixels": 2000000}, {"input_pixels": 1120}, {"input_text": 5},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        (b'{"data":[],"model":"m"}', ()),
        (b'{"data":[],"usage":null}', ()),
        (b'{"usage":{"prompt_tokens":"8"}}', (INCONSISTENT,)),
        (b'{"error":{"message":"no"}}', (PROVIDER_ERROR,)),
    ],
)
def test_no_usage_is_unknown(body: bytes, flags: tuple[str, ...]):
    reading = read(body, "openai")
    assert (reading.lines, reading.provenance, reading.flags) == ((), "unknown", flags)
