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
