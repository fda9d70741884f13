"""What recorded answers of Bedrock, Cohere, Ollama and their like consumed: the part of usage_oracle.py that is theirs.

It works on the parsed usage objects, headers and last objects of a recording and shares no code with the readers
it judges. None: the answer states nothing.
"""

import json
from typing import Any

from pricing.usage import Usage
from tests.golden.recordings import Recording


def converse(recording: Recording) -> Usage | None:
    if not recording.usages:
        return None
    usage = recording.usages[-1][1]
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    assert not usage.get("cacheDetails")
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + read + written
    return Usage(
        input_text=usage["inputTokens"],
        cache_read_text=read,
        cache_write=written,
        output_text=usage["outputTokens"],
    )


def invoke(recording: Recording) -> Usage | None:
    """Bedrock's own count; of an Anthropic answer, with the lifetimes of its cache writes."""
    counted = [usage for path, usage in recording.usages if path == "amazon-bedrock-invocationMetrics"]
    if counted:
        assert not counted[-1].get("cacheReadInputTokenCount")
        assert not counted[-1].get("cacheWriteInputTokenCount")
        return Usage(
            input_text=counted[-1].get("inputTokenCount", 0), output_text=counted[-1].get("outputTokenCount", 0)
        )
    if recording.stream:
        # One prompt was refused by a guardrail: the model never ran.
        return Usage()
    names = ("input", "output", "cache-read-input", "cache-write-input")
    headers = [recording.about.headers.get(f"x-amzn-bedrock-{name}-token-count".encode()) for name in names]
    if not any(headers):
        return Usage(rerank_searches=1) if b'"relevance_score"' in recording.body else None
    read_in, out, cache_read, written = (int(value or 0) for value in headers)
    native: Any = recording.usages[0][1] if recording.usages else None
    hour = native.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0) if isinstance(native, dict) else 0
    return Usage(
        input_text=read_in,
        cache_read_text=cache_read,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        output_text=out,
    )


def cohere(recording: Recording) -> Usage | None:
    if not recording.usages:
        return None
    billed = recording.usages[-1][1]["billed_units"]
    return Usage(
        input_text=billed.get("input_tokens", 0),
        input_image=billed.get("image_tokens", 0),
        output_text=billed.get("output_tokens", 0),
        rerank_searches=billed.get("search_units", 0),
    )


def ollama(recording: Recording) -> Usage | None:
    last = json.loads(recording.body.strip().split(b"\n")[-1])
    if "eval_count" not in last:
        return None
    return Usage(input_text=last.get("prompt_eval_count", 0), output_text=last["eval_count"])


def ollama_embeddings(recording: Recording) -> Usage | None:
    assert b'"prompt_eval_count"' not in recording.body
    return None


def predict(recording: Recording) -> Usage | None:
    predictions = json.loads(recording.body)["predictions"]
    return Usage(input_text=sum(one["embeddings"]["statistics"]["token_count"] for one in predictions))


def rerank(recording: Recording) -> Usage | None:
    return Usage(input_text=recording.usages[-1][1]["total_tokens"])
