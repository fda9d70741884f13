"""What each recorded answer of cloud_recordings.py consumed, written a second time and plainly.

It works on the parsed usage objects, headers and last objects of a recording and shares no code with the readers
it judges.
"""

import json
from typing import Any

from pricing.usage import Usage
from tests.golden.cloud_recordings import CloudRecording


def expected(recording: CloudRecording) -> Usage | None:
    """What the answer reports; None where it reports nothing."""
    usages = [usage for _, usage in recording.usages]
    match recording.reader:
        case "bedrock.converse":
            return converse(usages[-1]) if usages else None
        case "bedrock.invoke":
            return invoke(recording, usages)
        case "cohere.chat" | "cohere.embed" | "cohere.rerank":
            return cohere(usages[-1]["billed_units"]) if usages else None
        case "ollama.chat":
            return ollama(recording.body)
        case "ollama.embed":
            return None
        case "vertex.predict":
            return predict(json.loads(recording.body))
        case "rerank":
            return Usage(input_text=usages[-1]["total_tokens"])
        case _:
            return Usage(input_text=usages[-1]["prompt_tokens"], output_text=usages[-1]["completion_tokens"])


def converse(usage: dict[str, Any]) -> Usage:
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    assert not usage.get("cacheDetails")
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + read + written
    return Usage(
        input_text=usage["inputTokens"],
        cache_read_text=read,
        cache_write=written,
        output_text=usage["outputTokens"],
    )


def invoke(recording: CloudRecording, usages: list[Any]) -> Usage | None:
    """Bedrock's own count; of an Anthropic answer, with the lifetimes of its cache writes."""
    counted = [usage for path, usage in recording.usages if path == "amazon-bedrock-invocationMetrics"]
    if counted:
        tokens = [counted[-1].get(name, 0) for name in ("inputTokenCount", "outputTokenCount")]
        assert not counted[-1].get("cacheReadInputTokenCount")
        assert not counted[-1].get("cacheWriteInputTokenCount")
        return Usage(input_text=tokens[0], output_text=tokens[1])
    if recording.stream:
        # One prompt was refused by a guardrail: the model never ran.
        return Usage()
    names = ("input", "output", "cache-read-input", "cache-write-input")
    headers = [recording.about.headers.get(f"x-amzn-bedrock-{name}-token-count".encode()) for name in names]
    if not any(headers):
        return Usage(rerank_searches=1) if b'"relevance_score"' in recording.body else None
    read_in, out, cache_read, written = (int(value or 0) for value in headers)
    native = usages[0] if usages and isinstance(usages[0], dict) else {}
    hour = native.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0)
    return Usage(
        input_text=read_in,
        cache_read_text=cache_read,
        cache_write_5m=written - hour,
        cache_write_1h=hour,
        output_text=out,
    )


def cohere(billed: dict[str, Any]) -> Usage:
    return Usage(
        input_text=billed.get("input_tokens", 0),
        input_image=billed.get("image_tokens", 0),
        output_text=billed.get("output_tokens", 0),
        rerank_searches=billed.get("search_units", 0),
    )


def ollama(body: bytes) -> Usage | None:
    last = json.loads(body.strip().split(b"\n")[-1])
    if "eval_count" not in last:
        return None
    return Usage(input_text=last.get("prompt_eval_count", 0), output_text=last["eval_count"])


def predict(answer: dict[str, Any]) -> Usage:
    counts = [prediction["embeddings"]["statistics"]["token_count"] for prediction in answer["predictions"]]
    return Usage(input_text=sum(counts))
